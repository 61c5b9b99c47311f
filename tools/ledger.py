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
PRINTED = re.compile(r"^(C\d+): (holds partly|holds|fails)\n(.*)$", re.M)
# A sign as well as a colour, for those who can't tell the colours apart.
LOOKS = {"holds": ("C2", "✓"), "holds partly": ("C4", "≈"), "fails": ("C1", "✗"), "open": ("0.6", "?")}
PLURAL = {"holds": "hold", "holds partly": "hold partly", "fails": "fail", "open": "open"}


class Row(NamedTuple):
    """A verdict, the figures that decided it, and where both are printed."""

    claim: str
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


def rows() -> list[Row]:
    """The verdicts of all notebooks, in the order of the claims; "open" where none is printed yet."""
    found = {row.claim: row for path in sorted(NOTEBOOKS.glob("*.ipynb")) for row in rows_of(path)}
    return [found.get(claim, Row(claim, "open", "", "", "")) for claim in claims.CLAIMS]


def draw(outcomes: dict[str, str]) -> plt.Figure:
    """One row a claim: its number, its text, and its verdict as colour, sign and words."""
    figure, axes = plt.subplots(figsize=(10.4, 4.8))
    for row, (claim, outcome) in enumerate(outcomes.items()):
        color, sign = LOOKS[outcome]
        axes.barh(row, 2.1, left=8.1, height=0.86, color=color, alpha=0.25)
        axes.text(0, row, claim, va="center", weight="bold")
        axes.text(0.6, row, claims.CLAIMS[claim].text, va="center")
        # DejaVu, which comes with matplotlib, has the signs.
        axes.text(8.25, row, sign, va="center", weight="bold", fontfamily="DejaVu Sans")
        axes.text(8.6, row, outcome, va="center")
    counts = {words: list(outcomes.values()).count(outcome) for outcome, words in PLURAL.items()}
    tally = ", ".join(f"{count} {words}" for words, count in counts.items() if count)
    axes.set(xlim=(0, 10.2), ylim=(len(outcomes) - 0.5, -0.5), title=f"A tutorial's twelve claims, tested: {tally}")
    axes.set_axis_off()
    return figure
