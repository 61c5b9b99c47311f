"""Read a photo of handwriting: an upload, the digits found on it in reading order, and what a network reads."""

import io
import math
from itertools import count
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from torch import nn
from traitlets import Bytes, Dict, Int

from course_utils import photo
from course_utils.pictures import BadPhoto, Source
from course_utils.plots import image_axes
from course_utils.widgets.base import CourseWidget, module, static
from course_utils.widgets.images import as_bytes

MOST_MEGABYTES = 40  # of an upload; a phone's photos have 2 to 15
SHOWN = 1000  # pixels of the longer side of the picture in the page
NONE_YET = "No photo has been read yet. Choose one in the form, or in Python: .read('photo.jpg')"


class PhotoReader(CourseWidget):
    """A form that takes photos of digits on paper, one after the other, and shows what `network` reads on them.

    `network` takes images (N, 1, 28, 28) and returns logits (N, 10); `temperature` and `threshold` are those of
    `photo.read`. `read` does in Python what an upload does in the page. Then `page` is what was found, `value` the
    digits in reading order, and `reading` what `photo.read` returned; before, and after a file that could not be read,
    `page` and `reading` are None and `value` is empty.
    """

    title = "Read a photo"
    _esm = module("photo_reader")
    _css = static("base.css") + static("photo_reader.css")

    most_megabytes = Int(MOST_MEGABYTES).tag(sync=True)
    answer = Dict(help="what the page shows; empty before the first photo").tag(sync=True)
    picture = Bytes(help="the picture in grey, as JPEG").tag(sync=True)
    digits = Bytes(help="the digits in MNIST's form, 28 by 28 bytes each").tag(sync=True)

    def __init__(self, network: nn.Module, temperature: float = 1.0, threshold: float = 0.0, **traits):
        if not isinstance(network, nn.Module):
            raise TypeError(f"expected a network (nn.Module), got {type(network).__name__}")
        self._network, self._limits = network, (temperature, threshold)
        self._parts: list[bytes] = []
        self._answers = count(1)  # or the page would not hear of an answer that is the same again
        self._forget()
        super().__init__(**traits)
        self.on_msg(self._receive)

    @property
    def value(self) -> list[int]:
        """The digits in reading order."""
        return [] if self.reading is None else self.reading.digits.tolist()

    def read(self, source: Source) -> None:
        """Read a picture: a path, its bytes, an open file or an image of Pillow's. Raises `BadPhoto`."""
        try:
            self._find(source)
        except BadPhoto as error:
            self._fail(str(error))
            raise

    def _find(self, source: Source) -> None:
        self._forget()
        page = photo.find_digits(source)
        self.page, self.reading = page, photo.read(self._network, page.images, *self._limits)
        with self.hold_sync():
            self.picture, self.digits = _as_jpeg(page.grey), as_bytes(page.images)
            self.answer = {
                "state": "read",
                "number": next(self._answers),
                "size": [side * page.scale for side in page.grey.shape[::-1]],
                "boxes": page.boxes,
                "line": page.line,
                "remarks": page.remarks,
                **{name: values.tolist() for name, values in self.reading._asdict().items()},
            }

    def _forget(self) -> None:
        self.page: photo.Page | None = None
        self.reading: photo.Reading | None = None

    def _fail(self, text: str) -> None:
        self._forget()
        self.answer = {"state": "failed", "number": next(self._answers), "text": text[:1].upper() + text[1:] + "."}

    def _receive(self, _widget, content: dict, buffers: list) -> None:
        """A part of an upload: a whole photo in one message would be more than Jupyter's server takes."""
        if content["index"] == 0:
            self._parts = []
        self._parts.append(bytes(buffers[0]) if buffers else b"")
        if not content["last"]:
            return
        uploaded, self._parts = b"".join(self._parts), []
        try:
            self._find(uploaded)
        except BadPhoto as error:
            self._fail(str(error))
        except Exception as error:  # a learner's network can fail in any way, and the page must say so
            self._fail(f"the network gave no answer. {type(error).__name__}: {error}")

    def figure(self) -> Figure:
        """The same as a figure that stands still: the picture, and each digit with its answer.

        Raises `ValueError` where no photo has been read.
        """
        if self.page is None or self.reading is None:
            raise ValueError(NONE_YET)
        digits, columns = len(self.value), 8
        rows = math.ceil(digits / columns)
        cells = np.arange(rows * columns).reshape(rows, columns).tolist()
        answers = [[str(cell) if cell < digits else "." for cell in row] for row in cells]
        layout: list[Any] = [["picture"] * columns, *answers]
        figure, axes = plt.subplot_mosaic(
            layout, figsize=(10, 4 + 1.6 * rows), height_ratios=[4, *[1.6] * rows], layout="constrained"
        )
        image_axes(axes["picture"], torch.from_numpy(self.page.grey), cmap="gray", vmin=0, vmax=1)
        for number, box in enumerate(self.page.boxes, start=1):
            left, top, width, height = (side / self.page.scale for side in box)
            axes["picture"].add_patch(Rectangle((left, top), width, height, fill=False, edgecolor="C1", linewidth=2))
            axes["picture"].text(left, top, str(number), color="C1", ha="right", va="bottom", fontsize=10)
        each = zip(*(values.tolist() for values in self.reading), strict=True)
        for index, (digit, confidence, sure) in enumerate(each):
            title = f"{index + 1}: {digit}\n{100 * confidence:.0f} %{'' if sure else ', not sure'}"
            image_axes(axes[str(index)], self.page.images[index, 0], title, vmin=0, vmax=1)
        return figure


def _as_jpeg(grey: np.ndarray) -> bytes:
    shown = Image.fromarray((255 * grey).astype(np.uint8))
    shown.thumbnail((SHOWN, SHOWN))
    stored = io.BytesIO()
    shown.save(stored, "JPEG", quality=85)
    return stored.getvalue()
