"""Recordings as people hand them in, from the file to the second that a network hears; and files that are none."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile
from scipy.signal import resample_poly

from course_utils import wav
from course_utils.sound import LENGTH, RATE, load_recordings, load_spoken_digits
from course_utils.speech import trimmed
from tests.unit.test_wav import chunk, file, form, pcm

NAME = "7_anna_0.wav"


def spoken() -> np.ndarray:
    """A shipped seven, (T,), without silence."""
    test = load_spoken_digits().test
    return trimmed(test.waves[test.labels.tolist().index(7), 0].double().numpy())


WORD = spoken()
# As a phone records it: a second and a half until somebody speaks, and three quarters afterwards.
WAVE = 0.8 * np.concatenate([np.zeros(3 * RATE // 2), WORD, np.zeros(3 * RATE // 4)])


def written(samples: np.ndarray, rate: int = RATE) -> bytes:
    target = io.BytesIO()
    wavfile.write(target, rate, samples)
    return target.getvalue()


def sixteen(wave: np.ndarray) -> np.ndarray:
    return np.int16(np.round(32767 * wave))


def at_rate(rate: int) -> bytes:
    return written(sixteen(resample_poly(WAVE, rate // 25, RATE // 25)), rate)


def high_bytes(wave: np.ndarray, bits: int, order: str = "<") -> bytes:
    words = pcm(wave, f"{order}i4")
    kept = slice(4 - bits // 8, 4) if order == "<" else slice(0, bits // 8)
    return b"".join(words[place : place + 4][kept] for place in range(0, len(words), 4))


def of_bits(bits: int, order: str = "<") -> bytes:
    data = high_bytes(WAVE, bits, order)
    head = b"RIFF" if order == "<" else b"RIFX"
    return file(form(1, 1, bits, order=order), chunk(b"data", data, order=order), head=head, order=order).getvalue()


def extensible(code: int, bits: int, data: bytes) -> bytes:
    guid = (
        bits.to_bytes(2, "little")
        + bytes(4)
        + code.to_bytes(2, "little")
        + bytes.fromhex("000000001000800000aa00389b71")
    )
    return file(form(0xFFFE, 1, bits, extended=b"\x16\0" + guid), chunk(b"data", data)).getvalue()


def by_law(code: int) -> bytes:
    """A-law or μ-law: of the 256 codes, the one whose value is nearest to each sample."""
    values = wav.DECODERS[code, 1](bytes(range(256)), "<")
    order = values.argsort()
    nearest = order[np.searchsorted(values[order], WAVE).clip(0, 255)]
    return file(form(code, 1, 8), chunk(b"data", nearest.astype(np.uint8).tobytes())).getvalue()


def channels(*waves: np.ndarray) -> bytes:
    return written(sixteen(np.stack(waves, axis=1)))


def of_size(size: int) -> bytes:
    return file(form(1, 1, 16), chunk(b"data", pcm(WAVE, "<i2"), size=size), size=size).getvalue()


def clicked() -> np.ndarray:
    wave = WAVE.copy()
    wave[100:180] += 0.2 * np.random.default_rng(0).uniform(-1, 1, 80)
    return wave


def noisy(size: float) -> np.ndarray:
    return WAVE + size * np.random.default_rng(0).standard_normal(len(WAVE))


SILENT = np.zeros_like(WAVE)
RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000)
READ: dict[str, Callable[[], bytes]] = {
    **{f"{rate} Hz": lambda rate=rate: at_rate(rate) for rate in RATES},
    "8 bits": lambda: written(np.uint8(np.round(127 * WAVE) + 128)),
    "16 bits": lambda: written(sixteen(WAVE)),
    "24 bits": lambda: of_bits(24),
    "32 bits": lambda: of_bits(32),
    "16 bits, RIFX": lambda: of_bits(16, ">"),
    "24 bits, RIFX": lambda: of_bits(24, ">"),
    "floats": lambda: written(WAVE.astype(np.float32)),
    "floats beyond 1": lambda: written((1e38 * WAVE).astype(np.float32)),
    "doubles": lambda: written(WAVE),
    "doubles, huge": lambda: written(1e300 * WAVE),
    "doubles, tiny": lambda: written(1e-300 * WAVE),
    "A-law": lambda: by_law(6),
    "μ-law": lambda: by_law(7),
    "extensible, 24 bits": lambda: extensible(1, 24, high_bytes(WAVE, 24)),
    "extensible, floats": lambda: extensible(3, 32, WAVE.astype("<f4").tobytes()),
    "two channels": lambda: channels(WAVE, WAVE),
    "one channel silent": lambda: channels(WAVE, SILENT),
    "channels that cancel": lambda: channels(WAVE, -WAVE),
    "channels that cancel, with an offset": lambda: channels(WAVE + 0.1, 0.1 - WAVE),
    "channels that nearly cancel": lambda: channels(WAVE, -0.97 * WAVE),
    "six channels": lambda: channels(*[WAVE] * 6),
    **{f"data size {size}": lambda size=size: of_size(size) for size in (0, 0xFFFFFFFF, 10**6)},
    "cut off in a sample": lambda: written(sixteen(WAVE))[:-1],
    "a click at the start": lambda: written(sixteen(clicked())),
    "an offset": lambda: written(sixteen(WAVE + 0.03)),
    "a large offset": lambda: written(sixteen(WAVE * 0.8 + 0.3)),
    "noise": lambda: written(sixteen(noisy(0.02))),
    "no silence at all": lambda: written(sixteen(0.9 * WORD)),
    "a click, an offset, two channels": lambda: channels(clicked() + 0.05, clicked() + 0.05),
}  # fmt: skip


def loaded(folder: Path, content: bytes):
    (folder / NAME).write_bytes(content)
    return load_recordings(folder)


@pytest.mark.parametrize("kind", READ)
def test_the_word_comes_out(kind, tmp_path):
    """In the middle of a second, and alike the clip that was recorded, or that upside down, which sounds the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = loaded(tmp_path, READ[kind]()).waves[0, 0].double().numpy()
    assert found.shape == (LENGTH,) and np.abs(found).max() == pytest.approx(1)
    alike = np.abs(np.correlate(found, WORD, "full")).max() / np.linalg.norm(found) / np.linalg.norm(WORD)
    assert alike > 0.95


def whole(code: int, bits: int = 16, data: bytes = bytes(5000)) -> bytes:
    return file(form(code, 1, bits), chunk(b"data", data)).getvalue()


REFUSED = {
    "an empty file": (b"", "an empty file"),
    **{f"the first {length} bytes": (written(sixteen(WAVE))[:length], "it ") for length in (1, 8, 12, 20, 43, 44, 45)},
    "no sample": (written(np.zeros(0, np.int16)), "empty"),
    "one sample": (written(np.int16([1000])), "silence"),
    "a few samples": (written(np.int16([1000, -1000] * 50)), "no word"),
    "silence": (written(np.zeros(9000, np.int16)), "silence"),
    "an offset and nothing else": (written(np.full(9000, 5000, np.int16)), "silence"),
    "an offset at 44.1 kHz": (written(np.full(90000, 0.5, np.float32), 44100), "silence"),
    "not a number": (written(np.where(np.arange(9000) == 5, np.nan, 0.1).astype(np.float32)), "not finite"),
    "infinite": (written(np.where(np.arange(9000) == 5, np.inf, 0.1)), "not finite"),
    "ADPCM": (whole(0x11, 4), "compressed"),
    "GSM": (whole(0x31, 0), "compressed"),
    "MP3 in WAV": (whole(0x55, 0), "compressed"),
    "no channel": (file(form(1, 0, 16), chunk(b"data", bytes(5000))).getvalue(), "0 channels"),
    "no rate": (file(form(1, 1, 16, rate=0), chunk(b"data", bytes(5000))).getvalue(), "0 samples a second"),
    "MP3": (b"ID3\x04" + bytes(500), "MP3"),
    "MP3 without a tag": (b"\xff\xfb\x90\x44" + bytes(500), "MP3"),
    "M4A": (b"\0\0\0\x20ftypM4A " + bytes(500), "M4A"),
    "Ogg": (b"OggS" + bytes(500), "Ogg"),
    "WebM": (b"\x1aE\xdf\xa3" + bytes(500), "WebM"),
    "FLAC": (b"fLaC" + bytes(500), "FLAC"),
    "AIFF": (b"FORM\0\0\0\x20AIFF" + bytes(500), "AIFF"),
    "WMA": (bytes.fromhex("3026b2758e66cf11") + bytes(500), "WMA"),
    "AMR": (b"#!AMR\n" + bytes(500), "AMR"),
    "Wave64": (b"riff\x2e\x91\xcf\x11" + bytes(500), "Wave64"),
    "a ZIP archive": (b"PK\x03\x04" + bytes(500), "ZIP"),
    "text": ("seven".encode("utf-16") * 50, "text"),
    "a web page": (b"<!DOCTYPE html>", "web page"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_recording_is_refused_in_words(kind, tmp_path):
    content, said = REFUSED[kind]
    with pytest.raises(ValueError, match=f"of 1 .wav files.*{NAME}: .*{said}"):
        loaded(tmp_path, content)


def test_a_rate_that_divides_nothing_is_read_soon(tmp_path, monkeypatch):
    """A filter for 999,983 samples a second, a prime number, would have 20 million weights."""
    asked = []
    monkeypatch.setattr("course_utils.sound.resample_poly", lambda wave, *ratio: asked.append(ratio) or wave[::125])
    loaded(tmp_path, written(sixteen(np.repeat(WAVE, 125)), 999_983))
    assert max(asked[0]) <= 50_000 and asked[0][0] / asked[0][1] == pytest.approx(RATE / 999_983, rel=1e-5)


def test_what_is_no_file_is_named(tmp_path):
    (tmp_path / NAME).mkdir()
    with pytest.raises(ValueError, match=f"{NAME}: Is a directory|{NAME}: Permission denied"):
        load_recordings(tmp_path)


def test_a_folder_below_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    loaded(tmp_path, written(sixteen(WAVE)))
    assert len(load_recordings("~")) == 1
