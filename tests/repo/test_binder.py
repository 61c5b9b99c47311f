"""What Binder would build from .binder/: the pins, the steps, and postBuild in a clean environment."""

import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from course_utils import copies

ROOT = Path(__file__).resolve().parents[2]
BINDER = ROOT / ".binder"
INSTALLED = (".binder", "course_utils", "pyproject.toml", "README.md", "LICENSE")  # what postBuild works with

not_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="Binder's scripts need bash; it builds on Linux")


def pinned(name: str) -> dict[str, str]:
    """Package to version, of one of the files that `make lock` writes; a line that is no pin fails here."""
    lines = (BINDER / name).read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}


def test_binder_gets_what_pyproject_asks_for_and_no_cuda():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = map(Requirement, project["project"]["dependencies"] + project["dependency-groups"]["binder"])
    packages, by_post_build = pinned("requirements.txt"), pinned("torch.txt")
    assert set(by_post_build) == {"torch", "torchvision"}
    assert not [name for name in packages if name.startswith(("nvidia", "cuda", "triton"))]
    for requirement in asked:
        version = (packages | by_post_build)[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{version} is not {requirement}: run `make lock`"
    python = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert Requirement(f"python{project['project']['requires-python']}").specifier.contains(python)


@not_on_windows
def test_dockerfile_has_the_steps_in_order():
    # Needs no Docker: --no-build renders and stops. The user and the platform are Binder's, whoever runs the test.
    command = "-m repo2docker --no-build --debug --user-id 1000 --user-name jovyan --Repo2Docker.platform=linux/amd64 ."
    rendered = subprocess.run([sys.executable, *command.split()], cwd=ROOT, capture_output=True, text=True, check=True)
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
    """Run postBuild in a copy of what it installs; returns the copy, the arguments that uv got, and the process.

    uv is a stand-in that writes its arguments down and leaves. The real one would download PyTorch's CPU build from
    an index that not every machine with these tests reaches, so THAT DOWNLOAD IS NOT TESTED HERE: only a build on
    Binder shows it. pip is real, and fetches setuptools to build the package with.
    """
    folder = python.parent.parent.parent
    copy = folder / "repository"
    copy.mkdir()
    for name in INSTALLED:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, copy / name)

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
@pytest.mark.slow
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
@pytest.mark.parametrize("made", [True, False], ids=["copies", "no copies"])
def test_start_sets_one_thread_and_runs_what_it_is_given_among_the_copies(tmp_path, made):
    """Where the copies can't be made, in the repository's folder: better than nothing."""
    repository, place = tmp_path / "repository", tmp_path / "my notebooks"
    for folder in (repository, place):
        folder.mkdir()
    python = tmp_path / "python"  # a stand-in: that of the tests would write into this checkout
    python.write_text(
        f'#!/bin/sh\n[ "$*" = "-m course_utils copies" ] && {"true" if made else "false"} && echo "{place}"\n'
    )
    python.chmod(0o755)
    run = subprocess.run(
        [
            BINDER / "start",
            "sh",
            "-c",
            'echo "$OMP_NUM_THREADS $1 $JUPYTER_CONFIG_PATH"; pwd; exit 3',
            "sh",
            "two words",
        ],
        cwd=repository,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "OMP_NUM_THREADS": "8", "JUPYTER_CONFIG_PATH": "/theirs"},
        capture_output=True,
        text=True,
    )
    settings = repository / copies.SETTINGS.relative_to(ROOT)
    assert run.stdout == f"1 two words {settings}:/theirs\n{place if made else repository}\n"
    assert run.returncode == 3
