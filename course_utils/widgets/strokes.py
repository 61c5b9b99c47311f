"""Strokes of a pen turned into pixels, and pixels brought into the form that MNIST's digits have.

A stroke is a list of points (x, y) in units of the pad's side: (0, 0) is its upper left corner, (1, 1) its lower right
one. A drawing is a list of strokes.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

SIZE = 28  # pixels of an MNIST image's side
BOX = 20  # pixels of the box that a digit's longer side fills
CENTRE = 14  # the pixel, counted from 0, on which a digit's centre of mass lies
FINE = 10 * SIZE  # pixels of the black-and-white picture's side
PIXEL_CENTRES = np.arange(FINE) + 0.5
PEN_WIDTH = 0.09  # of the pad's side: 2.5 pixels of 28

Strokes = list[list[list[float]]]


def check_strokes(strokes: Sequence) -> Strokes:
    """The drawing as plain lists of floats, without strokes that have no point.

    Raises `TypeError` for what is not a list of strokes of points, `ValueError` for a point that has no two finite
    coordinates.
    """
    if not _is_list(strokes) or not all(_is_list(stroke) for stroke in strokes):
        raise TypeError(
            f"expected a list of strokes, each a list of points (x, y), got {strokes!r:.80}. "
            "One straight line is [[(0.5, 0.1), (0.5, 0.9)]]"
        )
    return [[_check_point(point) for point in stroke] for stroke in strokes if len(stroke)]


def _check_point(point: Sequence) -> list[float]:
    if not _is_list(point) or len(point) != 2:
        raise TypeError(f"expected a point (x, y), got {point!r:.80}. A drawing is a list of lists of points")
    try:
        x, y = (float(coordinate) for coordinate in point)
    except (TypeError, ValueError):
        raise TypeError(f"expected a point of two numbers, got {point!r:.80}") from None
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError(f"a point must have two finite coordinates, from 0 to 1 on the pad; got ({x}, {y})")
    return [x, y]


def _is_list(value) -> bool:
    return isinstance(value, (Sequence, np.ndarray, Tensor)) and not isinstance(value, (str, bytes))


def draw(strokes: Sequence, pen_width: float = PEN_WIDTH) -> Tensor:
    """Black-and-white picture (280, 280) of a drawing, float32: 1 where ink is, 0 elsewhere.

    Each stroke is a line `pen_width` wide, in units of the pad's side, with round ends; a stroke of one point is a
    dot. What lies outside of the pad is cut off. Raises the errors of `check_strokes`.
    """
    ink = np.zeros((FINE, FINE), dtype=bool)
    for stroke in check_strokes(strokes):
        points = [(x * FINE, y * FINE) for x, y in stroke]
        for start, end in pairwise([points[0], *points]):  # first from the first point to itself: a dot
            _draw_line(ink, start, end, pen_width * FINE / 2)
    return torch.from_numpy(ink.astype(np.float32))


def _draw_line(ink: np.ndarray, start: tuple[float, float], end: tuple[float, float], radius: float) -> None:
    """Set the pixels of `ink` (280, 280) whose centres lie within `radius` pixels of a line."""
    columns, rows = (_reach(*ends, radius) for ends in zip(start, end, strict=True))
    x, y = PIXEL_CENTRES[columns] - start[0], PIXEL_CENTRES[rows, None] - start[1]
    dx, dy = end[0] - start[0], end[1] - start[1]
    if dx or dy:  # how far along the line its nearest point is, from 0 to 1
        share = np.minimum(np.maximum((x * dx + y * dy) / (dx * dx + dy * dy), 0), 1)
        x, y = x - share * dx, y - share * dy
    ink[rows, columns] |= x * x + y * y <= radius * radius


def _reach(start: float, end: float, radius: float) -> slice:
    """The rows (or columns) of the picture that a line can touch: few, for most lines are short."""
    low, high = math.floor(min(start, end) - radius), math.ceil(max(start, end) + radius)
    return slice(min(max(low, 0), FINE), min(max(high, 0), FINE))


def scaled(picture: Tensor) -> Tensor:
    """A square picture (H, H) at 28 by 28 pixels (28, 28), each the mean of what it covers; nothing is moved."""
    return _resize(picture, SIZE, SIZE)


def mnist_way(picture: Tensor) -> Tensor:
    """A picture (H, W), black as 0, brought into MNIST's form (28, 28), as its authors describe it.

    The box around the ink is scaled, its proportions kept, until its longer side has 20 pixels; grey levels come from
    averaging. It is then moved by whole pixels so that the centre of mass of its grey levels comes to lie on pixel
    (14, 14), counted from 0, to half a pixel; less far if ink would leave the frame. A picture without ink stays
    black. Source: LeCun, Bottou, Bengio and Haffner, *Gradient-based learning applied to document recognition*, 1998,
    section III.A. They say "the center of the 28x28 field": that this is pixel 14, and that the moves are whole, is
    read off the images.
    """
    if not picture.any():
        return torch.zeros(SIZE, SIZE, device=picture.device)
    rows, columns = (picture.any(dim=axis).nonzero().squeeze(1) for axis in (1, 0))
    ink = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (max(1, round(BOX * side / max(ink.shape))) for side in ink.shape)
    small = _resize(ink, height, width)
    top, left = (_place(small.sum(dim=axis)) for axis in (1, 0))
    image = torch.zeros(SIZE, SIZE, device=picture.device)
    image[top : top + height, left : left + width] = small
    return image


def _place(mass: Tensor) -> int:
    """Where rows (or columns) of this mass (n,) start, for their centre to lie on the image's."""
    centre = (mass * torch.arange(len(mass), device=mass.device)).sum() / mass.sum()
    return min(max(0, CENTRE - math.floor(centre + 0.5)), SIZE - len(mass))


def _resize(picture: Tensor, height: int, width: int) -> Tensor:
    """Each pixel is the mean of the area that it covers, pixels in part too: (H, W) to (height, width)."""
    sizes = zip(picture.shape, (height, width), strict=True)
    rows, columns = (_shares(before, after).to(picture.device) for before, after in sizes)
    return rows @ picture @ columns.T


def _shares(before: int, after: int) -> Tensor:
    """How much of each old pixel a new one is made of, (after, before), along one axis; each row sums to 1."""
    edges = torch.linspace(0, before, after + 1, dtype=torch.float64)
    old = torch.arange(before)
    overlap = torch.minimum(edges[1:, None], old + 1) - torch.maximum(edges[:-1, None], old)
    return (overlap.clamp(min=0) * after / before).float()
