"""The ledger of the twelve claims, read from what the notebooks print, as rows and as a picture."""

import re
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import nbformat
from nbformat import NotebookNode

from course_utils import claims
from tools.run_notebooks import NOTEBOOKS

# As claims.verdict prints it: the verdict, and on the next line the figures that decided it.
PRINTED = re.compile(r"^(C\d+)(?: on ([\w-]+))?: (holds partly|holds|fails)\n(.*)$", re.M)
# A sign as well as a colour, for those who can't tell the colours apart.
LOOKS = {"holds": ("C2", "✓"), "holds partly": ("C4", "≈"), "fails": ("C1", "✗"), "open": ("0.6", "?")}
PLURAL = {"holds": "hold", "holds partly": "hold partly", "fails": "fail", "open": "open"}


class Row(NamedTuple):
    """A verdict, the figures that decided it, and where both are printed."""

    claim: str
    data: str  # "" for MNIST
    outcome: str
    figures: str
    notebook: str  # the name of its file
    cell: str


def printed(cell: NotebookNode) -> str:
    """All text that a code cell printed."""
    return "".join(output.text for output in cell.get("outputs", []) if output.output_type == "stream")


def rows_of(path: Path) -> list[Row]:
    """The verdicts that a notebook's cells printed."""
    cells = nbformat.read(path, as_version=4).cells
    return [Row(*found, path.name, cell.id) for cell in cells for found in PRINTED.findall(printed(cell))]


def rows(data: str = "") -> list[Row]:
    """The verdicts of all notebooks on MNIST, or on `data`, in the order of the claims; "open" where none is printed.

    On another data set the claims that are not judged there are left out.
    """
    printed = (row for path in sorted(NOTEBOOKS.glob("*.ipynb")) for row in rows_of(path))
    found = {row.claim: row for row in printed if row.data == data}
    named = [claim for claim in claims.CLAIMS if claim in found or not data]
    return [found.get(claim, Row(claim, data, "open", "", "", "")) for claim in named]


def travelled() -> tuple[int, int]:
    """How many claims have the same verdict on the second data set, and how many are judged there."""
    first = {row.claim: row.outcome for row in rows()}
    second = rows(claims.SECOND_DATA)
    return sum(row.outcome == first[row.claim] for row in second), len(second)


def draw() -> plt.Figure:
    """One row a claim: its number, its text, and its verdicts as colour, sign and words."""
    figure, axes = plt.subplots(figsize=(11.6, 5))
    first, second = rows(), {row.claim: row.outcome for row in rows(claims.SECOND_DATA)}
    for place, row in enumerate(first):
        axes.text(0, place, row.claim, va="center", weight="bold")
        axes.text(0.6, place, claims.CLAIMS[row.claim].text, va="center")
        _draw_verdict(axes, 8.1, place, row.outcome)
        if row.claim in second:
            _draw_verdict(axes, 10.1, place, second[row.claim])
    axes.text(8.15, -1, "MNIST", weight="bold", va="center")
    axes.text(10.15, -1, claims.SECOND_DATA, weight="bold", va="center")
    outcomes = [row.outcome for row in first]
    counts = {words: outcomes.count(outcome) for outcome, words in PLURAL.items()}
    tally = ", ".join(f"{count} {words}" for words, count in counts.items() if count)
    axes.set(xlim=(0, 12.1), ylim=(len(first) - 0.5, -1.4), title=f"A tutorial's twelve claims, tested: {tally}")
    axes.set_axis_off()
    return figure


def _draw_verdict(axes: plt.Axes, left: float, place: int, outcome: str) -> None:
    color, sign = LOOKS[outcome]
    axes.barh(place, 1.9, left=left, height=0.86, color=color, alpha=0.25)
    # DejaVu, which comes with matplotlib, has the signs.
    axes.text(left + 0.1, place, sign, va="center", weight="bold", fontfamily="DejaVu Sans")
    axes.text(left + 0.4, place, outcome, va="center")
