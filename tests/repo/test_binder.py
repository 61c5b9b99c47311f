"""What Binder would build from .binder/: the steps, the pins, and postBuild in a clean environment."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
BINDER = ROOT / ".binder"
BY_POST_BUILD = {"torch", "torchvision"}  # everything else comes from .binder/requirements.txt
FOR_THE_IMAGE = {"notebook", "uv"}  # pinned for Binder alone; that file says why

not_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="Binder's scripts need bash; it builds on Linux")


def lines_of(path: Path) -> list[str]:
    """The lines of a requirements file, without comments and blank lines."""
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def by_name(lines: list[str]) -> dict[str, Requirement]:
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


def pinned_version(requirement: Requirement) -> str:
    """The one version that is allowed; fails unless there is exactly one."""
    (specifier,) = requirement.specifier
    assert specifier.operator == "==" and "*" not in specifier.version, f"{requirement} is not pinned"
    assert not requirement.url and not requirement.marker, f"{requirement} is more than a name and a version"
    return specifier.version


def needed() -> dict[str, Requirement]:
    """The packages that the root's requirements.txt names."""
    return by_name([line for line in lines_of(ROOT / "requirements.txt") if line != "-e ."])


def torch_command() -> list[str]:
    """postBuild's `uv pip install …`, in words."""
    lines = (BINDER / "postBuild").read_text(encoding="utf-8").splitlines()
    (command,) = [line for line in lines if line.startswith("uv ")]
    return shlex.split(command)


def test_requirements_are_pinned_packages_and_no_others():
    pins = by_name(lines_of(BINDER / "requirements.txt"))  # a line with -r, -c, -e or a path is none: it fails here
    assert set(pins) == set(needed()) - BY_POST_BUILD | FOR_THE_IMAGE
    for requirement in pins.values():
        pinned_version(requirement)


def test_pins_satisfy_the_course():
    pins = by_name(lines_of(BINDER / "requirements.txt") + [word for word in torch_command() if "==" in word])
    for name, requirement in needed().items():
        assert requirement.specifier.contains(pinned_version(pins[name])), f"{pins[name]} is not {requirement}"


def test_pytorch_comes_pinned_and_without_cuda():
    command = torch_command()
    assert "--torch-backend=cpu" in command
    assert set(by_name([word for word in command if "==" in word])) == BY_POST_BUILD


def test_python_is_one_that_the_course_supports():
    name, version = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip().split("-")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert name == "python"
    assert Requirement(f"python{project['requires-python']}").specifier.contains(version)


@not_on_windows
def test_dockerfile_has_the_steps_in_order():
    # Needs no Docker: --no-build renders and stops. The user and the platform are Binder's, whoever runs the test.
    command = "-m repo2docker --no-build --debug --user-id 1000 --user-name jovyan --Repo2Docker.platform=linux/amd64 ."
    rendered = subprocess.run(
        [sys.executable, *command.split()], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    dockerfile = rendered.stdout + rendered.stderr
    version = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert f"Building conda environment for python={version}" in dockerfile
    steps = [
        'pip install --no-cache-dir -r ".binder/requirements.txt"',
        "COPY --chown=1000:1000 src/ ${REPO_DIR}/",  # after the packages: a commit does not install them again
        "RUN ./.binder/postBuild",
        'ENV R2D_ENTRYPOINT="${REPO_DIR}/.binder/start"',
    ]
    positions = [dockerfile.find(step) for step in steps]
    assert -1 not in positions and positions == sorted(positions), dict(zip(steps, positions, strict=True))


def clean_python(folder: Path, *options: str) -> Path:
    """The Python of a new virtual environment in that folder."""
    subprocess.run([sys.executable, "-m", "venv", *options, folder / "environment"], check=True)
    return folder / "environment" / "bin" / "python"


def run_post_build(python: Path, uv_exit_code: int) -> tuple[Path, list[str], subprocess.CompletedProcess]:
    """Run postBuild in a copy of the repository; returns the copy, the arguments that uv got, and the process.

    uv is a stand-in that writes its arguments down and leaves. The real one would download PyTorch's CPU build from
    an index that not every machine with these tests reaches, so THAT DOWNLOAD IS NOT TESTED HERE: only a build on
    Binder shows it. pip is real, and fetches setuptools to build the package with.
    """
    folder = python.parent.parent.parent
    copy = folder / "repository"
    git = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]  # what would be committed now
    for name in subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)

    arguments = folder / "uv_arguments"
    uv = python.with_name("uv")
    uv.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {shlex.quote(str(arguments))}\nexit {uv_exit_code}\n")
    uv.chmod(0o755)

    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment['PATH']}"
    process = subprocess.run(["./.binder/postBuild"], cwd=copy, env=environment, capture_output=True, text=True)
    return copy, arguments.read_text().splitlines(), process


def course_utils_in(python: Path) -> str:
    """Where that Python finds the course's package, or "None". Not imported: there is no torch to import."""
    code = "import importlib.util as u; spec = u.find_spec('course_utils'); print(spec and spec.origin)"
    isolated = [python, "-I", "-c", code]  # -I: not from the current folder, nor from PYTHONPATH
    return subprocess.run(isolated, capture_output=True, text=True, check=True).stdout.strip()


@not_on_windows
def test_post_build_installs_the_course_into_a_clean_environment(tmp_path):
    python = clean_python(tmp_path)
    copy, arguments, process = run_post_build(python, uv_exit_code=0)
    assert process.returncode == 0, process.stderr
    assert arguments[:2] == ["pip", "install"]
    assert arguments[arguments.index("--python") + 1] == str(python)
    assert "--torch-backend=cpu" in arguments
    assert Path(course_utils_in(python)).samefile(copy / "course_utils" / "__init__.py")


@not_on_windows
def test_post_build_fails_when_pytorch_does_not_install(tmp_path):
    python = clean_python(tmp_path, "--without-pip")  # quick to make; pip is not reached
    _, _, process = run_post_build(python, uv_exit_code=3)
    assert process.returncode == 3  # uv's code: it stopped there


@not_on_windows
def test_start_sets_one_thread_and_runs_what_it_is_given():
    run = subprocess.run(
        [BINDER / "start", "sh", "-c", 'echo "$OMP_NUM_THREADS $1"; exit 3', "sh", "two words"],
        env={"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "8"},
        capture_output=True,
        text=True,
    )
    assert (run.stdout, run.returncode) == ("1 two words\n", 3)
