"""Results of experiments too long for a notebook, stored with how they were made.

`make evidence` runs the experiments of experiments/ and writes experiments/results/NAME.json; a notebook shows what is
stored beside a small live run.
"""

import datetime
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch
import torchvision

from course_utils import repository
from course_utils.files import write_whole


def folder() -> Path:
    """Where results are stored. Raises `FileNotFoundError` where there is no repository."""
    return repository.root() / "experiments" / "results"


def store(name: str, settings: dict[str, Any], results: Any, seconds: float) -> None:
    """Write results/`name`.json: the results, the settings they were made with, versions, machine kind and date."""
    content = {
        "made": {
            "date": datetime.date.today().isoformat(),
            "seconds": round(seconds),
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__,
                "torchvision": torchvision.__version__,
            },
            "code": _code_version(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "threads": torch.get_num_threads(),
        },
        "settings": settings,
        "results": results,
    }
    write_whole(folder() / f"{name}.json", json.dumps(content, indent=1) + "\n")


def _code_version() -> str:
    """The commit the code stands on, marked where files were changed since."""
    git = ["git", "describe", "--always", "--dirty=+changes", "--exclude=*"]
    return subprocess.run(git, cwd=folder(), capture_output=True, text=True).stdout.strip() or "unknown"


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
