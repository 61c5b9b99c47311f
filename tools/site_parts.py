"""What the interactive parts need in a page without a kernel: their scripts, their state, and the trained network."""

import base64
import hashlib
import json
from contextlib import redirect_stderr, redirect_stdout
from html import escape
from io import StringIO
from pathlib import Path

import anywidget
import numpy as np
import torch
from torch import nn

import course_utils
from course_utils import analysis, evidence, load_checkpoint
from course_utils.data import load_mnist
from course_utils.widgets import BlindLabels, DrawDigit, KernelPlayground, ShiftExplorer, WeightSharing
from course_utils.widgets.base import CourseWidget, module
from course_utils.widgets.images import as_bytes

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"

PARTS = {
    "draw_digit": DrawDigit,
    "kernel_playground": KernelPlayground,
    "weight_sharing": WeightSharing,
    "shift_explorer": ShiftExplorer,
    "blind_labels": BlindLabels,
}
NAMES = {part.title: name for name, part in PARTS.items()}
EXAMPLES = 20  # images that the pad offers
MISTAKES = 25  # as in notebook 06
# The cells of notebook 03 that train two networks and put them into the explorer. Tables from an earlier build are
# taken while these cells, and the files that they compute with, are as they were.
EXPLORER_CELLS = ("cell-03-02", "c6-networks", "c6-live", "explorer-view")
EXPLORER_FILES = ("models", "training", "recipes", "data", "perturb", "threads", "widgets/shift_explorer")
CACHE = NOTEBOOKS.parent / "site" / "_cache"


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
    labelling, theirs = _blind_labels(network)
    # In a file of its own, which the page asks for when all images are labelled.
    (folder / "blind_labels_theirs.json").write_text(json.dumps(theirs), encoding="utf-8")
    states = {
        "draw_digit": _state(DrawDigit(network)),
        "kernel_playground": _state(KernelPlayground(three, sobel, stride=2, padding=1)),
        "weight_sharing": _state(WeightSharing(visited=[[1, 2]])),
        "shift_explorer": _shift_explorer(),
        "blind_labels": _state(labelling),
    }
    for name, state in states.items():
        (folder / f"{name}.js").write_text(module(name), encoding="utf-8")
        (folder / f"{name}.css").write_text(PARTS[name]._css, encoding="utf-8")
        (folder / f"{name}.json").write_text(json.dumps(state), encoding="utf-8")


def _blind_labels(network: nn.Module) -> tuple[BlindLabels, dict[str, list[int]]]:
    """Notebook 06's form, and what the network and the file say, which the form itself must not hold."""
    images, labels = load_mnist().test[:]
    probabilities = analysis.probabilities_of(analysis.logits_of(network, images))
    worst = analysis.confident_mistakes(probabilities, labels, MISTAKES)
    theirs = {"network": probabilities[worst].argmax(1).tolist(), "file": labels[worst].tolist()}
    return BlindLabels(images[worst]), theirs


def _shift_explorer() -> dict:
    """The state of notebook 03's explorer: its cells train the networks and compute the tables."""
    cells = json.loads((NOTEBOOKS / "03_pooling.ipynb").read_text(encoding="utf-8"))["cells"]
    sources = {cell["id"]: "".join(cell["source"]) for cell in cells}
    code = "\n".join(sources[name] for name in EXPLORER_CELLS)
    kept = CACHE / f"{_key(code)}.json"
    if not kept.exists():
        names: dict = {}
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            exec(code, names)
        CACHE.mkdir(exist_ok=True)
        kept.write_text(json.dumps(_state(names["explorer"])), encoding="utf-8")
    return json.loads(kept.read_text(encoding="utf-8"))


def _key(code: str) -> str:
    package = Path(course_utils.__file__).parent
    files = [(package / f"{name}.py").read_text(encoding="utf-8") for name in EXPLORER_FILES]
    return hashlib.sha256("\n".join([torch.__version__, code, *files]).encode()).hexdigest()[:16]


def _state(part: CourseWidget) -> dict:
    """The traits that the script of a part reads; not those that Jupyter itself needs. Bytes are in base 64."""
    names = set(part.trait_names(sync=True)) - set(anywidget.AnyWidget.class_trait_names())
    left_out = {"_esm", "_css", "_anywidget_id", "answer"}
    return {name: _plain(getattr(part, name)) for name in sorted(names - left_out)}


def _plain(value):
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
