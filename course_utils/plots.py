"""Figures: one style, alt text on every picture, and the drawings that several notebooks use."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from IPython import get_ipython
from IPython.core.pylabtools import select_figure_formats
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_utils import validate


def use_style() -> None:
    """Give all later figures the course's look, as PNG in the notebook, whatever matplotlib and IPython were set to."""
    if shell := get_ipython():
        shell.enable_matplotlib("inline")
        select_figure_formats(shell, {"png"})
    plt.style.use(["default", "course_utils.course"])


def show(figure: Figure, alt: str) -> None:
    """Show a figure with `alt`, a sentence that says what is seen, for those who can't see it; then close it."""
    if not alt.strip():
        raise ValueError("a figure needs alt text: say in a sentence what it shows")
    display(figure, metadata={"image/png": {"alt": alt}})
    plt.close(figure)


def image_axes(axes: Axes, image: Tensor, title: str = "", **imshow_options) -> None:
    """Draw one image (H, W) without ticks or grid."""
    axes.imshow(_array(image), **imshow_options)
    axes.set(xticks=[], yticks=[], title=title)
    axes.spines[:].set(visible=True, color="0.7")  # a frame, since some images are white at the border
    axes.grid(False)


def image_grid(images: Tensor, titles: list[str] | None = None, columns: int = 10, **imshow_options) -> Figure:
    """A grid of images (N, H, W), all on the same grey scale, each with its title if there are any."""
    validate.not_empty("images", validate.batch("images", images, ("H", "W")))
    if titles and len(titles) != len(images):
        raise ValueError(f"expected a title for each of {len(images)} images, got {len(titles)}")
    columns = validate.whole_number("columns", columns, at_least=1)
    rows = -(-len(images) // columns)  # rounded up
    height = 1.25 if titles else 0.95  # inches for a row
    figure, axes = plt.subplots(rows, columns, figsize=(columns * 0.95, rows * height), squeeze=False)
    scale = {"vmin": images.min().item(), "vmax": images.max().item(), **imshow_options}
    for index, cell in enumerate(axes.flat):
        if index < len(images):
            image_axes(cell, images[index], titles[index] if titles else "", **scale)
        else:
            cell.set_axis_off()
    return figure


def band(axes: Axes, x: Sequence[float], values: Tensor, style: str, label: str) -> None:
    """Draw a line through the means of `values` (repeats, len(x)), on a band from their lowest to their highest.

    `style` is matplotlib's short form with a colour of the course's first, for example "C0o-".
    """
    repeats = _array(values)
    axes.plot(x, repeats.mean(0), style, label=label)
    axes.fill_between(x, repeats.min(0), repeats.max(0), color=style[:2], alpha=0.2, linewidth=0)


def write_values(axes: Axes, values: Tensor, form: str = "{:.0f}", fontsize: float = 10) -> None:
    """Write `values` (H, W) into the pixels of the image that was drawn last, where black or white can be read.

    `form` is a format string.
    """
    drawn = axes.images[-1]
    red, green, blue, _ = drawn.to_rgba(np.asarray(drawn.get_array())).transpose(2, 0, 1)
    bright = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5  # luma weights of ITU-R BT.601
    for (row, column), value in np.ndenumerate(_array(values)):
        ink = "black" if bright[row, column] else "white"
        axes.text(column, row, form.format(value), ha="center", va="center", fontsize=fontsize, color=ink)


def _array(values: Tensor) -> np.ndarray:
    """What matplotlib draws: it takes no tensor of another device, nor one with a gradient."""
    return values.detach().cpu().numpy()
