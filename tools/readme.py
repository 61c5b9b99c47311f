"""Write what README and docs/ say that something else decides: python -m tools.readme [--check]

Each block between `<!-- begin: NAME -->` and `<!-- end: NAME -->` comes from the notebooks, from a stored result, or
from the repository's address in pyproject.toml; so do the pictures docs/recipes.png and docs/scale.png, and the
cell of notebook 00 for Colab. With --check nothing is written, and the exit code is 1 if something would be.
"""

import base64
import json
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import nbformat
from PIL import Image

from course_utils import copies, evidence, plots
from course_utils.files import write_whole
from tools import address, ledger
from tools.bench import course, limits, page_drawing, scale, side_by_side
from tools.run_notebooks import NOTEBOOKS

ROOT = NOTEBOOKS.parent
README = ROOT / "README.md"
START = NOTEBOOKS / "00_start_here.ipynb"
COLAB_CELL = "on-colab"  # its id
BENCHMARKS = ROOT / "docs" / "benchmarks.md"
RECIPES, SCALE = ROOT / "docs" / "recipes.png", ROOT / "docs" / "scale.png"
WIDTH = 120


def notebooks() -> list[str]:
    """The table of contents, from the first cell of each notebook."""
    found = {path.name: nbformat.read(path, as_version=4) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    return copies.contents(found, folder="notebooks/")


def recipes() -> list[str]:
    """The recipes beside the tutorial's script, and where that one's time goes."""
    runs = evidence.load("recipes")["results"]
    _, alt = recipes_picture()
    picture = f"![{alt}]({RECIPES.name})"
    sentences = side_by_side.reference_time(runs), side_by_side.machine_speed(runs), side_by_side.at_best(runs)
    said = textwrap.wrap(" ".join(sentences), WIDTH)
    return [*side_by_side.table(side_by_side.summary(runs)), "", picture, "", *said]


def targets() -> list[str]:
    """What the last runs came to, and which targets they missed."""
    return side_by_side.last_runs(evidence.load(side_by_side.PASSED)["results"])


def course_costs() -> list[str]:
    """Time and memory of the notebooks, how they were measured, and the limits."""
    stored = evidence.load("course")
    made, measured = stored["made"], stored["results"]
    how = (
        f"Measured by `make bench-course` on {made['date']}, one run: {made['machine']}, PyTorch "
        f"{made['versions']['torch']}, threads: {made['threads']}."
    )
    limited = (
        f"`import torch, torchvision` alone takes {measured['import_mb']} MB, JupyterLab without kernels "
        f"{measured['lab_mb']} MB. Our limits are {limits.NOTEBOOK_SECONDS} s a notebook, "
        f"{limits.FIRST_CELL_SECONDS} s its first cell, which imports, {limits.CELL_SECONDS} s any cell, "
        f"{limits.KERNEL_MB_ABOVE_IMPORT} MB above the import, and {limits.LAB_MB} MB for JupyterLab."
    )
    return [*textwrap.wrap(how, WIDTH), "", *course.table(measured), "", *textwrap.wrap(limited, WIDTH)]


def costs() -> list[str]:
    """What an image costs, by batch, threads and processes."""
    stored = evidence.load("scale")
    made = stored["made"]
    how = (
        f"Each value is the median of {stored['settings']['rounds']} runs, made on {made['date']}: {made['machine']}, "
        f"PyTorch {made['versions']['torch']}."
    )
    return [*scale.table(stored), "", *textwrap.wrap(how, WIDTH)]


def answers() -> list[str]:
    """How long the web page takes to read a drawn digit."""
    stored = evidence.load("page_drawing")
    made = f"Measured on {stored['made']['date']}: {stored['made']['machine']}."
    return textwrap.wrap(f"**The drawing pad.** {page_drawing.sentence(stored['results'])} {made}", WIDTH)


def badges() -> list[str]:
    """Where it can be read and tried without installing anything."""
    badge = "https://colab.research.google.com/assets/colab-badge.svg"
    places = [
        f"**[Read it in the browser]({address.site()})**",
        f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({address.binder()})",
        f"[![Open in Colab]({badge})]({address.colab(START.name)})",
    ]
    return [" · ".join(places)]


def clone() -> list[str]:
    """What to type."""
    name = address.place().rpartition("/")[2]
    return [
        "```",
        f"git clone {address.repository()}",
        f"cd {name}",
        "make lab     # installs into .venv, then opens JupyterLab on your own copies of the notebooks",
        "make test    # runs every notebook and compares its outputs, and tests the rest, in a browser too",
        "```",
    ]


def binder() -> list[str]:
    """Binder's address."""
    return [f"<{address.binder()}>"]


def colab() -> list[str]:
    """The cell that Colab needs."""
    return ["```python", *address.colab_cell(), "```"]


def hub() -> list[str]:
    """The link for learners on a JupyterHub."""
    return ["```", address.hub_link(), "```"]


PAGES = {
    README: {"badges": badges, "clone": clone, "notebooks": notebooks, "ledger": ledger.table},
    ROOT / "docs" / "running.md": {"binder": binder, "colab": colab},
    ROOT / "docs" / "teaching.md": {"hub": hub},
    BENCHMARKS: {"course": course_costs, "answers": answers, "recipes": recipes, "targets": targets, "scale": costs},
}


def filled(text: str, blocks: dict[str, Callable[[], list[str]]]) -> str:
    """The text with each block as it should be. Raises `ValueError` for a block that is not there exactly once."""
    for name, lines in blocks.items():
        begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            raise ValueError(f"there must be one block between {begin.strip()} and {end}, each on a line of its own")
        before, rest = text.split(begin)
        text = before + begin + "".join(f"{line}\n" for line in lines()) + end + rest.split(end)[1]
    return text


def start_notebook(text: str) -> str:
    """Notebook 00 with Colab's cell as it should be."""
    notebook = nbformat.reads(text, as_version=4)
    cell = next(cell for cell in notebook.cells if cell.id == COLAB_CELL)
    code = "\n".join(address.colab_cell())
    cell.source = f"*On Colab only*, run this in a cell of its own first:\n\n```python\n{code}\n```"
    return nbformat.writes(notebook) + "\n"


def recipes_picture() -> tuple[bytes, str]:
    """The figure that notebook 05 shows of the recipes, and its alt text."""
    cells = nbformat.read(NOTEBOOKS / "05_training.ipynb", as_version=4).cells
    (output,) = next(cell.outputs for cell in cells if cell.id == "bench-3")
    return base64.b64decode(output.data["image/png"]), output.metadata["image/png"]["alt"]


def scale_text() -> str:
    """What the figure of the costs shows, kept in its metadata."""
    return json.dumps(evidence.load("scale")["results"])


def should_be() -> dict[Path, str]:
    """The texts of all files that a block or a cell is written into."""
    pages = {path: filled(path.read_text(encoding="utf-8"), blocks) for path, blocks in PAGES.items()}
    return {**pages, START: start_notebook(START.read_text(encoding="utf-8"))}


def stale() -> list[Path]:
    """The files that are not as they should be."""
    fresh = {path: path.read_text(encoding="utf-8") == text for path, text in should_be().items()}
    with Image.open(SCALE) as picture:
        fresh[SCALE] = picture.text.get("Description") == scale_text()
    fresh[RECIPES] = RECIPES.read_bytes() == recipes_picture()[0]
    return [path for path, is_fresh in fresh.items() if not is_fresh]


def write(path: Path) -> None:
    """Bring one of the files up to date."""
    if path == RECIPES:
        path.write_bytes(recipes_picture()[0])
    elif path == SCALE:
        plots.use_style()
        scale.draw(evidence.load("scale")).savefig(path, metadata={"Description": scale_text()})
    else:
        write_whole(path, should_be()[path])


def main(options: list[str]) -> int:
    """Write or check, say which files, and return the exit code."""
    files, check = stale(), options == ["--check"]
    for path in files:
        if not check:
            write(path)
        print(f"{path.relative_to(ROOT)}: {'not as `python -m tools.readme` writes it' if check else 'written'}")
    return int(check and bool(files))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
