"""Build the web edition from the notebooks and docs/: `make site`, or `python -m tools.build_site`.

It asks no network, and runs no cell but those that train what the shift explorer shows. The pages land in
site/_build/html.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools import ledger, site_pages, site_parts

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "site"
BUILD = SITE / "_build"
DOCS = ROOT / "docs"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))  # an unpacked zip has no git to ask
TEXTS = sorted(DOCS.glob("*.md"))


def front_page(notebooks: list[str], texts: list[str]) -> str:
    """The first page: a part to play with, then where to go, and the twelve verdicts."""
    verdicts = "\n".join(ledger.table())
    return f"""# Convolutional networks, one claim at a time

{site_parts.placeholder("Draw a digit")}

You have seen what each block of a small network makes of your digit: bright where one of its filters found what it
looks for. [What is such a filter? Begin here.](01_convolution_intuition)

## The course

A course in notebooks. You build a convolutional network that reads handwritten digits, and put what is said about such
networks to the test. Here you can read all of it; to run it you need Python and `make lab`.

{_contents("The notebooks", notebooks)}

{_contents("Beside them", texts)}

## What the experiments say

{verdicts}
"""


def _contents(caption: str, names: list[str]) -> str:
    return "\n".join(["```{toctree}", f":caption: {caption}", ":maxdepth: 1", "", *names, "```"])


def write_sources(folder: Path) -> dict:
    """Write the sources of all pages; return what Sphinx is to know of them: collapsed headings, and terms."""
    notebooks = {path.stem: path.read_text(encoding="utf-8") for path in NOTEBOOKS}
    texts = {path.stem: path.read_text(encoding="utf-8") for path in TEXTS}
    index = front_page(list(notebooks), list(texts))
    targets = site_pages.linked_cells(notebooks | texts | {"index": index})
    collapsed = {}
    for name, text in notebooks.items():
        notebook = json.loads(text)
        collapsed[name] = site_pages.notebook_page(notebook, f"{name}.ipynb", targets)
        (folder / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(site_pages.text_page(text, name), encoding="utf-8")
    for picture in DOCS.glob("*.png"):
        shutil.copyfile(picture, folder / picture.name)
    (folder / "index.md").write_text(site_pages.with_links(index, "index"), encoding="utf-8")
    return {"collapsed": collapsed, "terms": site_pages.terms(texts["glossary"])}


def build() -> int:
    """Build the site; return Sphinx's exit code, which is 1 for any warning."""
    source, html = BUILD / "source", BUILD / "html"
    shutil.rmtree(BUILD, ignore_errors=True)
    source.mkdir(parents=True)
    (BUILD / "found.json").write_text(json.dumps(write_sources(source)), encoding="utf-8")
    site_parts.write(BUILD / "static" / "parts")
    options = ["-q", "-W", "--keep-going", "-b", "html", "-c", SITE, "-d", BUILD / "doctrees"]
    command = [sys.executable, "-m", "sphinx", *options, source, html]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"SOURCE_DATE_EPOCH": "0", "PYTHONHASHSEED": "0"})
    if done.returncode:
        return done.returncode
    (html / "notebooks").mkdir()
    for path in NOTEBOOKS:
        shutil.copyfile(path, html / "notebooks" / path.name)
    shutil.rmtree(html / "_sources", ignore_errors=True)  # the notebooks themselves are there
    for left in (".buildinfo", "objects.inv"):
        (html / left).unlink(missing_ok=True)
    (html / ".nojekyll").touch()
    return 0


if __name__ == "__main__":
    sys.exit(build())
