"""Recordings: what a folder of WAV files becomes, and the digits that the course ships."""

import io
import shutil
import zipfile

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from course_utils import sound
from course_utils.data import DataError, data_root
from course_utils.sound import LENGTH, RATE, framed, load_recordings, load_spoken_digits, read_wav


def tone(rate: int = RATE, hertz: float = 440.0, seconds: float = 0.5) -> np.ndarray:
    """A pure tone, float64, -1..1."""
    return np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


def write(path, samples, rate=RATE):
    wavfile.write(path, rate, samples)


AS_DTYPE = {
    "8 bits": lambda wave: np.uint8(np.round(127 * wave) + 128),
    "16 bits": lambda wave: np.int16(np.round(32767 * wave)),
    "32 bits": lambda wave: np.int32(np.round((2**31 - 1) * wave)),
    "floats": np.float32,
    "doubles": np.float64,
}


@pytest.mark.parametrize("kind", AS_DTYPE)
def test_every_kind_of_sample_gives_the_same_wave(tmp_path, kind):
    write(tmp_path / "a.wav", AS_DTYPE[kind](0.9 * tone()))
    wave = read_wav(tmp_path / "a.wav")
    assert wave.dtype == np.float32 and np.abs(wave).max() == 1
    expected = sound.trimmed(tone() / np.abs(tone()).max())
    assert np.abs(wave - expected).max() < (0.01 if kind == "8 bits" else 1e-4)


def test_24_bits(tmp_path):
    samples = np.round((2**23 - 1) * 0.9 * tone()).astype("<i4")
    data = samples.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()  # the three low bytes of each
    header = io.BytesIO()
    wavfile.write(header, RATE, np.zeros(0, np.int16))
    head = bytearray(header.getvalue())
    head[4:8] = (36 + len(data)).to_bytes(4, "little")
    head[28:36] = (RATE * 3).to_bytes(4, "little") + (3).to_bytes(2, "little") + (24).to_bytes(2, "little")
    head[40:44] = len(data).to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(bytes(head) + data)
    assert np.abs(read_wav(tmp_path / "a.wav") - sound.trimmed(tone() / np.abs(tone()).max())).max() < 1e-4


@pytest.mark.parametrize("rate", [4000, 11025, 16000, 22050, 44100, 48000])
def test_another_rate_is_resampled(tmp_path, rate):
    write(tmp_path / "a.wav", np.int16(20000 * tone(rate)), rate)
    wave = read_wav(tmp_path / "a.wav")
    assert abs(len(wave) - 0.5 * RATE) < 20  # half a second still lasts half a second
    loudest = np.abs(np.fft.rfft(wave, RATE)).argmax()  # in a second's window, bin n is n hertz
    assert abs(loudest - 440) <= 1


def test_what_8_khz_can_not_hold_is_filtered_out_and_not_folded_back(tmp_path):
    write(tmp_path / "a.wav", np.int16(10000 * (tone(44100) + tone(44100, 7000))), 44100)  # 7 kHz would become 1 kHz
    spectrum = np.abs(np.fft.rfft(read_wav(tmp_path / "a.wav"), RATE))
    assert spectrum[950:1050].max() < 0.01 * spectrum[440]


def test_stereo_is_mixed_down(tmp_path):
    left, right = tone(hertz=300), 0.5 * tone(hertz=700)
    write(tmp_path / "a.wav", np.int16(10000 * np.stack([left, right], axis=1)))
    mixed = (left + right) / 2
    expected = sound.trimmed(mixed / np.abs(mixed).max())
    assert np.abs(read_wav(tmp_path / "a.wav") - expected).max() < 1e-3


def test_silence_at_the_ends_is_trimmed_and_the_rest_framed_in_the_middle(tmp_path):
    write(tmp_path / "a.wav", np.int16(10000 * np.concatenate([np.zeros(3000), np.ones(101), np.zeros(500)])))
    wave = read_wav(tmp_path / "a.wav")
    assert len(wave) == 101
    assert np.flatnonzero(framed(wave)).tolist() == list(range(3949, 4050))  # 3,949 before, 3,950 after
    longer = np.arange(LENGTH + 7)
    assert framed(longer).tolist() == list(range(3, LENGTH + 3)) or framed(longer).tolist() == list(
        range(4, LENGTH + 4)
    )
    assert len(framed(np.ones(LENGTH))) == len(framed(np.ones(LENGTH + 1))) == LENGTH


@pytest.fixture
def folder(tmp_path):
    """Two good recordings."""
    write(tmp_path / "7_jackson_0.wav", np.int16(10000 * tone()))
    write(tmp_path / "0_nicolas_12.WAV", np.int16(10000 * tone(44100)), 44100)
    return tmp_path


def test_folder_in_the_layout_of_the_free_spoken_digit_dataset(folder, recwarn):
    (folder / "notes.txt").write_text("not a recording")
    recordings = load_recordings(folder)
    assert recordings.waves.shape == (2, 1, LENGTH) and recordings.waves.dtype == torch.float32
    assert (recordings.labels.tolist(), recordings.speakers) == ([0, 7], ["nicolas", "jackson"])
    batch, labels = recordings[[1, 0]]
    assert batch.shape == (2, 1, LENGTH) and labels.tolist() == [7, 0]
    assert recordings.skipped == {} and not recwarn.list


def broken_files() -> dict[str, bytes]:
    def wav(samples, rate=RATE) -> bytes:
        target = io.BytesIO()
        wavfile.write(target, rate, samples)
        return target.getvalue()

    good = wav(np.int16(10000 * tone()))
    return {
        "no WAV file": b"this is text" * 20,
        "empty": b"",
        "header only": good[:30],
        "no samples": wav(np.zeros(0, np.int16)),
        "nothing but silence": wav(np.zeros(100, np.int16)),
        "not finite": wav(np.array([0.1, np.nan, 0.2], np.float32)),
    }


def test_what_there_is_of_a_file_cut_short_is_read(tmp_path):
    """A recorder that was killed, or a pipe, never wrote how long the sound is."""
    target = io.BytesIO()
    wavfile.write(target, RATE, np.int16(10000 * (-1) ** np.arange(2000)))
    (tmp_path / "a.wav").write_bytes(target.getvalue()[:1044])
    assert len(read_wav(tmp_path / "a.wav")) == 500


def test_channels_that_cancel_are_not_silence(tmp_path):
    wave = np.int16(10000 * tone())
    wavfile.write(tmp_path / "a.wav", RATE, np.stack([wave, -wave], axis=1))
    wavfile.write(tmp_path / "b.wav", RATE, wave)
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav"), read_wav(tmp_path / "b.wav"))


@pytest.mark.parametrize("kind", broken_files())
def test_a_broken_file_is_named_skipped_and_counted(folder, kind):
    (folder / "3_theo_1.wav").write_bytes(broken_files()[kind])
    with pytest.warns(UserWarning, match=r"skipped 1 of 3 files.*3_theo_1\.wav: it "):
        recordings = load_recordings(folder)
    assert len(recordings) == 2 and list(recordings.skipped) == ["3_theo_1.wav"]


@pytest.mark.parametrize("name", ["jackson_7_0.wav", "12_jackson_0.wav", "7_jackson.wav", "7_jack_son_0.wav", "7.wav"])
def test_a_badly_named_file_is_skipped(folder, name):
    shutil.copy(folder / "7_jackson_0.wav", folder / name)
    with pytest.warns(UserWarning, match="skipped 1 of 3 files.*its name is not digit_speaker_index"):
        assert len(load_recordings(folder)) == 2


def test_nothing_to_load_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no recording that can be used, of 0"):
        load_recordings(tmp_path)
    (tmp_path / "7_jackson_0.wav").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"of 1 .wav files.*7_jackson_0.wav: it is .*not a WAV file"):
        load_recordings(tmp_path)
    with pytest.raises(NotADirectoryError, match="no folder"):
        load_recordings(tmp_path / "nowhere")


def test_shipped_digits_hold_every_voice_on_one_side_only():
    digits = load_spoken_digits()
    voices = [set(part.speakers) for part in digits]
    assert [len(each) for each in voices[1:]] == [8, 16]
    assert sum(map(len, voices)) == len(set.union(*voices))
    for part in digits:
        assert part.labels.bincount().tolist() == [3 * len(set(part.speakers))] * 10  # three takes of each digit
        assert part.waves.abs().amax(dim=(1, 2)).min() > 0.9 and part.waves.abs().max() <= 1
    waves = torch.cat([part.waves for part in digits])
    assert len(waves.flatten(1).unique(dim=0)) == len(waves)  # nothing is there twice


def test_damaged_or_missing_archive(tmp_path):
    with pytest.raises(DataError, match="git checkout -- data"):
        load_spoken_digits(tmp_path)
    path = tmp_path / sound.ARCHIVE
    path.parent.mkdir()
    whole = (data_root() / sound.ARCHIVE).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="git checkout -- data"):
        load_spoken_digits(tmp_path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train/7_voice_0.wav", b"no sound")
    with pytest.raises(DataError, match="recordings are missing"):
        load_spoken_digits(tmp_path)


def test_a_changed_byte_in_the_archive_is_noticed(tmp_path):
    content = bytearray((data_root() / sound.ARCHIVE).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / sound.ARCHIVE).parent.mkdir()
    (tmp_path / sound.ARCHIVE).write_bytes(content)
    with pytest.raises(DataError, match="git checkout -- data"):
        load_spoken_digits(tmp_path)
