"""What the interactive parts need in a page without a kernel: their scripts, their state, and the trained network."""

import json
from html import escape
from pathlib import Path

import numpy as np
import torch
from torch import nn

from course_utils import evidence, load_checkpoint
from course_utils.data import load_mnist
from course_utils.widgets import DrawDigit, KernelPlayground, WeightSharing
from course_utils.widgets.base import CourseWidget, module, static
from course_utils.widgets.images import as_bytes

NAMES = {
    "Draw a digit": "draw_digit",
    "Kernel playground": "kernel_playground",
    "Weight sharing": "weight_sharing",
}
EXAMPLES = 20  # images that the pad offers


def placeholder(title: str) -> str:
    """Where a part is put once its script has run; until then, and without scripts, its name."""
    return (
        f'<div class="course-part" data-part="{NAMES[title]}"><p>{escape(title)}: this part needs JavaScript.</p></div>'
    )


def folded(network: nn.Module) -> np.ndarray:
    """All weights and biases of `ModernCNN`, float32 in one row, batch norm folded into the convolutions before it.

    Raises `ValueError` if a norm turns a map's sign: pooling stands between the two, and would not commute with it.
    """
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    numbers = []
    for convolution, norm in zip(convolutions, norms, strict=True):
        scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        if (scale < 0).any():
            raise ValueError("a batch norm has a negative weight, so it can't be moved before the max-pooling")
        numbers += [convolution.weight.double() * scale[:, None, None, None]]
        numbers += [norm.bias.double() - norm.running_mean.double() * scale]
    numbers += [network.out.weight.double(), network.out.bias.double()]
    return torch.cat([part.detach().flatten() for part in numbers]).float().numpy()


def write(folder: Path) -> None:
    """Write scripts, styles, states, weights and examples of all parts into `folder`."""
    folder.mkdir(parents=True)
    mnist = load_mnist()
    network = load_checkpoint(evidence.folder() / "modern_network.pt")
    folded(network).astype("<f4").tofile(folder / "network.bin")
    (folder / "examples.bin").write_bytes(as_bytes(mnist.test.images[:EXAMPLES]))
    three = mnist.train[11][0][0]  # the digit and the kernel of notebook 01
    sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    parts = {
        "draw_digit": DrawDigit(network),
        "kernel_playground": KernelPlayground(three, sobel, stride=2, padding=1),
        "weight_sharing": WeightSharing(visited=[[1, 2]]),
    }
    for name, part in parts.items():
        (folder / f"{name}.js").write_text(module(name), encoding="utf-8")
        (folder / f"{name}.css").write_text(_style(name), encoding="utf-8")
        (folder / f"{name}.json").write_text(json.dumps(_state(part)), encoding="utf-8")


def _style(name: str) -> str:
    own = static(f"{name}.css") if name == "draw_digit" else ""
    return static("base.css") + own


def _state(part: CourseWidget) -> dict:
    """The traits that the script of a part reads; not those that Jupyter itself needs."""
    left_out = {"layout", "tabbable", "tooltip", "answer"}
    return {key: value for key, value in part.get_state().items() if key[0] != "_" and key not in left_out}
