"""WAV files of every kind and state, against SciPy's reader for what that reads."""

import io
import struct

import numpy as np
import pytest
from scipy.io import wavfile

from course_utils import wav

RATE = 8000
SAMPLES = np.array([0.0, 0.25, -0.5, 0.75, -1.0, 0.5, -0.25])  # an odd number; all can be written exactly in 8 bits


def chunk(name: bytes, content: bytes, size: int | None = None, order: str = "<", pad: bytes = b"\0") -> bytes:
    said = len(content) if size is None else size
    return name + struct.pack(f"{order}I", said) + content + pad * (len(content) % 2)


def form(code: int, channels: int, bits: int, rate: int = RATE, order: str = "<", extended: bytes = b"") -> bytes:
    block = channels * bits // 8
    return chunk(
        b"fmt ", struct.pack(f"{order}HHIIHH", code, channels, rate, rate * block, block, bits) + extended, order=order
    )


def file(*chunks: bytes, head: bytes = b"RIFF", size: int | None = None, order: str = "<") -> io.BytesIO:
    content = b"WAVE" + b"".join(chunks)
    return io.BytesIO(head + struct.pack(f"{order}I", len(content) if size is None else size) + content)


def pcm(samples: np.ndarray, kind: str) -> bytes:
    return (samples * (2.0 ** (8 * np.dtype(kind).itemsize - 1) - 1)).astype(kind).tobytes()


SIXTEEN = pcm(SAMPLES, "<i2")
EXPECTED = np.frombuffer(SIXTEEN, "<i2")[:, None] / 2**15


@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("kind", ["u1", "i2", "i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("rate", [4000, 44100, 192_000])
def test_same_samples_as_scipy(kind, channels, rate):
    chance = np.random.default_rng(0)
    full = 1.0 if kind[0] == "f" else float(np.iinfo(kind).max) + 1 if kind[0] == "i" else 128.0
    samples = (chance.uniform(-1, 1, (100, channels)) * full + (128 if kind == "u1" else 0)).astype(kind)
    target = io.BytesIO()
    wavfile.write(target, rate, samples)
    found_rate, found = wav.read(io.BytesIO(target.getvalue()))
    expected = wavfile.read(target)[1].reshape(-1, channels).astype(np.float64)
    assert found_rate == rate
    np.testing.assert_array_equal(found, (expected - 128) / 128 if kind == "u1" else expected / full)


@pytest.mark.parametrize("bits", [24, 32])
def test_extensible_and_24_bits_as_scipy(bits):
    words = pcm(SAMPLES, "<i4")
    data = b"".join(words[place + 4 - bits // 8 : place + 4] for place in range(0, len(words), 4))  # the high bytes
    guid = struct.pack("<HHIH", 22, bits, 4, 1) + bytes.fromhex("000000001000800000aa00389b71")
    target = file(form(0xFFFE, 1, bits, extended=guid), chunk(b"data", data))
    expected = wavfile.read(io.BytesIO(target.getvalue()))[1][:, None] / 2.0**31
    np.testing.assert_array_equal(wav.read(target)[1], expected)


@pytest.mark.parametrize("bits", [16, 24])
def test_big_endian_as_scipy(bits):
    data = b"".join(pcm(SAMPLES, ">i4")[i : i + bits // 8] for i in range(0, 4 * len(SAMPLES), 4))
    target = file(form(1, 1, bits, order=">"), chunk(b"data", data, order=">"), head=b"RIFX", order=">")
    expected = wavfile.read(io.BytesIO(target.getvalue()))[1][:, None] / 2.0 ** (15 if bits == 16 else 31)
    np.testing.assert_array_equal(wav.read(target)[1], expected)


@pytest.mark.parametrize(
    ("code", "values"),
    [
        (6, {0x55: -8, 0xD5: 8, 0x2A: -32256, 0xAA: 32256, 0x80: 5504}),  # A-law
        (7, {0x00: -32124, 0x80: 32124, 0x7F: 0, 0xFF: 0, 0xEF: 132, 0x70: -120}),  # mu-law
    ],
)
def test_the_telephones_laws(code, values):
    """Values from the tables of ITU-T G.711, as 16 bits."""
    _, samples = wav.read(file(form(code, 1, 8), chunk(b"data", bytes(values))))
    assert (samples[:, 0] * 2**15).tolist() == list(values.values())


LIST = chunk(b"LIST", b"INFOIART\x05\0\0\0anna\0\0")
UNFINISHED = {"nothing": 0, "as large as can be": 0xFFFFFFFF, "more than there is": 1000}


@pytest.mark.parametrize("around", [b"", chunk(b"bext", bytes(33)) + chunk(b"JUNK", bytes(20)), LIST])
@pytest.mark.parametrize("size", UNFINISHED.values(), ids=UNFINISHED)
@pytest.mark.parametrize("head", [b"RIFF", b"RF64"])
def test_a_header_that_was_never_finished(size, around, head):
    """From a pipe, or from a recorder that was killed: the sound goes on to the file's end."""
    target = file(around, form(1, 1, 16), around, chunk(b"data", SIXTEEN, size=size), size=size, head=head)
    np.testing.assert_array_equal(wav.read(target)[1], EXPECTED)


@pytest.mark.parametrize("pad", [b"\0", b""], ids=["padded", "pad byte missing"])
def test_chunks_around_the_sound_are_left_out(pad):
    odd = chunk(b"note", b"odd", pad=pad)
    data = np.uint8([128, 255, 0])  # three bytes
    target = file(odd, LIST, form(1, 1, 8), odd, chunk(b"data", data.tobytes(), pad=pad), odd, LIST)
    np.testing.assert_array_equal(wav.read(target)[1][:, 0], [0, 127 / 128, -1])


def test_64_bit_sizes():
    sizes = chunk(b"ds64", struct.pack("<QQQI", 1000, len(SIXTEEN), len(SAMPLES), 0))
    data = chunk(b"data", SIXTEEN + b"", size=0xFFFFFFFF)
    target = file(sizes, form(1, 1, 16), data, LIST, head=b"RF64", size=0xFFFFFFFF)
    np.testing.assert_array_equal(wav.read(target)[1], EXPECTED)


def test_a_last_moment_that_is_not_whole_is_left_out():
    target = file(form(1, 2, 16), chunk(b"data", SIXTEEN[:-2] + b"\x01"))
    assert wav.read(target)[1].shape == (3, 2)


def test_fewer_bits_in_a_wider_sample():
    """24 bits, of which each sample has four bytes."""
    block = struct.pack("<HHIIHH", 1, 1, RATE, RATE * 4, 4, 24)
    target = file(chunk(b"fmt ", block), chunk(b"data", pcm(SAMPLES, "<i4")))
    np.testing.assert_allclose(wav.read(target)[1][:, 0], SAMPLES, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"ID3\x04" + bytes(100), "MP3"),
        (b"\xff\xfb\x90\x44" + bytes(100), "MP3"),
        (b"OggS" + bytes(100), "Ogg"),
        (b"fLaC" + bytes(100), "FLAC"),
        (b"\0\0\0\x20ftypM4A " + bytes(100), "M4A"),
        (b"FORM\0\0\0\x20AIFF" + bytes(100), "AIFF"),
        (b"\n <!DOCTYPE html>", "web page"),
        (b"this is text" * 20, "not a WAV file"),
        (b"RIFF\0\0\0\0AVI " + bytes(100), "not a WAV file"),
        (file(form(1, 1, 16), chunk(b"data", b"")).getvalue(), "empty"),
        (file(form(1, 1, 16), chunk(b"data", b""), LIST).getvalue(), "empty"),
        (file(form(1, 1, 16)).getvalue(), "header ends"),
        (file(chunk(b"data", SIXTEEN)).getvalue(), "header ends"),
        (file(form(2, 1, 4), chunk(b"data", SIXTEEN)).getvalue(), "compressed"),
        (file(form(1, 0, 16), chunk(b"data", SIXTEEN)).getvalue(), "0 channels"),
        (file(form(1, 1, 16, rate=0), chunk(b"data", SIXTEEN)).getvalue(), "0 samples a second"),
        (file(form(1, 1, 0), chunk(b"data", SIXTEEN)).getvalue(), "0 bits"),
    ],
)
def test_what_can_not_be_read_is_named(content, said):
    with pytest.raises(ValueError, match=said):
        wav.read(io.BytesIO(content))


def test_no_damage_shows_pythons_insides():
    """A file cut off anywhere, or with any bytes of its header changed, is read or refused in words."""
    whole = file(LIST, form(1, 2, 16), chunk(b"data", 4 * SIXTEEN)).getvalue()
    chance = np.random.default_rng(0)
    damaged = [whole[:end] for end in range(len(whole))]
    for _ in range(3000):
        changed = bytearray(whole)
        for place in chance.integers(len(whole), size=chance.integers(1, 5)):
            changed[place] = chance.choice([0, 1, 127, 128, 255])
        damaged.append(bytes(changed))
    refused = 0
    for content in damaged:
        try:
            _, samples = wav.read(io.BytesIO(content))
            assert samples.ndim == 2 and len(samples)
        except ValueError as error:
            assert str(error).startswith("it"), error
            refused += 1
    assert 50 < refused < len(damaged)
