"""A picture of digits on paper, turned into images as MNIST has them, and read.

Files are opened in `pictures`; what is ink and what is paper is found in `ink`, which pieces of ink are digits in
`pieces`.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from course_utils import evidence, ink, pictures, pieces, plots, validate
from course_utils.analysis import logits_of, probabilities_of
from course_utils.mnist_form import mnist_way
from course_utils.pictures import BadPhoto, Source
from course_utils.validate import IMAGE_SHAPE

CHECKPOINT = "modern_network.pt"  # in experiments/results: what reads where no other network is named

DARK = 0.12  # of full brightness: where nothing is brighter, the picture is too dark


@dataclass
class Page:
    """The digits that were found on a picture, in reading order.

    `images` is (N, 1, 28, 28), float32 in 0..1, in MNIST's form. `boxes` are [left, top, width, height] in pixels of
    the picture as shown (turned as its orientation tag says), and `line` says on which line, from 0, each digit
    stands. `remarks` are sentences about what may be wrong. The rest are the steps, all of one shape (H, W): `grey`,
    the picture's brightness; `ink`, how dark against the paper each pixel is, without ruling; `ruling`, True where
    lines of the paper were taken out; and `scale`, pixels of the picture for one of these.
    """

    images: Tensor
    boxes: list[list[int]]
    line: list[int]
    remarks: list[str]
    grey: np.ndarray
    ink: np.ndarray
    ruling: np.ndarray
    scale: float

    def figure(self) -> Figure:
        """The steps from the picture to the digits, which are numbered in reading order."""
        count = len(self.images)
        rows = math.ceil(count / 20)
        figure, axes = plt.subplot_mosaic(
            [["grey", "ink", "found"], ["digits"] * 3], figsize=(12, 4.2 + 0.6 * rows), height_ratios=[4, 0.6 * rows]
        )
        plots.image_axes(axes["grey"], torch.from_numpy(self.grey), "1. Grey levels", cmap="gray", vmin=0, vmax=1)
        plots.image_axes(axes["ink"], torch.from_numpy(self.ink), "2. Ink, the light evened", cmap="gray_r")
        axes["ink"].imshow(np.ma.masked_equal(self.ruling, False), cmap="cool", alpha=0.5)
        plots.image_axes(axes["found"], torch.from_numpy(self.grey), "3. Pieces in reading order", cmap="gray")
        for number, box in enumerate(self.boxes, start=1):
            left, top, width, height = (side / self.scale for side in box)
            axes["found"].add_patch(Rectangle((left, top), width, height, fill=False, edgecolor="C1", linewidth=2))
            if count <= 40:
                axes["found"].text(left, top, str(number), color="C1", ha="right", va="bottom", fontsize=10)
        plots.image_axes(axes["digits"], _in_rows(self.images[:, 0], 20), "4. In MNIST's form", cmap="gray")
        return figure


def _in_rows(images: Tensor, columns: int) -> Tensor:
    """Images (N, 28, 28) side by side in one picture, a grey line between them."""
    framed = torch.nn.functional.pad(images, (1, 1, 1, 1), value=0.5)
    columns = min(columns, len(framed))
    missing = -len(framed) % columns
    framed = torch.cat([framed, torch.full((missing, 30, 30), 0.5)])
    return framed.unflatten(0, (-1, columns)).transpose(1, 2).flatten(2).flatten(0, 1)


class Reading(NamedTuple):
    """What a network reads: for each image (N,) the digit, the confidence in it, and whether that is high enough."""

    digits: Tensor
    confidence: Tensor
    sure: Tensor


def read(network: nn.Module, images: Tensor, temperature: float = 1.0, threshold: float = 0.0) -> Reading:
    """What `network` reads in images (N, 1, 28, 28); it is sure of an answer with a confidence of `threshold` or more.

    The confidence is the highest of the ten probabilities, of logits divided by `temperature`. `stored_reader` has
    the temperature and the threshold that `python -m course_utils read` uses with the stored network.
    """
    logits = logits_of(network, validate.images(images, IMAGE_SHAPE))
    confidence, digits = probabilities_of(logits, temperature).max(dim=1)
    return Reading(digits, confidence, confidence >= threshold)


def find_digits(source: Source) -> Page:
    """The digits on a picture: a path, its bytes, an open file or an image of Pillow's.

    Dark ink on light paper or light on dark, in any colour that differs in brightness from the paper. Raises
    `BadPhoto` (a `ValueError`) for what is no picture, is damaged, or shows no digits.
    """
    grey, size, frames = pictures.grey_levels(source)
    name = pictures.name_of(source)
    scale = math.sqrt(size[0] * size[1] / grey.size)
    if grey.max() < DARK:
        raise BadPhoto(f"{name} is too dark: nothing in it is bright. Take it again with more light")
    try:
        drawn = ink.on_paper(grey)
        found = pieces.digits(drawn.ink, drawn.lowest)
    except ink.NoInk as error:
        raise BadPhoto(
            f"no ink was found in {name}: {error}. Write with a darker pen, come nearer, and avoid blur"
        ) from None
    except pieces.TooMany as error:
        raise BadPhoto(
            f"{name} looks like a page of text: {error}. Show digits alone, with room between them"
        ) from None
    boxes = [_as_shown(piece.box, scale, size) for piece in found.pieces]
    images = torch.stack([mnist_way(torch.from_numpy(pieces.drawing(piece.mask))) for piece in found.pieces]).unsqueeze(
        1
    )
    remarks = [f"the picture has {frames} pages or frames: the first was read"] if frames > 1 else []
    return Page(images, boxes, found.line, remarks + found.remarks, grey, drawn.ink, drawn.ruling, scale)


def _as_shown(box: tuple[slice, slice], scale: float, size: tuple[int, int]) -> list[int]:
    """[left, top, width, height] in pixels of the picture."""
    (top, bottom), (left, right) = ((round(side.start * scale), round(side.stop * scale)) for side in box)
    right, bottom = min(right, size[0]), min(bottom, size[1])
    return [left, top, max(1, right - left), max(1, bottom - top)]


# --- in words -----------------------------------------------------------------------------------------------------


def in_words(page: Page, reading: Reading) -> str:
    """The digits line by line, then each with its confidence, "not sure" where that is low, and the remarks."""
    lines = [
        " ".join(str(digit) for digit, at in zip(reading.digits.tolist(), page.line, strict=True) if at == line)
        for line in range(max(page.line) + 1)
    ]
    answers = zip(reading.digits.tolist(), reading.confidence.tolist(), reading.sure.tolist(), strict=True)
    each = [
        f"digit {number}: {digit}, {100 * confidence:.0f} %{'' if sure else ', not sure'}"
        for number, (digit, confidence, sure) in enumerate(answers, start=1)
    ]
    return "\n".join([*lines, "", *each, *(f"note: {remark}" for remark in page.remarks)])


def stored_reader() -> tuple[float, float]:
    """Temperature and threshold for the stored network, as `experiments/reading.py` chose them on validation images."""
    results = evidence.load("reading")["results"]
    return results["temperature"], results["threshold"]
