"""The word in a recording: found among silence, noise and clicks, cleared of what is there when nobody speaks."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import median_filter
from scipy.signal import butter, istft, sosfiltfilt, stft

RATE = 8000  # samples a second, as on the telephone and in the Free Spoken Digit Dataset
LENGTH = 8000  # samples that every wave is brought to: one second
QUIET = 0.02  # of the largest amplitude: what is below it at either end of a clear recording is not speech
SHORTEST = 400  # samples: 50 ms are no word

FRAME = 80  # samples, 10 ms: the step in which loudness is measured, each time over two of them
CLICK = 11  # frames, of which a sound must fill more than half: a click doesn't
SPEECH_HERTZ = 80  # below it is hum and rumble
DEEPEST = 40  # decibels below the loudest frame: what is quieter is as good as silent
STANDS_OUT = 6, 0.3  # a word is above the noise by so many decibels, and by this part of the way to the loudest frame
PAUSE = 20  # frames: two sounds with less between them are one word, since t and k are silent while they are held
MARGIN = 800  # samples, 0.1 s: soft beginnings and ends of a word, on either side of what stands out
SECOND_SOUND = 0.05  # of the word's energy: another sound that has more than this may be the word
SPECTRUM = 256  # samples of a spectrum, 32 ms
SUBTRACTED = 3  # times the noise's power is taken off: its power varies, and what is left of it would ring


class Spoken(NamedTuple):
    """`wave` (LENGTH,), the largest amplitude 1; `remark` says in words what may be wrong with it, or is empty."""

    wave: np.ndarray
    remark: str


class Segment(NamedTuple):
    """A sound that stands out: its first sample and the one after its last, and its energy."""

    start: int
    end: int
    energy: float


def spoken_second(wave: np.ndarray) -> Spoken:
    """The word in `wave` (T,), in the middle of a second, with zeros around it.

    Offset, drift, hum and noise are estimated where nobody speaks, and taken off. Of several sounds the one with most
    energy is the word. `wave` has at least `SHORTEST` samples and isn't silent.
    """
    segments = _segments(_loudness(wave))
    if not segments:
        cut = "no word stands out from the noise: the middle second was kept" if len(wave) > LENGTH else ""
        return Spoken(_full_scale(framed(wave - np.median(wave))), cut)
    word = max(segments, key=lambda segment: segment.energy)
    quiet = _quiet(len(wave), segments)
    clear = _without_noise(wave - _baseline(wave, quiet), quiet)[word.start : word.end]
    clear = trimmed(_full_scale(clear))
    return Spoken(framed(clear), _remark(segments, word, len(clear)))


def _remark(segments: list[Segment], word: Segment, length: int) -> str:
    if any(SECOND_SOUND * word.energy < other.energy < word.energy for other in segments):
        begin, end = word.start / RATE, word.end / RATE
        return f"there is more than one sound: the one from {begin:.1f} to {end:.1f} s was kept"
    if length > LENGTH:
        return f"{length / RATE:.1f} s are spoken without a pause: the middle second was kept"
    return ""


def _loudness(wave: np.ndarray) -> np.ndarray:
    """Decibels in each frame of `wave`, without clicks."""
    power = np.convolve(highpassed(wave) ** 2, np.full(2 * FRAME, 0.5 / FRAME), "same")[FRAME // 2 :: FRAME]
    loudness = 10 * np.log10(power + 1e-12)
    # Beyond its ends a recording is as quiet as it gets: a click there, mirrored, would pass for a longer sound.
    return median_filter(loudness, CLICK, mode="constant", cval=loudness.min())


def highpassed(waves: np.ndarray) -> np.ndarray:
    """`waves` (T, …) without what is below the pitch of a voice."""
    return sosfiltfilt(butter(4, SPEECH_HERTZ, "highpass", fs=RATE, output="sos"), waves, axis=0)


def _segments(loudness: np.ndarray) -> list[Segment]:
    """The sounds that stand out, with their margins; none where everything is about as loud."""
    top = loudness.max()
    floor = max(np.percentile(loudness, 10), top - DEEPEST)
    least, share = STANDS_OUT
    loud = loudness > floor + max(least, share * (top - floor))
    edges = np.flatnonzero(np.diff(loud, prepend=False, append=False)).reshape(-1, 2)
    pauses = np.flatnonzero(edges[1:, 0] - edges[:-1, 1] >= PAUSE)
    groups = np.split(edges, pauses + 1) if len(edges) else []
    energies = [10 ** (loudness[group[0, 0] : group[-1, 1]] / 10) for group in groups]
    return [
        Segment(max(0, group[0, 0] * FRAME - MARGIN), group[-1, 1] * FRAME + MARGIN, energy.sum())
        for group, energy in zip(groups, energies, strict=True)
    ]


def _quiet(length: int, segments: list[Segment]) -> np.ndarray:
    """Where nobody speaks: (length,), bool."""
    quiet = np.ones(length, bool)
    for segment in segments:
        quiet[segment.start : segment.end] = False
    return quiet


def _baseline(wave: np.ndarray, quiet: np.ndarray) -> np.ndarray:
    """The offset at each sample: the median of each pause, and on the way from one pause to the next between both."""
    pauses = np.split(np.arange(len(wave)), np.flatnonzero(np.diff(quiet)) + 1)
    pauses = [pause for pause in pauses if quiet[pause[0]]]
    if not pauses:
        return np.zeros(len(wave))
    return np.interp(np.arange(len(wave)), [p.mean() for p in pauses], [np.median(wave[p]) for p in pauses])


def _without_noise(wave: np.ndarray, quiet: np.ndarray) -> np.ndarray:
    """`wave` with the spectrum of its pauses taken off (power spectral subtraction, Boll 1979)."""
    _, seconds, spectra = stft(wave, RATE, nperseg=SPECTRUM)
    pauses = quiet[np.minimum(seconds * RATE, len(wave) - 1).astype(int)]
    if not pauses.any():
        return wave
    power = np.abs(spectra) ** 2
    noise = SUBTRACTED * np.median(power[:, pauses], axis=1, keepdims=True)
    kept = np.sqrt(np.maximum(1 - noise / np.maximum(power, noise + 1e-20), 0))
    return istft(spectra * kept, RATE, nperseg=SPECTRUM)[1][: len(wave)]


def _full_scale(wave: np.ndarray) -> np.ndarray:
    return wave / max(np.abs(wave).max(), np.finfo(np.float64).tiny)


def trimmed(wave: np.ndarray) -> np.ndarray:
    """`wave` (T,) without what is quieter than 2 % of its loudest sample at either end."""
    loud = np.flatnonzero(np.abs(wave) >= QUIET * np.abs(wave).max())
    return wave[loud[0] : loud[-1] + 1]


def framed(wave: np.ndarray, length: int = LENGTH) -> np.ndarray:
    """`wave` (T,) in the middle of `length` samples: zeros on both sides, or cut off evenly if it is longer."""
    spare = length - len(wave)
    if spare < 0:
        return wave[-spare // 2 :][:length]
    return np.pad(wave, (spare // 2, spare - spare // 2))
