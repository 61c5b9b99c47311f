"""Pin what Binder installs to what this environment has, and was tested with: python -m tools.lock (or `make lock`).

What is pinned is what pyproject.toml asks for, with all that these packages need. PyTorch's pins are a file of their
own, since postBuild installs its CPU build; what only its CUDA build needs is in neither file.
"""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINDER = ROOT / ".binder"
HEAD = "# Written by `make lock` from pyproject.toml. Change that, test, and run it again.\n"
BY_POST_BUILD = re.compile(r"(torch|torchvision)==")
FOR_CUDA = re.compile(r"(nvidia|cuda|triton)\b")


def tested() -> str:
    """This environment's packages as constraints, without the local part of a version (2.14.1+cpu)."""
    return "".join(f"{found.name}=={found.version.partition('+')[0]}\n" for found in metadata.distributions())


def pins() -> list[str]:
    """`name==version` of everything for Binder's Python and system, resolved by uv."""
    python = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    options = ["--quiet", "--no-header", "--no-annotate", "--python-version", python]
    options += ["--python-platform", "x86_64-manylinux_2_28", "--group", "binder", "--constraints", "-"]
    command = [sys.executable, "-m", "uv", "pip", "compile", *options, "pyproject.toml"]
    compiled = subprocess.run(command, cwd=ROOT, input=tested(), stdout=subprocess.PIPE, text=True, check=True)
    return [line for line in compiled.stdout.splitlines() if not FOR_CUDA.match(line)]


def main() -> None:
    """Write the two files of pins."""
    by_file: dict[str, list[str]] = {"requirements.txt": [], "torch.txt": []}
    for pin in pins():
        by_file["torch.txt" if BY_POST_BUILD.match(pin) else "requirements.txt"].append(pin)
    for name, lines in by_file.items():
        (BINDER / name).write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
