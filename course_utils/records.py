"""What is kept of a learner's work: guesses, verdicts seen and exercises solved, in one file beside their notebooks.

Only a folder of learner's copies has that file; `MARK`, which `copies` writes there, makes a folder one. Anywhere else,
in the course's own notebooks/ and in tests, no file is read or written: what is kept ends with the kernel. A file that
can't be used stops nobody: one line says so, once.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock

from course_utils.files import set_aside, write_whole

MARK = ".copies.json"
NAME = ".ledger.json"  # JupyterLab's file browser doesn't show a name with a dot in front
KINDS = ("guesses", "verdicts", "solved")
PATIENCE = 10  # seconds that another kernel may hold the lock; it needs milliseconds

Kept = dict[str, dict[str, Any]]  # one of `KINDS`, then the name of the guess, the claim or the check

_here: Kept = {kind: {} for kind in KINDS}  # what no file has: where there is none, or it can't be written
_said: set[str] = set()


def folder() -> Path | None:
    """The working folder, if it holds a learner's copies."""
    try:
        here = Path.cwd()
        return here if (here / MARK).is_file() else None
    except OSError:  # it was deleted, or may not be looked into
        return None


def solve(check: str) -> None:
    """Keep that the exercise with that check is solved, in the notebook that the kernel belongs to.

    Jupyter's server says which that is; other programs don't.
    """
    notebook = Path(os.environ.get("JPY_SESSION_NAME", "")).stem[:2]
    keep("solved", f"{notebook} {check}".strip(), True)


def keep(kind: str, name: str, value: Any) -> None:
    """Keep `value`, of what JSON can hold, under that name. `kind` is one of `KINDS`."""
    _change(lambda kept: kept[kind].update({name: value}))


def read() -> Kept:
    """All that is kept."""
    return _change(lambda kept: None)


def clear() -> str | None:
    """Forget everything, and return the name under which the old file lies beside the notebooks; None if none was."""
    _forget()
    place = folder()
    if place is None or not (place / NAME).exists():
        return None
    try:
        with _lock(place):
            return set_aside(place / NAME).name
    except OSError as error:
        _say_once(f"Your ledger can't be cleared: {_reason(error)}.")
        return None


def _change(edit: Callable[[Kept], None]) -> Kept:
    """What is kept, after `edit` has changed it."""
    place = folder()
    if place is None:
        edit(_here)
        return _here
    kept = _with_here({kind: {} for kind in KINDS})
    try:
        with _lock(place):  # from reading to writing, so that two kernels lose nothing
            before = _load(place / NAME)
            kept = _with_here(before)
            edit(kept)
            if kept != before:
                write_whole(place / NAME, json.dumps(kept, indent=1) + "\n")
        _forget()
    except OSError as error:
        edit(kept)
        edit(_here)
        _say_once(f"Your ledger can't be read or written ({_reason(error)}); what you do now is kept until a restart.")
    return kept


def _with_here(kept: Kept) -> Kept:
    return {kind: kept[kind] | _here[kind] for kind in KINDS}


def _forget() -> None:
    for entries in _here.values():
        entries.clear()


def _lock(place: Path) -> BaseFileLock:
    return FileLock(place / ".ledger.lock", timeout=PATIENCE)


def _load(path: Path) -> Kept:
    """What the file holds. One that is damaged is put aside, and nothing is kept yet."""
    try:
        kept = json.loads(path.read_bytes())
        if _is_whole(kept):
            return {kind: kept[kind] for kind in KINDS}
    except FileNotFoundError:
        return {kind: {} for kind in KINDS}
    except ValueError:  # no UTF-8, or no JSON
        pass
    print(f"Your ledger was damaged: it lies in {set_aside(path).name} beside the notebooks, and a new one begins.")
    return {kind: {} for kind in KINDS}


def _is_whole(kept: object) -> bool:
    return (
        isinstance(kept, dict)
        and all(isinstance(kept.get(kind), dict) for kind in KINDS)
        and all(isinstance(entry, dict) and "guess" in entry for entry in kept["guesses"].values())
    )


def _reason(error: OSError) -> str:
    return error.strerror or f"another program has had it for {PATIENCE} seconds"


def _say_once(line: str) -> None:
    if line not in _said:
        _said.add(line)
        print(line)
