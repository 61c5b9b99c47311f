"""A notebook with every interactive part in it, each in a cell of its own, quicker than the notebooks they stand in."""

from dataclasses import dataclass
from pathlib import Path

import nbformat
from playwright.sync_api import Locator

from tests.browser.lab import Lab

PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}  # or JupyterLab asks which kernel
NAME = "widgets.ipynb"
SETUP = """\
import torch
from PIL import Image
from torch import nn

from course_utils import load_mnist
from course_utils.models import CNN
from course_utils.widgets.blind_labels import BlindLabels
from course_utils.widgets.draw_digit import DrawDigit
from course_utils.widgets.kernel_playground import KernelPlayground
from course_utils.widgets.photo_reader import PhotoReader
from course_utils.widgets.shift_explorer import ShiftExplorer
from course_utils.widgets.weight_sharing import WeightSharing

mnist = load_mnist()
digits, labels = mnist.test[:4]  # 7, 2, 1, 0
sheet = Image.fromarray(255 - torch.cat(list(digits[:, 0]), dim=1).mul(255).byte().numpy())


def trained(network):
    optimizer = torch.optim.Adam(network.parameters(), lr=0.002)
    for start in range(0, 10_000, 100):  # well enough for a clear digit, in seconds
        images, labels = mnist.train[start : start + 100]
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
    return network


if "model" not in globals():  # the kernel serves all modules of tests
    torch.manual_seed(1)
    model = trained(CNN())
    dense = trained(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
"""
# The source of the cell that shows each part, by its `data-widget`; its last line is the part.
CELLS = {
    "kernel-playground": "playground = KernelPlayground(digits[0])\nplayground",
    "weight-sharing": "sharing = WeightSharing()\nsharing",
    "shift-explorer": "explorer = ShiftExplorer(digits[0], {'dense': dense, 'CNN': model}, label=7)\nexplorer",
    "draw-digit": "pad = DrawDigit(model, mnist.test[:10][0])\npad",
    "blind-labels": "form = BlindLabels(digits, network=[7, 2, 1, 6], file=labels)\nform",
    "photo-reader": "reader = PhotoReader(model, threshold=0.9)\nreader.read(sheet)\nreader",
}
QUESTIONS = 1 + len(CELLS)  # the last cell


def write_notebook(root: Path) -> None:
    """Write it into the server's folder, without outputs."""
    sources = [SETUP, *CELLS.values(), "# questions of the tests"]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=PYTHON), root / NAME)


@dataclass
class Widgets:
    """The opened notebook, set up."""

    lab: Lab

    def show(self, name: str, source: str | None = None) -> Locator:
        """Run the cell of a part, so that it is as new, and return its root. `source` is run instead, if given."""
        index = 1 + list(CELLS).index(name)
        cell = self.lab.cells()[index]
        if cell.source != (source or CELLS[name]):
            self.lab.write(index, source or CELLS[name])
        troubles = self.lab.run(index).troubles()
        assert not troubles, troubles
        root = self.root(name)
        root.first.wait_for()
        return root

    def ask(self, expression: str) -> str:
        """What Python says to an expression, run in the notebook's last cell."""
        self.lab.page.wait_for_timeout(300)  # a part tells Python of a change once the one before has been answered
        self.lab.write(QUESTIONS, f"print(({expression}))")
        return self.lab.run(QUESTIONS).text().strip()

    def keep_busy(self, seconds: float) -> None:
        """Let the kernel do something else, and don't wait for it."""
        self.lab.write(QUESTIONS, f"import time; time.sleep({seconds})")
        self.lab.page.keyboard.press("Shift+Enter")
        self.lab.wait_for("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'")

    def root(self, name: str) -> Locator:
        return self.lab.page.locator(f".jp-Notebook:visible .course-widget[data-widget='{name}']")
