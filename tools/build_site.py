"""Build the web edition from the tracked notebooks: `make site`, or `python -m tools.build_site`.

It asks no network, and runs no cell but those that train what the shift explorer shows. The pages land in
site/_build/html.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools import address, site_parts

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "site"
BUILD = SITE / "_build"


def tracked_notebooks() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "notebooks/*.ipynb"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [ROOT / line for line in sorted(listed.splitlines())]


def prepare(notebook: dict, name: str) -> list[str]:
    """Change a notebook, in place, into what the page shows; return the headings that it stores collapsed."""
    collapsed = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["metadata"].get("jp-MarkdownHeadingCollapsed"):
            collapsed += [re.sub(r"[*`]", "", title) for title in re.findall(r"\A#+ (.+)", source)]
        # the README is no page; what it says to a reader of the pages stands on the first one
        cell["source"] = re.sub(r"\]\(\.\./README\.md(#[^)]*)?\)", "](index.md)", source)
        if cell["cell_type"] == "code":
            _fold_and_describe(cell)
    notebook["cells"].insert(1, _where_to_run(name))
    return collapsed


def _fold_and_describe(cell: dict) -> None:
    metadata = cell["metadata"]
    tags = metadata.setdefault("tags", [])
    hidden = metadata.get("jupyter", {})
    if "solution" in tags or hidden.get("outputs_hidden"):
        tags.append("hide-cell")
    elif hidden.get("source_hidden"):
        tags.append("hide-input")
    for output in cell["outputs"]:
        text = "".join(output.get("data", {}).get("text/plain", ""))
        if "interactive part" in text:
            title = text.strip("[").partition(":")[0]
            if title in site_parts.NAMES:  # the others keep their line, which says where they run
                output["data"] = {"text/html": site_parts.placeholder(title), "text/plain": text}
    # myst-nb takes the text for those who don't see a figure from the cell, Jupyter keeps it with the output
    alts = [output.get("metadata", {}).get("image/png", {}).get("alt") for output in cell["outputs"]]
    if alt := " ".join(filter(None, alts)):
        metadata["mystnb"] = {"image": {"alt": alt}}


def _where_to_run(name: str) -> dict:
    offers = [f'<a href="notebooks/{name}" download>Download the notebook</a>']
    if address.is_known():
        offers += [
            f'<a href="{address.binder(f"notebooks/{name}")}">Open in Binder</a>',
            f'<a href="{address.repository()}">Get the course</a>',
        ]
    text = (
        '<p class="course-run">Run it, and solve the exercises, in JupyterLab: after <code>make lab</code> in your '
        f"clone, open <code>{name}</code>. {' · '.join(offers)}</p>"
    )
    return {"cell_type": "markdown", "id": "where-to-run", "metadata": {}, "source": text}


def front_page(names: list[str]) -> str:
    contents = "\n".join(names)
    return f"""# Convolutional networks, one claim at a time

{site_parts.placeholder("Draw a digit")}

You have seen what each block of a small network makes of your digit: bright where one of its filters found what it
looks for. [What is such a filter? Begin here.](01_convolution_intuition)

## The course

A course in notebooks. You build a convolutional network that reads handwritten digits, and put what is said about such
networks to the test. Here you can read all of it; to run it you need Python and `make lab`.

```{{toctree}}
:caption: The notebooks
:maxdepth: 1

{contents}
```
"""


def build() -> int:
    source, html = BUILD / "source", BUILD / "html"
    shutil.rmtree(BUILD, ignore_errors=True)
    source.mkdir(parents=True)
    collapsed, names = {}, []
    for path in tracked_notebooks():
        notebook = json.loads(path.read_text(encoding="utf-8"))
        collapsed[path.stem] = prepare(notebook, path.name)
        (source / path.name).write_text(json.dumps(notebook), encoding="utf-8")
        names.append(path.stem)
    site_parts.write(BUILD / "static" / "parts")
    (source / "index.md").write_text(front_page(names), encoding="utf-8")
    (BUILD / "collapsed.json").write_text(json.dumps(collapsed), encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-c", SITE, "-d", BUILD / "doctrees", source, html]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"SOURCE_DATE_EPOCH": "0", "PYTHONHASHSEED": "0"})
    if done.returncode:
        return done.returncode
    (html / "notebooks").mkdir()
    for path in tracked_notebooks():
        shutil.copyfile(path, html / "notebooks" / path.name)
    shutil.rmtree(html / "_sources", ignore_errors=True)  # the notebooks themselves are there
    for left in (".buildinfo", "objects.inv"):
        (html / left).unlink(missing_ok=True)
    (html / ".nojekyll").touch()
    return 0


if __name__ == "__main__":
    sys.exit(build())
