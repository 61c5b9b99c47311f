"""The ledger of the twelve claims: what the notebooks print, and docs/ledger.png, which shows it (`make notebooks`)."""

import io
import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
from nbformat import NotebookNode

from course_utils import claims, plots
from course_utils.files import write_whole

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "ledger.png"
VERDICT = re.compile(r"^(C\d+): (holds partly|holds|fails)$", re.M)
# A sign as well as a colour, for those who can't tell the colours apart.
LOOKS = {"holds": ("C2", "✓"), "holds partly": ("C4", "≈"), "fails": ("C1", "✗"), "open": ("0.6", "?")}

PLURAL = {"holds": "hold", "holds partly": "hold partly", "fails": "fail", "open": "open"}


def printed(cell: NotebookNode) -> str:
    """All text that a code cell printed."""
    return "".join(output.text for output in cell.get("outputs", []) if output.output_type == "stream")


def verdicts(notebook: NotebookNode) -> dict[str, str]:
    """The verdicts that a notebook's cells printed, by claim."""
    return dict(match for cell in notebook.cells for match in VERDICT.findall(printed(cell)))


def all_verdicts() -> dict[str, str]:
    """The verdicts of all notebooks, in the order of the claims; "open" where none is printed yet."""
    found = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        found |= verdicts(nbformat.read(path, as_version=4))
    return {claim: found.get(claim, "open") for claim in claims.CLAIMS}


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
    axes.set(xlim=(0, 10.2), ylim=(len(outcomes) - 0.5, -0.5), title=f"Twelve claims of 2017, tested: {tally}")
    axes.set_axis_off()
    return figure


def main() -> None:
    """Draw the present verdicts and keep them in the picture's metadata, where a test reads them."""
    plots.use_style()
    outcomes = all_verdicts()
    drawn = io.BytesIO()
    draw(outcomes).savefig(drawn, format="png", metadata={"Description": json.dumps(outcomes)})
    write_whole(PICTURE, drawn.getvalue())
    print(f"docs/{PICTURE.name}: {outcomes}")


if __name__ == "__main__":
    main()
