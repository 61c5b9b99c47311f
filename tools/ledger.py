"""The ledger of the twelve claims, read from what the notebooks print, as rows and as a table."""

import re
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from course_utils import claims
from tools.run_notebooks import NOTEBOOKS

# As claims.verdict prints it: the verdict, and on the next line the figures that decided it.
PRINTED = re.compile(r"^(C\d+)(?: on ([\w-]+))?: (holds partly|holds|fails)\n(.*)$", re.M)


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


def table() -> list[str]:
    """What travelled; then a row a claim: its verdicts with links to the cells that print them, and what decided one.

    Lines of Markdown, the links as they lead from the course's folder.
    """
    where = claims.SECOND_DATA
    first, second = rows(), {row.claim: row for row in rows(where)}
    same = sum(row.claim in second and row.outcome == second[row.claim].outcome for row in first)
    lines = [
        f"Of {len(second)} claims judged again on {where}, {same} travelled: the same verdict on both data sets.",
        "",
        f"| | Claim of the tutorial | On MNIST | On {where} | What decided it on MNIST |",
        "|---|---|---|---|---|",
    ]
    for row in first:
        again = _linked(second[row.claim]) if row.claim in second else ""
        lines.append(f"| {row.claim} | {claims.CLAIMS[row.claim].text} | {_linked(row)} | {again} | {row.figures} |")
    return lines


def _linked(row: Row) -> str:
    return f"[{row.outcome}](notebooks/{row.notebook}#cell-id={row.cell})" if row.cell else row.outcome
