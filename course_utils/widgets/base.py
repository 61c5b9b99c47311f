"""What all interactive parts share: where their scripts lie, and what stands in their place for those who only read."""

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import anywidget
import torch
from torch import Tensor
from traitlets import HasTraits, TraitType, Unicode

from course_utils import validate


@cache
def static(name: str) -> str:
    """The text of a file in static/."""
    return (files("course_utils.widgets") / "static" / name).read_text(encoding="utf-8")


def module(name: str) -> str:
    """An ES module in one string, as anywidget wants it: static/base.js, then static/`name`.js.

    A page can't import from a folder that only the kernel sees, so the shared functions travel with every part.
    """
    return static("base.js") + static(f"{name}.js")


class CourseWidget(anywidget.AnyWidget):
    """An interactive part of a notebook. A subclass sets `title` and `_esm = module("its_name")`.

    What the learner changes in the page arrives in the traits, and what Python sets shows in the page; all results
    are computed in Python too, so that a part can be used, and tested, without a browser.
    """

    title: str = ""
    _css = static("base.css")
    # A description by the author of the notebook, read out by screen readers in place of the title alone.
    description = Unicode(help="what this copy of the part shows, for screen readers").tag(sync=True)

    def __repr__(self) -> str:
        """What is stored in the notebook: a widget's own state is not."""
        return f"[{self.title}: an interactive part. Run this cell in JupyterLab to use it.]"


class Converted(TraitType):
    """A trait that keeps what `convert` makes of the value it is given, as nested lists for instance of a tensor.

    `convert` raises an error of its own for a value that it can't use; the trait then stays as it was.
    """

    def __init__(self, convert: Callable[[Any], Any], **metadata: Any):
        super().__init__(**metadata)
        self.convert = convert

    def validate(self, obj: HasTraits, value: Any) -> Any:
        return self.convert(value)


def grey_image(image: Tensor, name: str = "image") -> Tensor:
    """One grey image as float32 (H, W), from (H, W), (1, H, W) or (1, 1, H, W); NumPy arrays and lists do as well.

    Raises `ValueError` for another shape, for no pixels at all, and for pixels that are not finite or not in 0..1.
    """
    given = torch.as_tensor(image)
    pixels = given.detach().to("cpu", torch.float32)
    while pixels.dim() > 2 and len(pixels) == 1:
        pixels = pixels[0]
    if pixels.dim() != 2 or pixels.numel() == 0:
        raise ValueError(
            f"expected {name} to be one grey image of shape (H, W) or (1, H, W), got {tuple(given.shape)}. "
            "One image of a batch is images[0]"
        )
    return validate.in_unit_range(f"pixels of {name}", validate.finite(name, pixels))
