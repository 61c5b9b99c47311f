"""What a page asks of a learner: minutes as stated, code in view that is taught, and no more of it than is read."""

import re
from pathlib import Path
from statistics import median

import pytest
from nbformat import NotebookNode

from tests.notebooks.test_form import every_notebook, read

DRAWS = re.compile(r"plots\.|plt\.|\baxes\b|\bfigure\b")
LONGEST = {"06": 40, "07": 40}  # minutes of the core; all others 35
LONG_CELL = 12  # lines; a notebook may have one above it in view, the one that it exists for


def core_of(path: Path) -> list[NotebookNode]:
    """The cells that do not stand under a heading which is stored collapsed."""
    core, hidden_below = [], None
    for cell in read(path).cells:
        heading = re.match(r"(#+) ", cell.source) if cell.cell_type == "markdown" else None
        if heading and hidden_below is not None and len(heading[1]) <= hidden_below:
            hidden_below = None
        if heading and hidden_below is None and cell.metadata.get("jp-MarkdownHeadingCollapsed"):
            hidden_below = len(heading[1])
        if hidden_below is None:
            core.append(cell)
    return core


def in_view(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Code cells whose source is not folded."""
    return [
        cell for cell in cells if cell.cell_type == "code" and not cell.metadata.get("jupyter", {}).get("source_hidden")
    ]


def lines_of(cell: NotebookNode) -> int:
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def minutes_of(cells: list[NotebookNode]) -> float:
    """200 words or 20 lines of code a minute, 4 minutes an exercise, 2 an interactive part, 0.3 a figure."""
    words = sum(len(re.findall(r"[\w'\u2019]+", cell.source)) for cell in cells if cell.cell_type == "markdown")
    exercises = sum("exercise" in cell.metadata.get("tags", []) for cell in cells if cell.cell_type == "code")
    data = [out.get("data", {}) for cell in cells if cell.cell_type == "code" for out in cell.outputs]
    parts = sum("interactive part" in each.get("text/plain", "") for each in data)
    figures = sum("image/png" in each for each in data)
    return words / 200 + sum(map(lines_of, in_view(cells))) / 20 + 4 * exercises + 2 * parts + 0.3 * figures


@every_notebook
def test_takes_the_minutes_that_it_states(path):
    core = core_of(path)
    stated = int(re.search(r"\*\*Minutes\.\*\*\D*(\d+)", core[0].source)[1])
    assert stated <= LONGEST.get(path.name[:2], 35)
    assert minutes_of(core) == pytest.approx(stated, rel=0.15)


@every_notebook
def test_code_in_view_is_short_and_taught(path):
    cells = in_view(core_of(path))
    lengths = [lines_of(cell) for cell in cells]
    assert sum(length > LONG_CELL for length in lengths) <= 1
    assert median(lengths) <= 6
    assert not [cell.source for cell in cells if re.search(r"NBVAL|^\s*assert ", cell.source, re.M)]
    drawing = [cell for cell in cells if DRAWS.search(cell.source) and "import" not in cell.source]
    assert sum(map(lines_of, drawing)) < 0.1 * sum(lengths)
