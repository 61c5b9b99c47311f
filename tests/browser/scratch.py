"""A notebook with every interactive part in it, each in a cell of its own, quicker than the notebooks they stand in."""

from dataclasses import dataclass
from pathlib import Path

import nbformat
from lab import Lab
from playwright.sync_api import Locator

NAME = "widgets.ipynb"
SETUP = """\
import torch
from course_utils import load_mnist
from course_utils.widgets.kernel_playground import KernelPlayground

mnist = load_mnist()
digit = mnist.test[:1][0][0, 0]  # a 7
"""
# The source of the cell that shows each part, by its `data-widget`; its last line is the part.
CELLS = {
    "kernel-playground": "playground = KernelPlayground(digit)\nplayground",
}


def write_notebook(root: Path) -> None:
    """Write it into the server's folder, without outputs."""
    sources = [SETUP, *CELLS.values(), "# questions of the tests"]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), root / NAME)


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
        self.lab.page.wait_for_timeout(300)  # a part tells Python 100 ms after the last of many changes
        index = 1 + len(CELLS)
        self.lab.write(index, f"print(repr({expression}))")
        return self.lab.run(index).text().strip()

    def root(self, name: str) -> Locator:
        return self.lab.page.locator(f".jp-Notebook:visible .course-widget[data-widget='{name}']")
