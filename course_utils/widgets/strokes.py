"""Strokes of a pen turned into pixels.

A stroke is a list of points (x, y) in units of the pad's side: (0, 0) is its upper left corner, (1, 1) its lower right
one. A drawing is a list of strokes.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from course_utils.mnist_form import SIZE

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
