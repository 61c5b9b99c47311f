"""Pictures brought into the form that MNIST's digits have."""

import math

import torch
from torch import Tensor

SIZE = 28  # pixels of an MNIST image's side
BOX = 20  # pixels of the box that a digit's longer side fills
CENTRE = 14  # the pixel, counted from 0, on which a digit's centre of mass lies


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
