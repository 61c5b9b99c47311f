"""Draw a digit, and see what a network reads: with the drawing as it is, and brought into MNIST's form."""

from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn
from traitlets import Dict, Float, Int, default, observe, validate

from course_utils.mnist_form import mnist_way, scaled
from course_utils.models import LayerCall, device_of, evaluation_mode, recorded
from course_utils.plots import image_axes
from course_utils.validate import IMAGE_SHAPE
from course_utils.widgets.base import Converted, CourseWidget, module, static
from course_utils.widgets.images import as_bytes, digit_images
from course_utils.widgets.strokes import PEN_WIDTH, check_strokes, draw

WAYS = ("drawn", "mnist")
WAY_NAMES = {"drawn": "As drawn", "mnist": "MNIST's way"}
BLANK = "The pad is blank: nothing to read. Draw a digit."


class Reading(NamedTuple):
    """What a network makes of one picture.

    `images` (2, 28, 28), float32 in 0..1, is the picture as drawn and MNIST's way; `probabilities` is (2, 10), for
    the two in the same order; `maps` are the feature maps (C, H, W) of the second after each of the first two blocks.
    """

    images: Tensor
    probabilities: Tensor
    maps: list[Tensor]


def read(model: nn.Module, picture: Tensor) -> Reading:
    """What `model`, which takes (N, 1, 28, 28), makes of a square picture (H, H) with black as 0.

    Raises `ValueError` for a black picture, and for an answer that is not ten finite numbers an image.
    """
    if not picture.any():
        raise ValueError(f"{BLANK} In Python: .value = [[(0.5, 0.1), (0.5, 0.9)]]")
    images = torch.stack([scaled(picture), mnist_way(picture)])
    logits, maps = _run(model, images.unsqueeze(1))
    return Reading(images, logits.softmax(dim=1), [layer[WAYS.index("mnist")] for layer in maps])


def _run(model: nn.Module, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Logits (N, 10) and feature maps (N, C, H, W) of up to two blocks. Leaves the model's mode as it was."""
    with evaluation_mode(model), torch.no_grad(), recorded(model) as calls:
        logits = model(images.to(device_of(model)))
    if logits.shape != (len(images), 10):
        raise ValueError(
            f"the network must return logits of shape (N, 10), one for each digit; for N={len(images)} images it "
            f"returned {tuple(logits.shape)}"
        )
    if not logits.isfinite().all():
        raise ValueError("the network's answer holds NaN or infinity: did its training diverge? Train a new one")
    return logits.cpu(), [maps.cpu() for maps in _block_outputs(calls)[:2]]


def _block_outputs(calls: list[LayerCall]) -> list[Tensor]:
    """What each block made, (N, C, H, W): a block is a `nn.Conv2d` and the layers run after it, up to the next.

    Layers that leave one number a map, as global pooling does, are not counted.
    """
    outputs = []
    for _, layer, _, output in calls:
        if isinstance(layer, nn.Conv2d):
            outputs.append(output)
        elif outputs and isinstance(output, Tensor) and output.dim() == 4 and output[0, 0].numel() > 1:
            outputs[-1] = output
    return outputs


def montage(maps: Tensor) -> Tensor:
    """Feature maps (C, H, W) side by side in one picture (H', W'), 0..1, a grey line between them.

    Black is 0 or less, white the largest value of all maps.
    """
    count, height, width = maps.shape
    columns = 8 if count <= 16 else 16
    rows = -(-count // columns)  # rounded up
    bright = maps.clamp(min=0) / maps.max().clamp(min=1e-12)
    picture = maps.new_full((rows * (height + 1) - 1, columns * (width + 1) - 1), 0.5)
    for index, one in enumerate(bright):
        top, left = index // columns * (height + 1), index % columns * (width + 1)
        picture[top : top + height, left : left + width] = one
    return picture


def _map_label(number: int, maps: Tensor) -> str:
    count, height, width = maps.shape
    return f"MNIST's way, after block {number}: {count} maps of {height}×{width}"


class DrawDigit(CourseWidget):
    """A pad to draw on, and what `model` reads in the drawing.

    `model` takes images (N, 1, 28, 28) and returns logits (N, 10). `examples`, images (N, 1, 28, 28) in 0..1, can be
    shown in place of a drawing. `value` is the drawing: a list of strokes, each a list of points (x, y) in 0..1 from
    the upper left corner. `example` is the number of the example that is shown instead, or None. Raises `TypeError`
    or `ValueError` for a model or examples of another kind.
    """

    title = "Draw a digit"
    _esm = module("draw_digit")
    _css = static("base.css") + static("draw_digit.css")

    value = Converted(check_strokes).tag(sync=True)
    example = Int(None, allow_none=True, help="the example shown in place of the drawing").tag(sync=True)
    example_count = Int(0).tag(sync=True)
    pen_width = Float(PEN_WIDTH, help="of the pad's side").tag(sync=True)
    asked = Int(0, help="the page's number of its last question").tag(sync=True)
    answer = Dict(help="what the page shows").tag(sync=True)

    def __init__(self, model: nn.Module, examples: Tensor | None = None, **traits):
        if not isinstance(model, nn.Module):
            raise TypeError(f"expected a network (nn.Module), got {type(model).__name__}. DrawDigit(model) needs one")
        _run(model, torch.zeros(2, *IMAGE_SHAPE))  # a network of another kind is told here, not while one draws
        self._model = model
        self._examples = torch.empty(0, *IMAGE_SHAPE[1:]) if examples is None else digit_images(examples, "examples")
        self._answered = None
        super().__init__(example_count=len(self._examples), **traits)
        self._answer()

    @default("value")
    def _no_value(self) -> list:
        return []

    @validate("example")
    def _check_example(self, proposal) -> int | None:
        if proposal.value is not None and not 0 <= proposal.value < self.example_count:
            raise ValueError(f"there is no example {proposal.value}; there are {self.example_count}, counted from 0")
        return proposal.value

    @property
    def picture(self) -> Tensor:
        """What is on the pad: the drawing (280, 280), 0 or 1, or the example (28, 28), 0..1."""
        return draw(self.value, self.pen_width) if self.example is None else self._examples[self.example]

    def read(self) -> Reading:
        """The pictures, probabilities and feature maps. Raises `ValueError` where `predict` does."""
        return read(self._model, self.picture)

    def predict(self) -> Tensor:
        """Probability of each digit (10,), the drawing brought into MNIST's form.

        Raises `ValueError` for a blank pad, and for a network whose answer is not finite.
        """
        return self.read().probabilities[WAYS.index("mnist")]

    @observe("value")
    def _leave_example(self, _change) -> None:
        self.example = None

    @observe("value", "example", "asked")
    def _answer(self, _change=None) -> None:
        question = (self.value, self.example, self.asked)
        if question != self._answered:  # one message from the page changes several traits
            self._answered = question
            self.answer = {**self._read_for_page(), "to": self.asked}

    def _read_for_page(self) -> dict:
        picture = self.picture
        if not picture.any():
            return {"state": "blank", "text": BLANK}
        try:
            reading = read(self._model, picture)
        except Exception as error:  # a learner's network can fail in any way, and the page must say so
            return {"state": "failed", "text": f"The network gave no answer. {type(error).__name__}: {error}"}
        return {
            "state": "read",
            "text": _in_words(reading),
            "pictures": {way: as_bytes(image) for way, image in zip(WAYS, reading.images, strict=True)},
            "probabilities": dict(zip(WAYS, reading.probabilities.tolist(), strict=True)),
            "maps": [_maps_for_page(number, maps) for number, maps in enumerate(reading.maps, start=1)],
        }

    def figure(self) -> Figure:
        """The same as a figure that stands still: pictures, probabilities and feature maps. Errors as of `predict`."""
        reading = self.read()
        ways = [[way, f"{way} bars"] for way in WAYS]
        maps = [[f"maps {number}"] * 2 for number in range(1, 1 + len(reading.maps))]
        layout: list[Any] = [["pad", *ways[0], *ways[1]], *([["pad", *maps[0], *maps[-1]]] if maps else [])]
        figure, axes = plt.subplot_mosaic(
            layout, figsize=(12, 4 if maps else 2.5), height_ratios=[1.5, 1][: len(layout)]
        )
        image_axes(axes["pad"], self.picture, "On the pad", vmin=0, vmax=1)
        for way, image, probabilities in zip(WAYS, reading.images, reading.probabilities, strict=True):
            image_axes(axes[way], image, WAY_NAMES[way], vmin=0, vmax=1)
            _draw_bars(axes[f"{way} bars"], probabilities.tolist())
        for number, layer in enumerate(reading.maps, start=1):
            image_axes(axes[f"maps {number}"], montage(layer), _map_label(number, layer), vmin=0, vmax=1)
        return figure


def _draw_bars(axes: Axes, probabilities: list[float]) -> None:
    best = max(probabilities)
    colours = ["C1" if share == best else "C0" for share in probabilities]
    axes.bar(range(10), [100 * share for share in probabilities], color=colours)
    axes.set(xticks=range(10), ylim=(0, 100), xlabel="Digit", ylabel="Probability (%)")


def _in_words(reading: Reading) -> str:
    read_as = {
        way: f"{int(shares.argmax())} ({100 * shares.max():.0f} %)"
        for way, shares in zip(WAYS, reading.probabilities, strict=True)
    }
    return f"MNIST's way, the network reads {read_as['mnist']}; as drawn, {read_as['drawn']}."


def _maps_for_page(number: int, maps: Tensor) -> dict:
    picture = montage(maps)
    height, width = picture.shape
    return {"label": _map_label(number, maps), "height": height, "width": width, "pixels": as_bytes(picture)}
