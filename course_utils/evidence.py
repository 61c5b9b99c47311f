"""Results of experiments too long for a notebook, stored with how they were made.

`make evidence` runs the experiments of experiments/ and writes experiments/results/NAME.json; a notebook shows what is
stored beside a small live run.
"""

import datetime
import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from course_utils import repository
from course_utils.files import write_whole
from course_utils.training import choose_device


def folder() -> Path:
    """Where results are stored. Raises `FileNotFoundError` where there is no repository."""
    return repository.root() / "experiments" / "results"


class UncommittedChanges(RuntimeError):
    """The code is not what its commit says, so no result of it could be made again; the message names the files."""


def code_version() -> str:
    """The commit that the code stands on. Ask before the work; `store` takes it.

    Where no git is installed or no repository of it is there, as after a download, "unknown: " and the reason. Raises
    `UncommittedChanges` for tracked files that were changed and for new files of code; stored results may change.
    """
    root = repository.root()
    try:
        top = _git(root, "rev-parse", "--show-toplevel")
        if Path(top).resolve() != root.resolve():  # the folder lies in somebody's repository
            return "unknown: not a git repository"
        results = ":(exclude)experiments/results"
        changed = _git(root, "diff", "--name-only", "HEAD", "--", ".", results).splitlines()
        new = _git(root, "ls-files", "--others", "--exclude-standard", "--", "course_utils", "experiments", results)
        commit = _git(root, "rev-parse", "--short", "HEAD")
    except OSError:
        return "unknown: no git"
    except subprocess.CalledProcessError:
        return "unknown: not a git repository"
    if files := [*changed, *new.splitlines()]:
        more = f" and {len(files) - 5} more" if len(files) > 5 else ""
        raise UncommittedChanges(
            "a result is stored with the commit that made it, and these files are in none as they are: "
            f"{', '.join(files[:5])}{more}. Commit them, or put them aside with `git stash --include-untracked`, "
            "and start again"
        )
    return commit


def _git(root: Path, *arguments: str) -> str:
    ran = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, encoding="utf-8", check=True)
    return ran.stdout.strip()


def store(
    name: str, settings: dict[str, Any], results: Any, seconds: float, code: str | None = None, rule: str | None = None
) -> None:
    """Write results/`name`.json: the results, the settings they were made with, versions, machine kind and date.

    `code` is what `code_version()` said before the work; None asks it now. `rule` is the
    `claims.rule_hash` of the claim that is judged by them. Raises `UncommittedChanges` as `code_version` does.
    """
    content = {
        "made": {
            "date": datetime.date.today().isoformat(),
            "seconds": round(seconds),
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__,
                "torchvision": version("torchvision"),
            },
            "code": code or code_version(),
            **({"rule": rule} if rule else {}),
            "machine": _machine(),
            "threads": torch.get_num_threads(),
        },
        "settings": settings,
        "results": results,
    }
    write_whole(folder() / f"{name}.json", json.dumps(content, indent=1) + "\n")


def _machine() -> str:
    """What kind it is; an accelerator, where `fit` finds one, makes other numbers than a processor and is named."""
    device = choose_device().type
    accelerator = "" if device == "cpu" else f", {device}"
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{accelerator}"


def load(name: str) -> dict[str, Any]:
    """What `store` wrote: {"made": …, "settings": …, "results": …}.

    Raises `FileNotFoundError`, with the command that makes the file, if it is not there.
    """
    path = folder() / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: `git checkout -- experiments/results` restores it, `make evidence` remakes it"
        )
    return json.loads(path.read_text(encoding="utf-8"))


def how_made(evidence: dict[str, Any]) -> str:
    """One line for the notebook: when, with what and on what kind of machine a stored result was made."""
    made = evidence["made"]
    return (
        f"stored on {made['date']} by `make evidence` in {made['seconds']} s "
        f"(torch {made['versions']['torch']}, {made['machine']}, PyTorch threads: {made['threads']})"
    )
