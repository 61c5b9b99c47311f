"""Ink sorted into digits: pieces that belong together are joined, specks dropped, lines put in reading order."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from course_utils.ink import NoInk

MOST = 300  # digits on a page
FAINTEST = 0.3  # of the typical ink: what is fainter is a shadow, or shines through from the other side
EDGE = 0.45  # of a piece's own ink: where it begins
PEN = 0.10  # of a digit's longer side: a thinner pen is drawn as thick, as MNIST's are
SPECK = 0.3  # of the typical height: what is smaller in both directions is no digit
PART = 0.7  # of the typical height: what is lower may be a part of a digit
SMALLEST = 0.075  # of the typical height: what is smaller is no part either
GAP = 0.15  # of the typical height: parts of one digit lie nearer to each other
FLAT = 0.25  # of its width: what is lower is a dash or a rest of ruling
WIDE = 1.3  # of the typical height and its own: what is wider may be more than one digit
SAME_LINE = 0.4  # of the lower one's height: neighbours on a line overlap by more
TOUCHES = np.ones((3, 3))  # pixels that touch at a corner belong together


class TooMany(ValueError):
    """More pieces than a page of digits has; the message says how many."""


@dataclass
class Piece:
    """Ink that belongs together: its box, (rows, columns) of the picture, and where in it ink is, (h, w) bool."""

    box: tuple[slice, slice]
    mask: np.ndarray

    @property
    def height(self) -> int:
        return self.mask.shape[0]

    @property
    def width(self) -> int:
        return self.mask.shape[1]

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.mask))

    @property
    def is_flat(self) -> bool:
        return self.height < FLAT * self.width

    def overlap(self, other: "Piece") -> float:
        """How far the two stand on one level: rows in common, as a share of the lower one's height."""
        (mine, _), (its, _) = self.box, other.box
        return (min(mine.stop, its.stop) - max(mine.start, its.start)) / min(self.height, other.height)


class Found(NamedTuple):
    """Pieces in reading order, the line of each from 0, and remarks about what may be wrong."""

    pieces: list[Piece]
    line: list[int]
    remarks: list[str]


def digits(ink: np.ndarray, lowest: float) -> Found:
    """The digits in `ink` (H, W), 0 for paper and grain below `lowest`. Raises `NoInk` and `TooMany`."""
    whole = _joined(_pieces(_mask(ink, lowest)))
    if not whole:
        raise NoInk("what stands out from the paper is too small or too flat for a digit")
    if len(whole) > MOST:
        raise TooMany(f"there are {len(whole)} pieces of ink in it")
    widest = WIDE * _typical_height(whole)
    parted = [_parted(piece, widest) for piece in whole]
    lines = _lines([part for parts in parted for part in parts])
    ordered = [piece for line in lines for piece in line]
    return Found(ordered, [index for index, line in enumerate(lines) for _ in line], _remarks(ordered, parted, widest))


def _remarks(ordered: list[Piece], parted: list[list[Piece]], widest: float) -> list[str]:
    numbers = {id(piece): number for number, piece in enumerate(ordered, start=1)}
    cut = [" and ".join(str(numbers[id(part)]) for part in parts) for parts in parted if len(parts) > 1]
    wide = [str(numbers[id(piece)]) for piece in ordered if _is_wide(piece, widest)]
    remarks = [f"digits {those} touched and were cut apart" for those in cut]
    return remarks + [f"digit {number} may be two that touch: leave room between them" for number in wide]


# --- pieces -------------------------------------------------------------------------------------------------------


def _mask(ink: np.ndarray, lowest: float) -> np.ndarray:
    """Where ink is (H, W), bool: for each piece above a share of its own darkness, faint and dark pens alike."""
    strong = ink[ink > lowest]
    if len(strong) < 4:
        raise NoInk("nothing stands out from the paper but its own lines")
    typical = np.percentile(strong, 75)
    labels, count = ndimage.label(ink > max(lowest, FAINTEST * typical), TOUCHES)
    level = np.concatenate([[np.inf], ndimage.maximum(ink, labels, range(1, count + 1))])
    level[level < max(1.5 * lowest, 1.2 * FAINTEST * typical)] = np.inf
    return ink > EDGE * level[labels]


def _pieces(mask: np.ndarray) -> list[Piece]:
    labels, _ = ndimage.label(mask, TOUCHES)
    boxes = ndimage.find_objects(labels)
    smallest = max(2.0, 0.004 * max(mask.shape))  # pixels: a guess, before the typical digit is known
    return [
        Piece(box, labels[box] == number)
        for number, box in enumerate(boxes, start=1)
        if max(side.stop - side.start for side in box) >= smallest
    ]


def _typical_height(pieces: list[Piece]) -> float:
    """The median, each piece weighing what its box measures: specks, of which there may be many, weigh little."""
    heights = np.array([piece.height for piece in pieces])
    weights = np.array([piece.height * piece.width for piece in pieces])
    order = heights.argsort()
    total = weights[order].cumsum()
    return float(heights[order][np.searchsorted(total, total[-1] / 2)])


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Whole digits: parts joined, and what is too small or flat for a digit left out."""
    upright = [piece for piece in pieces if not piece.is_flat]
    if not upright:
        return []
    typical = _typical_height(upright)
    pieces = [piece for piece in pieces if piece.height <= 3 * typical and piece.width <= 6 * typical]
    pieces = [piece for piece in pieces if max(piece.height, piece.width) >= SMALLEST * typical]
    if len(pieces) > 5 * MOST:  # each would be compared with all others
        raise TooMany(f"there are {len(pieces)} pieces of ink in it")
    pieces = sorted(pieces, key=lambda piece: piece.area)
    whole = []
    while pieces:
        part = pieces.pop(0)
        partner = _partner(part, pieces, typical)
        if partner is not None:
            pieces[pieces.index(partner)] = _together(part, partner)
        elif max(part.height, part.width) >= SPECK * typical and not part.is_flat:
            whole.append(part)
    return whole


def _partner(part: Piece, others: list[Piece], typical: float) -> Piece | None:
    """The nearest larger piece that `part` can be a part of."""
    if part.height > PART * typical:
        return None
    near = [(_gap(part, other), index) for index, other in enumerate(others) if _fits(part, other, typical)]
    gap, index = min(near, default=(math.inf, 0))
    return others[index] if gap <= GAP * typical else None


def _fits(part: Piece, other: Piece, typical: float) -> bool:
    """Could the two be one digit? Near, not too large together, and one above the other, if in part."""
    (top, bottom), (left, right) = _hull(part, other)
    (_, mine), (_, its) = part.box, other.box
    aligned = min(mine.stop, its.stop) - max(mine.start, its.start) >= -GAP * typical / 2
    is_small = bottom - top <= 1.3 * max(typical, other.height) and right - left <= 1.2 * max(typical, other.width)
    return is_small and aligned and _box_gap(part, other) <= GAP * typical


def _hull(one: Piece, other: Piece) -> list[tuple[int, int]]:
    return [(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one.box, other.box, strict=True)]


def _box_gap(one: Piece, other: Piece) -> float:
    return max(max(a.start, b.start) - min(a.stop, b.stop) for a, b in zip(one.box, other.box, strict=True))


def _gap(one: Piece, other: Piece) -> float:
    """Pixels from the ink of one to that of the other."""
    both = _together(one, other)
    return float(ndimage.distance_transform_edt(~_placed(one, both.box))[_placed(other, both.box)].min())


def _placed(piece: Piece, box: tuple[slice, slice]) -> np.ndarray:
    """The piece's mask in a larger box."""
    mask = np.zeros([side.stop - side.start for side in box], dtype=bool)
    inside = tuple(
        slice(its.start - side.start, its.stop - side.start) for its, side in zip(piece.box, box, strict=True)
    )
    mask[inside] = piece.mask
    return mask


def _together(one: Piece, other: Piece) -> Piece:
    rows, columns = (slice(*side) for side in _hull(one, other))
    return Piece((rows, columns), _placed(one, (rows, columns)) | _placed(other, (rows, columns)))


def _is_wide(piece: Piece, widest: float) -> bool:
    return piece.width > max(widest, WIDE * piece.height)


def _parted(piece: Piece, widest: float) -> list[Piece]:
    """A piece that is wider than a digit, cut where the least ink is, if that is a stroke's worth."""
    if not _is_wide(piece, widest):
        return [piece]
    height, width = piece.mask.shape
    middle = slice(round(0.25 * width), round(0.75 * width))
    ink = piece.mask.sum(axis=0)
    column = middle.start + int(ink[middle].argmin())
    if ink[column] > 0.35 * height:
        return [piece]
    left, right = _cropped(piece, 0, column), _cropped(piece, column, width)
    return [*_parted(left, widest), *_parted(right, widest)]


def _cropped(piece: Piece, start: int, stop: int) -> Piece:
    """The columns from `start` to `stop` of a piece, in a box that fits."""
    mask = piece.mask[:, start:stop]
    (rows, columns) = ndimage.find_objects(mask.astype(int))[0]
    top, left = piece.box[0].start, piece.box[1].start + start
    box = slice(top + rows.start, top + rows.stop), slice(left + columns.start, left + columns.stop)
    return Piece(box, mask[rows, columns])


def drawing(mask: np.ndarray) -> np.ndarray:
    """Ink (h, w) as float32, 0 or 1, thickened where the pen was thinner than in MNIST's digits."""
    inside = ndimage.distance_transform_edt(np.pad(mask, 1))
    pen = 2 * np.percentile(inside[inside > 0], 90)
    missing = (PEN * max(mask.shape) - pen) / 2
    if missing <= 0:
        return mask.astype(np.float32)
    outside = ndimage.distance_transform_edt(~np.pad(mask, math.ceil(missing)))
    return (outside <= missing).astype(np.float32)


# --- lines --------------------------------------------------------------------------------------------------------


def _lines(pieces: list[Piece]) -> list[list[Piece]]:
    """Lines from the top down, each from left to right; a line may climb or fall slowly."""
    lines: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: piece.box[1].start):
        level = [(piece.overlap(line[-1]), index) for index, line in enumerate(lines)]
        overlap, index = max(level, default=(0, 0))
        if overlap >= SAME_LINE:
            lines[index].append(piece)
        else:
            lines.append([piece])
    slope = _slope(lines)
    return sorted(lines, key=lambda line: np.mean([_centre(piece)[0] - slope * _centre(piece)[1] for piece in line]))


def _centre(piece: Piece) -> tuple[float, float]:
    rows, columns = piece.box
    return (rows.start + rows.stop) / 2, (columns.start + columns.stop) / 2


def _slope(lines: list[list[Piece]]) -> float:
    """Rows for a column by which the lines fall, by the median of all neighbours."""
    steps = [np.subtract(_centre(b), _centre(a)) for line in lines for a, b in pairwise(line)]
    slopes = [down / right for down, right in steps if right > 0]
    return float(np.median(slopes)) if slopes else 0.0
