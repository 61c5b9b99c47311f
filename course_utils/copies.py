"""The copies of the notebooks that a learner works in: made once, found again as they were left, one given back.

The course's own notebooks/ stays as it was tested, whatever a learner does, and an update of the course never touches
what a learner wrote. `MARK` in the folder of copies holds the SHA-256 of each file as it was put there.
"""

import hashlib
import json
import os
import re
import sys
from pathlib import Path

from course_utils import records, repository
from course_utils.files import set_aside, write_whole

FOLDER = "my_notebooks"  # in the checkout, where git ignores it
HOME_FOLDER = "my_cnn_notebooks"  # in the learner's home, where the checkout may not be written to
START_PAGE = "start_page.md"
HERE = Path(__file__).resolve().parent
SETTINGS = HERE / "jupyter"  # of JupyterLab, for this course only; the learner's own come before them

# The beginning of a notebook: number, title, question, minutes.
OPENING = re.compile(r"# (\d+) · (.*?)\n.*\*\*Question\.\*\* (.*?)\n.*\*\*Minutes\.\*\* (\d+)", re.S)
OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)]+)\)")  # a link to a file that JupyterLab doesn't reach from the copies


class CopiesError(RuntimeError):
    """There is no such notebook, and the message says which there are; or one of the course's can't be read."""


def folder() -> Path:
    """Where the copies are or would be: the working folder, if they are there, else the checkout, else the home."""
    if here := records.folder():
        return here
    beside = repository.root() / FOLDER
    return beside if os.access(beside if beside.exists() else beside.parent, os.W_OK) else Path.home() / HOME_FOLDER


def update(place: Path) -> list[str]:
    """Make the copies in `place`, or see that all are there, and return what there is to say, a line each.

    What a learner has changed is never overwritten. Raises `CopiesError`, and `OSError` where nothing can be written.
    """
    place.mkdir(parents=True, exist_ok=True)
    made, fresh, changed, new = _read_mark(place), originals(), [], []
    first = not made
    for name, content in fresh.items():
        path, digest = place / name, _digest(content)
        there = _digest(path.read_bytes()) if path.exists() else None
        if there is None or there == made.get(name) != digest:  # it was never opened, or at least never changed
            write_whole(path, content)
            new += [] if first or name == START_PAGE else [name]
        elif made.get(name, digest) != digest:
            changed.append(name)
            continue
        made[name] = digest
    gone = [name for name in made if name not in fresh and (place / name).exists()]
    _write_mark(place, made)
    said = []
    if new:
        said.append(f"New, or as the course has it now: {_list(new)}")
    if changed:
        numbers = " ".join(name.split("_")[0] for name in changed)
        said.append(
            f"The course has changed {_list(changed)}; yours stay as they are. To get the new ones, and keep yours "
            f"beside them: {command()} fresh {numbers}"
        )
    if gone:
        said.append(f"No longer part of the course: {_list(gone)}; yours stay as they are")
    return said


def give_back(which: str, place: Path | None = None) -> str:
    """Put a notebook into the folder of copies as it was, the learner's version beside it, and return what was done.

    `which` is a number, a name or the beginning of one. Raises `CopiesError` if there is none.
    """
    place = folder() if place is None else place
    fresh = originals()
    name = _name(which, list(fresh))
    content, path = fresh[name], place / name
    place.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_bytes() == content:
        return f"{name} is as it was; there is nothing to give back."
    kept = f" Your version is {set_aside(path).name}, beside it." if path.exists() else ""
    write_whole(path, content)
    _write_mark(place, {**_read_mark(place), name: _digest(content)})
    again = " If it is open, choose File → Reload Notebook from Disk." if kept else ""
    return f"{name} is as it was.{kept}{again}"


def fresh(which: str) -> None:
    """`give_back`, for a cell of a notebook: it prints what was done, or why nothing was."""
    try:
        print(give_back(which))
    except (CopiesError, OSError) as error:
        print(error)


def originals() -> dict[str, bytes]:
    """The start page and the course's notebooks without outputs, as they are copied, by name."""
    notebooks = {path.name: _read(path) for path in sorted((repository.root() / "notebooks").glob("*.ipynb"))}
    copied = {name: _text(_cleared(notebook)).encode() for name, notebook in notebooks.items()}
    return {**copied, START_PAGE: _start_page(notebooks).encode()}


def contents(notebooks: dict[str, dict], folder: str = "") -> list[str]:
    """A table of notebooks, by name, from the first cell of each, in lines of Markdown; links begin with `folder`."""
    lines = ["| | Notebook | Its question | Minutes |", "|---|---|---|---|"]
    for name, notebook in notebooks.items():
        opening = OPENING.match("".join(notebook["cells"][0]["source"]))
        number, title, question, minutes = opening.groups() if opening else (name[:2], name, "", "")
        lines.append(f"| {number} | [{title}]({folder}{name}) | {question} | {minutes} |")
    return lines


def command() -> str:
    """How a learner starts the course's command line in a terminal, in the checkout."""
    own = repository.root() / ".venv"
    inside = sys.platform != "win32" and own.exists() and own.samefile(sys.prefix)
    return f"{'.venv/bin/python' if inside else 'python'} -m course_utils"


def lab_command(place: Path, *more: str) -> list[str]:
    """The command that opens JupyterLab on the copies, to be run in `lab_environment()`; `more` options for it."""
    start = f"/lab/workspaces/course/tree/{START_PAGE}"  # a workspace of its own, without the tabs of other work
    as_root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # as one often is in a container
    options = [f"--ServerApp.root_dir={place}", f"--LabApp.default_url={start}"]
    return [sys.executable, "-m", "jupyterlab", *as_root, *options, *more]


def lab_environment() -> dict[str, str]:
    """This process's environment, with which JupyterLab takes the course's settings for its defaults."""
    paths = [str(SETTINGS), os.environ.get("JUPYTER_CONFIG_PATH")]
    return {
        "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel is this Python, whatever a user has registered
        **os.environ,
        "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, paths)),
    }


def _text(content: dict) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise CopiesError(f"{path} is no notebook ({error}). `git checkout -- notebooks` restores it") from error


def _cleared(notebook: dict) -> dict:
    """Without outputs and counts, and with no link that leads out of the folder."""
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell = {**cell, "outputs": [], "execution_count": None}
        elif cell["cell_type"] == "markdown":
            source = OUTSIDE.sub(r"\1 (`\2` in the course's folder)", "".join(cell["source"]))
            cell = {**cell, "source": source.splitlines(keepends=True)}
        cells.append(cell)
    return {**notebook, "cells": cells}


def _start_page(notebooks: dict[str, dict]) -> str:
    page = (HERE / START_PAGE).read_text(encoding="utf-8")
    return page.replace("{contents}", "\n".join(contents(notebooks))).replace("{command}", command())


def _name(which: str, names: list[str]) -> str:
    """Of the one among `names` that is meant."""
    said = Path(str(which)).name.removesuffix(".ipynb")
    said = said.zfill(2) if said.isdecimal() else said
    meant = [name for name in names if name.startswith(said)] if said else []
    if len(meant) != 1:
        raise CopiesError(f"there is no notebook {str(which)!r}; there are {_list(names)}")
    return meant[0]


def _list(names: list[str]) -> str:
    return ", ".join(name.removesuffix(".ipynb") for name in names)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_mark(place: Path) -> dict[str, str]:
    """By name, the SHA-256 of the copies that were made; {} if none were, or if the file is damaged."""
    try:
        made = json.loads((place / records.MARK).read_bytes())
        return {str(name): str(digest) for name, digest in made.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _write_mark(place: Path, made: dict[str, str]) -> None:
    if _read_mark(place) != made:
        write_whole(place / records.MARK, _text(made))
