"""Ink told from paper: uneven light, light ink on dark, ruled and squared paper.

Everything is found by comparing a pixel with its surroundings, so that no setting depends on the light or the pen.
"""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

SMALL = 48  # pixels of the longer side of the copy on which the first guess of the paper is made
DESK = 0.3  # of the paper's brightness: what is darker, wide and at the picture's edge is no paper
AROUND = 0.4  # of the picture's edge: a desk takes up more, ink that touches it less
CLEAR = 0.09  # of the picture's shorter side: on paper a disc of this radius holds no ink
FAINT = 0.05  # of the paper's brightness: ink that stands out less is not seen
NOISE = 4.0  # ink stands out by so many standard deviations of the paper's grain
SLOPES = np.linspace(-0.12, 0.12, 97)  # of the paper's lines: up to 7 degrees from level or upright
COVERED = 0.45  # of the picture's width (or height): a line of the paper is at least as long
THIN = 0.012  # of the picture's side: a line of the paper is at most as thick


class NoInk(ValueError):
    """Nothing stands out from the paper; the message says what was seen."""


class Drawn(NamedTuple):
    """What stands out from the paper.

    `ink` (H, W), float32, is 0 for paper and for the lines printed on it, up to 1 for ink; what is below `lowest` may
    be the paper's grain. `ruling` (H, W), bool, is True where printed lines were taken out.
    """

    ink: np.ndarray
    ruling: np.ndarray
    lowest: float


def on_paper(grey: np.ndarray) -> Drawn:
    """The ink in a picture, from its brightness (H, W) in 0..1. Raises `NoInk`."""
    grey = _without_desk(grey)
    smooth = ndimage.gaussian_filter(grey, 0.0005 * sum(grey.shape))
    rough = smooth - _paper_by_median(smooth)
    is_light = (np.maximum(rough, 0) ** 2).sum() > (np.minimum(rough, 0) ** 2).sum()
    dark_on_light = 1 - smooth if is_light else smooth
    standing_out = np.maximum(rough if is_light else -rough, 0)
    paper = _paper_by_closing(dark_on_light, standing_out)
    darkest = max(0.05, DESK * np.percentile(paper, 90))  # on a desk's black, grain would stand out
    darkness = (paper - dark_on_light) / np.maximum(paper, darkest)
    darkness -= np.median(darkness)
    grain = 1.4826 * float(np.median(np.abs(darkness)))  # standard deviation, by the median, which ink hardly moves
    lowest = max(FAINT, NOISE * grain)
    if np.count_nonzero(darkness > lowest) < 4:
        raise NoInk("nothing stands out from the paper")
    ruling = _ruling(darkness, lowest)
    darkness[ruling] = 0
    return Drawn(np.clip(darkness, 0, 1).astype(np.float32), ruling, lowest)


def _without_desk(grey: np.ndarray) -> np.ndarray:
    """The picture (H, W) with a dark desk around light paper, if there is one, as bright as the paper beside it."""
    small = _smaller(grey, 4 * SMALL)
    bright = np.percentile(small, 90)
    dark = small < DESK * bright
    clear = ndimage.distance_transform_edt(np.pad(~dark, 1))
    if _edge(dark).mean() < AROUND or clear.max() < CLEAR * min(small.shape) or dark.mean() > 0.7:
        return grey
    wide = ndimage.binary_opening(np.pad(dark, 3, mode="edge"), iterations=3)[3:-3, 3:-3]
    labels, _ = ndimage.label(wide)
    desk = np.isin(labels, np.setdiff1d(_edge(labels), 0))
    lit = small < 1.4 * DESK * bright  # where the light falls on it
    desk = ndimage.binary_dilation(ndimage.binary_propagation(desk, mask=lit | desk), iterations=5)
    if desk.all():
        return grey
    _, (rows, columns) = ndimage.distance_transform_edt(desk, return_indices=True)
    filled = ndimage.median_filter(small, 9)[rows, columns]
    share, paper = (_larger(levels, grey.shape) for levels in (desk.astype(np.float32), filled))
    return np.where(share > 0.5, paper, grey)


def _edge(picture: np.ndarray) -> np.ndarray:
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def _smaller(grey: np.ndarray, longest: int) -> np.ndarray:
    height, width = grey.shape
    factor = min(1.0, longest / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))


def _larger(small: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def _paper_by_median(grey: np.ndarray) -> np.ndarray:
    """Brightness of the paper (H, W), by the median of a fifth of the side: right for light ink and for dark."""
    small = _smaller(grey, SMALL)
    return _larger(ndimage.median_filter(small, size=max(3, max(small.shape) // 5), mode="nearest"), grey.shape)


def _paper_by_closing(grey: np.ndarray, standing_out: np.ndarray) -> np.ndarray:
    """Brightness of the paper (H, W) under dark ink: what is dark and narrow is filled, so that shadows stay sharp."""
    ink = standing_out > 0.5 * np.percentile(standing_out, 99.5)
    strokes = _off_the_edge(ink)
    half_width = np.percentile(ndimage.distance_transform_edt(ink)[strokes], 95) if strokes.any() else 1
    side = max(grey.shape)
    size = int(np.clip(5 * half_width, 0.02 * side, 0.25 * side)) | 1
    closed = ndimage.grey_closing(grey, size=(size, size))
    return ndimage.uniform_filter(closed, max(3, size // 4))


def _off_the_edge(mask: np.ndarray) -> np.ndarray:
    """The pieces that don't touch the picture's edge, as a desk around the paper does; all, if all touch it."""
    labels, _ = ndimage.label(mask)
    inner = mask & ~np.isin(labels, _edge(labels))
    return inner if inner.any() else mask


# --- ruled and squared paper --------------------------------------------------------------------------------------


def _ruling(darkness: np.ndarray, lowest: float) -> np.ndarray:
    """Where (H, W) the paper's own lines are, but for the ink that crosses them."""
    level = _bands(darkness, lowest)
    upright = _bands(darkness.T, lowest).T
    if not (level.any() or upright.any()):
        return np.zeros(darkness.shape, dtype=bool)
    printed = np.maximum(level, upright)
    drawn = darkness > lowest
    beside = drawn & (printed == 0)  # ink, without a doubt
    reach = 2 * _thickest(darkness.shape) + 1
    crossed = (level > 0) & _between(beside, reach) | (upright > 0) & _between(beside.T, reach).T
    return (printed > 0) & ~crossed & (darkness < 1.7 * printed + lowest)


def _thickest(shape: tuple[int, ...]) -> int:
    return max(2, round(THIN * max(shape)))


def _between(ink: np.ndarray, reach: int) -> np.ndarray:
    """Pixels with ink both above and below within `reach`."""
    above = ndimage.maximum_filter1d(ink, reach, axis=0, origin=reach // 2)
    below = ndimage.maximum_filter1d(ink, reach, axis=0, origin=-(reach // 2))
    return above & below


def _bands(darkness: np.ndarray, lowest: float) -> np.ndarray:
    """Lines that run across the whole picture, nearly level: their darkness (H, W), 0 where none is."""
    height, width = darkness.shape
    bands = np.zeros_like(darkness)
    for start, slope in _lines(darkness, lowest):
        rows = np.rint(start + slope * (np.arange(width) - width / 2)).astype(int)
        thickness, dark = _profile(darkness, rows)
        if thickness > _thickest(darkness.shape):
            continue
        half = math.ceil(thickness / 2) + 1
        for offset in range(-half, half + 1):
            inside = (rows + offset >= 0) & (rows + offset < height)
            places = rows[inside] + offset, np.flatnonzero(inside)
            bands[places] = np.maximum(bands[places], dark)
    return bands


def _lines(darkness: np.ndarray, lowest: float) -> list[tuple[float, float]]:
    """Rows at the picture's middle and slopes of thin dark lines, by a Hough transform of columns' crests."""
    height, width = darkness.shape
    crest = (darkness > lowest / 2) & (darkness == ndimage.maximum_filter1d(darkness, 5, axis=0))
    y, x = np.nonzero(crest)
    margin = math.ceil(np.abs(SLOPES).max() * width / 2) + 2
    votes = np.empty((len(SLOPES), height + 2 * margin))
    for index, slope in enumerate(SLOPES):
        rows = np.rint(y - slope * (x - width / 2)).astype(int) + margin
        votes[index] = np.bincount(rows, minlength=height + 2 * margin)
    votes = ndimage.uniform_filter1d(votes, 3, axis=1) * 3 / width
    peaks = (votes >= COVERED) & (votes == ndimage.maximum_filter(votes, (25, 9)))
    return [(row - margin, SLOPES[index]) for index, row in zip(*np.nonzero(peaks), strict=True)]


def _profile(darkness: np.ndarray, rows: np.ndarray) -> tuple[int, float]:
    """How thick a line is, in pixels, and how dark, by the median across its length."""
    height, width = darkness.shape
    offsets = np.arange(-2 * _thickest(darkness.shape), 2 * _thickest(darkness.shape) + 1)
    across = np.clip(rows[None] + offsets[:, None], 0, height - 1)
    profile = np.median(darkness[across, np.arange(width)], axis=1)
    near = profile[len(offsets) // 2 - 2 : len(offsets) // 2 + 3]
    return int(np.count_nonzero(profile > near.max() / 2)), float(near.max())
