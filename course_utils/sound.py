"""Spoken digits: recordings read from WAV files, brought to one rate and one length."""

import io
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from scipy.signal import resample_poly
from torch.utils.data import TensorDataset

from course_utils import wav
from course_utils.data import DataError, data_root, read_shipped, restored_by_git
from course_utils.speech import LENGTH, RATE, SHORTEST, framed, spoken_second, trimmed

CANCELLED = 0.01  # of the loudest channel's power: what is left of a mixture whose channels cancel each other
LARGEST_RATIO = 50_000  # every rate up to 50 kHz is kept; above it by a thousandth of a percent
ARCHIVE = Path("spoken_digits", "spoken_digits.zip")
SPLITS = ("train", "validation", "test")
NAME = re.compile(r"(\d)_([^_]+)_(\d+)\.wav", re.IGNORECASE)  # that dataset's names, for example 7_jackson_32.wav


class Recordings(TensorDataset):
    """Spoken digits: `recordings[i]` is a wave (1, LENGTH), float32, -1..1, and its label, int64.

    A list of indices gives a batch, (B, 1, LENGTH) and (B,). `speakers` has one name for each wave; `skipped` says,
    by file name, why a file is not among them.
    """

    def __init__(self, waves: torch.Tensor, labels: torch.Tensor, speakers: list[str], skipped: dict[str, str]):
        super().__init__(waves, labels)
        self.waves, self.labels, self.speakers, self.skipped = waves, labels, speakers, skipped


class SpokenDigits(NamedTuple):
    """The digits spoken by espeak-ng, split by voice: no voice is in two of them."""

    train: Recordings
    validation: Recordings
    test: Recordings


def load_spoken_digits(root: str | os.PathLike | None = None) -> SpokenDigits:
    """The recordings in `root`/spoken_digits (the repository's data folder if `root` is None).

    Raises `DataError` if the archive is missing or damaged.
    """
    path = (data_root() if root is None else Path(root)) / ARCHIVE
    content = read_shipped(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [Path(name) for name in archive.namelist()]
            parts = [
                _recordings(
                    ((name.name, archive.open(name.as_posix())) for name in names if name.parent.name == split),
                    lambda file: framed(read_wav(file)),
                )
                for split in SPLITS
            ]
    except (zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise DataError(f"{path} is damaged: {error}.\n{restored_by_git(path)}") from error
    if not all(parts) or any(part.skipped for part in parts):
        raise DataError(f"{path} is damaged: recordings are missing.\n{restored_by_git(path)}")
    return SpokenDigits(*parts)


def load_recordings(folder: str | os.PathLike) -> Recordings:
    """Every `{digit}_{speaker}_{index}.wav` in `folder`, the layout of the Free Spoken Digit Dataset.

    Other rates are resampled to 8 kHz and several channels mixed to one. The spoken word is found and brought to the
    middle of a second, cleared of offset, hum and noise; a warning says where something spoken may have been cut. A
    file with another name, or that can't be read, is skipped; a warning names all of those and says how many. Raises
    `NotADirectoryError` if there is no such folder, `ValueError` if nothing in it can be used.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise NotADirectoryError(f"there is no folder {folder}; expected one with files such as 7_jackson_32.wav")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".wav")
    remarks = {}

    def spoken(path: Path) -> np.ndarray:
        wave = _read(path)
        if len(wave) < SHORTEST:
            raise ValueError(f"it lasts {len(wave) / RATE:.2f} s, which is no word")
        found, remark = spoken_second(wave)
        if remark:
            remarks[path.name] = remark
        return found.astype(np.float32)

    recordings = _recordings(((path.name, path) for path in paths), spoken)
    reasons = "; ".join(f"{name}: {why}" for name, why in recordings.skipped.items())
    if not len(recordings):
        raise ValueError(
            f"{folder} holds no recording that can be used, of {len(paths)} .wav files. Expected names such as "
            f"7_jackson_32.wav: digit, speaker, index. {reasons}".strip()
        )
    if reasons:
        warnings.warn(f"skipped {len(recordings.skipped)} of {len(paths)} files. {reasons}", stacklevel=2)
    if remarks:
        warnings.warn("; ".join(f"{name}: {remark}" for name, remark in remarks.items()), stacklevel=2)
    return recordings


def _recordings(files: Iterable[tuple[str, Any]], wave_of: Callable[[Any], np.ndarray]) -> Recordings:
    """What `wave_of` makes of the named files. A file that can't be used is put down under `skipped`."""
    waves, labels, speakers, skipped = [], [], [], {}
    for name, file in files:
        if not (parts := NAME.fullmatch(name)):
            skipped[name] = "its name is not digit_speaker_index.wav"
            continue
        try:
            wave = wave_of(file)
        except (ValueError, OSError) as error:
            skipped[name] = getattr(error, "strerror", None) or str(error)
            continue
        waves.append(wave)
        labels.append(int(parts[1]))
        speakers.append(parts[2])
    stacked = np.stack(waves) if waves else np.empty((0, LENGTH), np.float32)
    return Recordings(
        torch.from_numpy(stacked).unsqueeze(1), torch.tensor(labels, dtype=torch.int64), speakers, skipped
    )


def read_wav(file: str | os.PathLike | IO[bytes]) -> np.ndarray:
    """The speech in a WAV file: (T,), float32, 8,000 samples a second, one channel, the largest amplitude 1.

    What is quieter than 2 % of the loudest sample at either end is cut off. Reads what `wav.read` does. Raises
    `ValueError`, saying why, for a file that is damaged, empty or silent, and `OSError` for one that can't be opened.
    """
    wave = _read(file)
    return trimmed(wave / np.abs(wave).max()).astype(np.float32)


def _read(file: str | os.PathLike | IO[bytes]) -> np.ndarray:
    """One channel at 8,000 samples a second, whole: (T,), float64."""
    rate, samples = wav.read(file)
    if not np.isfinite(samples).all():
        raise ValueError("it holds samples that are not finite numbers")
    if not np.ptp(samples, axis=0).any():
        raise ValueError("it holds nothing but silence")
    # By a power of two, which rounds nothing: floating point may be of any size, and its square too large.
    samples = np.ldexp(samples, -np.frexp(np.abs(samples).max())[1])
    return at_rate(one_channel(samples), rate)


def one_channel(samples: np.ndarray) -> np.ndarray:
    """The mean over the channels of samples (T, channels), or the loudest one where they cancel each other: (T,)."""
    mixed, power = samples.mean(axis=1), samples.var(axis=0)  # an offset is no sound
    return samples[:, power.argmax()] if mixed.var() < CANCELLED * power.max() else mixed


def at_rate(wave: np.ndarray, rate: int) -> np.ndarray:
    """`wave` (T,), with `rate` samples a second, at 8,000 a second; frequencies above 4 kHz are filtered out.

    A rate that shares few factors with 8,000 is taken for one nearby: the filter would have millions of weights.
    """
    ratio = Fraction(RATE, rate).limit_denominator(LARGEST_RATIO)
    return wave if rate == RATE else resample_poly(wave, ratio.numerator, ratio.denominator)
