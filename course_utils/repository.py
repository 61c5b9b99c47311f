"""Where the course's checkout is: its data and its stored results lie there, and not in the installed package."""

from pathlib import Path

MARK = ("pyproject.toml", 'name = "course_utils"')  # this file with this line in it makes a folder the checkout


def root() -> Path:
    """The checkout: beside the package, as in a clone or with `pip install -e .`; else from the working folder upward.

    Raises `FileNotFoundError`, saying where it was looked for, if it is in neither place.
    """
    beside = Path(__file__).resolve().parent.parent
    try:
        here = Path.cwd()
    except FileNotFoundError:  # the working folder was deleted
        here = beside
    for folder in (beside, here, *here.parents):
        if _is_checkout(folder):
            return folder
    raise FileNotFoundError(
        f"the course's data and results were not found. They lie in its repository, and neither {beside}, where "
        f"course_utils is installed, nor the working folder {here} nor a folder above it is a checkout of it (a "
        f"folder whose {MARK[0]} says {MARK[1]}). Start Python in the checkout, or install it from there with "
        "`pip install -e .`"
    )


def _is_checkout(folder: Path) -> bool:
    name, line = MARK
    try:
        return line in (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # no such file, or a folder that may not be looked into
        return False
