"""Filters made by hand: what was computed from images before filters were learned."""

import torch
from torch import Tensor

# The eight pixels around the middle of a 3x3 kernel, clockwise from the top left.
RING = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))


def turned(middle: float, ring: list[float], count: int) -> Tensor:
    """`count` kernels (count, 3, 3), each the one before turned by 45 degrees clockwise.

    `ring` holds the eight outer values of the first, clockwise from the top left.
    """
    kernels = torch.full((count, 3, 3), middle)
    for turn in range(count):
        for place, (row, column) in enumerate(RING):
            kernels[turn, row, column] = ring[(place - turn) % 8]
    return kernels


def hand_made_kernels() -> Tensor:
    """Twelve kernels (12, 3, 3): edges in eight directions, then lines in four.

    The edges are Sobel's kernel turned in steps of 45 degrees, the compass masks of Robinson, 1977; its
    response lies within -4..4 for pixels in 0..1.
    """
    edges = turned(0.0, [-1.0, 0.0, 1.0, 2.0, 1.0, 0.0, -1.0, -2.0], count=8)
    lines = turned(2.0, [-1.0, 2.0, -1.0, -1.0, -1.0, 2.0, -1.0, -1.0], count=4)
    return torch.cat([edges, lines])
