"""Make .venv ready, or see that it is: python -m tools.environment [test]. `make` runs this before everything else.

It needs no package, and any Python 3 as long as .venv stands. The environment is looked at each time, since folders get
moved and copied, and a system's Python changes under it: a stamp alone would not notice.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
WANTED = {"learner": ["-r", "requirements.txt"], "test": ["-e", ".[test,site]"]}  # what pip is asked for

# What .venv's Python says of itself, and of what the project asks for (another Python may not read TOML).
LOOK = """
import importlib.util, json, sys, sysconfig, tomllib
course, pip = map(importlib.util.find_spec, ["course_utils", "pip"])
seen = {"packages": sysconfig.get_path("purelib"), "pip": bool(pip), "course": course and course.origin}
try:
    with open(sys.argv[1], "rb") as file:
        project = tomllib.load(file)["project"]
    seen["wanted"] = [project["dependencies"], project["optional-dependencies"]]
except (ValueError, KeyError):  # pip will say what is wrong with that file
    seen["wanted"] = None
print(json.dumps(seen))
"""

# The commands in .venv/bin name their Python by its full path. pip writes them with this class, which knows long paths
# and spaces.
WRITE_COMMANDS = """
import sys
from importlib.metadata import entry_points
from pip._vendor.distlib.scripts import ScriptMaker
maker = ScriptMaker(None, sys.argv[1])
maker.clobber, maker.set_mode, maker.variants = True, True, {""}
maker.make_multiple([f"{command.name} = {command.value}" for command in entry_points(group="console_scripts")])
"""


class Stopped(Exception):
    """Nothing more can be done here; the message says why, and what the reader can do."""


def say(message: str) -> None:
    print(message, flush=True)  # before what pip prints next


class Environment:
    """The virtual environment .venv in the folder `root`."""

    def __init__(self, root: Path):
        self.root = root.resolve()
        self.folder = self.root / ".venv"
        self.python = self.folder / "bin" / "python"
        self._stamp = self.folder / "ready.json"

    def run(self, *arguments: str | Path) -> None:
        """Run its Python in `root`. Raises `subprocess.CalledProcessError` if that fails."""
        subprocess.run([self.python, *arguments], cwd=self.root, check=True)

    def pip_install(self, *arguments: str) -> None:
        self.run("-m", "pip", "install", *arguments)

    def look(self) -> dict | None:
        """What its Python says of itself; None where none runs, or another one than its packages were installed for."""
        # -I: not from the current folder, nor from PYTHONPATH. An older Python than the course's has no tomllib.
        command = [self.python, "-I", "-c", LOOK, self.root / "pyproject.toml"]
        try:
            said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return None
        seen = json.loads(said)
        packages = Path(seen["packages"])  # .venv/lib/python3.12/site-packages
        return seen if packages.is_dir() and self.folder in packages.parents else None

    def stamp(self) -> dict:
        """What was written when all was last installed; {} if it never was."""
        try:
            return json.loads(self._stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def write_stamp(self, **changes: object) -> None:
        self._stamp.write_text(json.dumps({**self.stamp(), "folder": str(self.root), **changes}), encoding="utf-8")

    def belongs_to(self, course: str | None) -> str:
        """The folder it was made in, or another one whose `course` it imports."""
        if course and not (self.root / "course_utils" / "__init__.py").samefile(course):
            return str(Path(course).parent.parent)
        return self.stamp().get("folder", str(self.root))

    def make(self, reason: str) -> None:
        """Make it new and empty, of the Python that runs this."""
        version = ".".join(map(str, sys.version_info[:3]))
        if sys.version_info < OLDEST:
            raise Stopped(
                f"This course needs Python 3.11 or newer, not {version}. Name one: make PYTHON=python3.12 lab"
            )
        say(f"{reason}: making it with Python {version}")
        if subprocess.run([sys.executable, "-m", "venv", "--clear", self.folder]).returncode:
            raise Stopped("Python could not make .venv. On Debian or Ubuntu: apt install python3-venv")

    def move_here(self, owner: str) -> None:
        """Make its commands and its course_utils this folder's. Works without a network."""
        say(f".venv belongs to {owner}: its commands and course_utils become this folder's")
        self.run("-m", "venv", "--without-pip", self.folder)  # writes `activate` anew and leaves the packages
        self.run("-c", WRITE_COMMANDS, self.folder / "bin")
        # No isolation: what builds the package is there, since PyTorch needs it too.
        self.pip_install("--quiet", "--no-deps", "--no-build-isolation", "-e", ".")
        self.write_stamp()


def usable(root: Path) -> Environment:
    """The environment of `root`, made or mended where it has no Python that runs, no pip, or another folder's code."""
    environment = Environment(root)
    seen = environment.look()
    if seen is None:
        environment.make(
            ".venv has no Python that works here" if environment.folder.exists() else "There is no .venv yet"
        )
        return environment
    if not seen["pip"]:
        environment.run("-m", "ensurepip")
    owner = environment.belongs_to(seen["course"])
    if owner != str(environment.root):
        try:
            environment.move_here(owner)
        except subprocess.CalledProcessError:
            environment.make("That failed")
    return environment


def install_torch(environment: Environment, backend: str, anew: bool) -> None:
    """Install PyTorch by uv, which knows all its builds, and say which one and why; leave it to pip where uv can't.

    `backend` is uv's --torch-backend, "pip" for what pip takes by itself, or "": the best for this machine. On Linux
    pip would take the build for NVIDIA's cards, several GB; elsewhere it takes a small one anyhow. `anew`: in place of
    the build that is there.
    """
    if backend == "pip" or (not backend and sys.platform != "linux"):
        say(
            "PyTorch: the build that pip finds, " + ("as TORCH=pip asks" if backend else "the usual one on this system")
        )
        return
    project = (environment.root / "pyproject.toml").read_text(encoding="utf-8")
    packages = re.findall(r'^ *"(torch(?:vision)?\b[^"]*)"', project, re.M)
    command = [environment.folder / "bin" / "uv", "pip", "install", "--python", environment.python]
    command += [f"--torch-backend={backend or 'auto'}", *packages]
    command += ["--reinstall-package=torch", "--reinstall-package=torchvision"] if anew else []
    version, trouble = planned(environment, command)
    if trouble and backend:
        raise Stopped(f"TORCH={backend} can't be had here; TORCH=pip takes what pip finds. uv says:\n{trouble}")
    if trouble:
        say(f"PyTorch: the build that pip finds, on Linux several GB, since uv can't get the small one:\n{trouble}")
    elif version:
        say(f"PyTorch {version}: {reason(version, backend)}")
        subprocess.run(command, check=True)


def planned(environment: Environment, command: list) -> tuple[str, str]:
    """(The version of torch that uv would install, ""): no version where it is there; ("", what stands in the way)."""
    if not command[0].exists():
        try:
            environment.pip_install("--quiet", "uv")
        except subprocess.CalledProcessError:
            return "", "it can't be installed"
    impatient = {**os.environ, "UV_HTTP_RETRIES": "1", "UV_HTTP_TIMEOUT": "10"}
    plan = subprocess.run([*command, "--dry-run"], env=impatient, stderr=subprocess.PIPE, text=True)
    if plan.returncode:
        return "", plan.stderr.strip()
    install = re.search(r"^ \+ torch==(\S+)", plan.stderr, re.M)
    return (install.group(1) if install else ""), ""


def reason(version: str, backend: str) -> str:
    """Why uv took that build."""
    if backend:
        return f"TORCH={backend} asks for it"
    if "+cpu" in version:
        return "no graphics card's driver is found here, so the small build without CUDA will do"
    return "it fits the driver of this machine's graphics card"


def main(root: Path, part: str, backend: str) -> None:
    """Install what `part` needs, "learner" or "test", unless that was done and nothing has changed since."""
    environment = usable(root)
    seen, stamp = environment.look(), environment.stamp()
    if seen is None:
        raise Stopped(".venv still has no Python that works here. Remove the folder .venv and try again")
    other_torch = backend not in ("", stamp.get("torch"))
    installed = seen["course"] and stamp.get("wanted") == seen["wanted"] and stamp.get("part") in (part, "test")
    if installed and not other_torch:
        return
    say(f"Installing what the {'tests' if part == 'test' else 'notebooks'} need into .venv (some minutes at first)")
    install_torch(environment, backend, anew=other_torch)
    environment.pip_install(*WANTED[part])
    environment.write_stamp(wanted=seen["wanted"], part=part, torch=backend or stamp.get("torch", ""))


def command_line(arguments: list[str]) -> str | None:
    """`main` for this checkout. Returns what to say where it stopped, None where it did not."""
    part = arguments[0] if arguments else "learner"
    try:
        main(Path(__file__).resolve().parent.parent, part, os.environ.get("TORCH", ""))
    except Stopped as stopped:
        return str(stopped)
    except (subprocess.CalledProcessError, KeyboardInterrupt):
        return "The installation stopped before its end. The same command goes on where it stopped."
    return None


if __name__ == "__main__":
    sys.exit(command_line(sys.argv[1:]))
