"""`make` looks at .venv before it trusts it, and chooses PyTorch's build: tools/environment.py on checkouts made here.

Nothing is downloaded: a checkout here asks for no packages, its .venv borrows pip and setuptools from the environment
of the tests, and uv is a stand-in that notes its arguments. THE DOWNLOAD OF PYTORCH IS NOT TESTED.
"""

import os
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tools import environment
from tools.environment import Stopped

ROOT = Path(__file__).resolve().parents[2]
PROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "course_utils"
version = "1"
dependencies = []
optional-dependencies = { test = [], torch = [
  "torch>=2.9",
  "torchvision>=0.24",
] }
scripts = { course-file = "course_utils:show_file" }
[tool.setuptools.packages.find]
include = ["course_utils*"]
"""
PACKAGE = "def show_file():\n    print(__file__)\n"
UNREACHABLE = 'case "$*" in *--dry-run*) echo "no such index" >&2; exit 2;; esac'
CPU_BUILD = 'case "$*" in *--dry-run*) echo " + torch==2.14.1+cpu" >&2;; esac'

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no make; there one installs by hand")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout at a path with a space, with a .venv that has pip and setuptools, and a uv that reaches nothing."""
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip reads: no isolation
    monkeypatch.delenv("PYTHONPATH", raising=False)
    root = tmp_path / "my course"
    (root / "course_utils").mkdir(parents=True)
    (root / "course_utils" / "__init__.py").write_text(PACKAGE)
    (root / "pyproject.toml").write_text(PROJECT)
    shutil.copy(ROOT / "requirements.txt", root)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / ".venv"], check=True)
    for name in ("pip", "setuptools", "_distutils_hack"):
        origin = Path(find_spec(name).origin).parent
        for package in [origin, *origin.parent.glob(f"{name}-*.dist-info")]:
            shutil.copytree(package, packages(root) / package.name)
    stand_in_uv(root, UNREACHABLE)
    return root


@pytest.fixture
def pip_calls(monkeypatch):
    """Stands in for pip, which takes seconds; what it was asked for. The package gets where it is looked for."""

    def pip_install(self, *arguments):
        calls.append(arguments)
        (packages(self.root) / "course.pth").write_text(str(self.root))

    calls = []
    monkeypatch.setattr(environment.Environment, "pip_install", pip_install)
    return calls


def packages(root: Path) -> Path:
    (folder,) = (root / ".venv").glob("lib/python*/site-packages")
    return folder


def stand_in_uv(root: Path, script: str) -> None:
    uv = root / ".venv" / "bin" / "uv"
    uv.write_text(f'#!/bin/sh\necho "$*" >> {shlex.quote(str(root / "uv_calls"))}\n{script}\n')
    uv.chmod(0o755)


def uv_calls(root: Path) -> list[str]:
    return (root / "uv_calls").read_text().splitlines()


def course_file(root: Path) -> Path:
    """Where the checkout's command finds the course's package; its first line names the Python of .venv."""
    said = subprocess.run([root / ".venv/bin/course-file"], cwd="/", capture_output=True, text=True, check=True).stdout
    return Path(said.strip())


def assert_is_whole(root: Path) -> None:
    """The commands run, and run this checkout's code; `activate` puts this checkout's .venv first."""
    assert course_file(root) == root / "course_utils" / "__init__.py"
    activated = f". {shlex.quote(str(root))}/.venv/bin/activate && command -v course-file"
    assert subprocess.check_output(["sh", "-c", activated], text=True).strip() == str(root / ".venv/bin/course-file")


def test_what_is_done_is_not_done_again_until_the_project_changes(checkout, pip_calls):
    for part in ("learner", "test", "test", "learner"):
        environment.main(checkout, part, "")
    # The tests' packages are the learner's too.
    assert pip_calls == [("-r", "requirements.txt"), ("-e", ".[test,site]")]
    (checkout / "pyproject.toml").write_text(PROJECT.replace("dependencies = []", 'dependencies = ["another"]'))
    environment.main(checkout, "learner", "")
    assert len(pip_calls) == 3


@pytest.mark.slow  # pip builds the package
@pytest.mark.parametrize("how", ["moved", "copied"])
def test_a_folder_moved_or_copied_runs_its_own_code_without_a_network(checkout, how, monkeypatch, capfd):
    environment.main(checkout, "learner", "")
    there = checkout.parent / "another folder"
    if how == "moved":
        checkout.rename(there)
    else:
        shutil.copytree(checkout, there, symlinks=True)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    environment.main(there, "learner", "")
    assert_is_whole(there)
    assert str(checkout) in capfd.readouterr().out  # whose it was
    environment.main(there, "learner", "")
    assert capfd.readouterr().out == ""


def gone(python: Path) -> None:
    python.unlink()
    python.symlink_to("/nowhere/python3")


def of_another_system(python: Path) -> None:
    python.unlink()
    python.write_bytes(b"\x7fELF of another machine")
    python.chmod(0o755)


def another_version(python: Path) -> None:
    """As when a system's python3 becomes 3.12: it runs, and looks for packages in a folder that is not there."""
    (library,) = (python.parent.parent / "lib").iterdir()
    library.rename(library.with_name("python3.2"))


def without_its_settings(python: Path) -> None:
    """As when `python -m venv` was cut off: this Python would install into the system's folders."""
    (python.parent.parent / "pyvenv.cfg").unlink()


@pytest.mark.parametrize("broken", [gone, of_another_system, another_version, without_its_settings])
def test_a_python_that_changed_under_it_is_noticed(checkout, broken, monkeypatch):
    made = []
    monkeypatch.setattr(environment.Environment, "make", lambda self, reason: made.append(self))
    (checkout / "pyproject.toml").write_text("= a mistake")
    environment.usable(checkout)
    assert not made  # it is no fault of the Python's
    broken(checkout / ".venv" / "bin" / "python")
    environment.usable(checkout)
    assert made


def test_a_python_too_old_for_the_course_makes_none(checkout, pip_calls, monkeypatch):
    environment.main(checkout, "learner", "pip")
    gone(checkout / ".venv" / "bin" / "python")
    monkeypatch.setattr(sys, "version_info", (3, 9, 6))
    with pytest.raises(Stopped, match=r"3\.11 or newer, not 3\.9\.6"):
        environment.main(checkout, "learner", "")
    assert packages(checkout).exists()  # what another Python may still use


@pytest.mark.slow  # pip is unpacked
def test_it_is_made_anew_where_its_python_is_gone(checkout, pip_calls):
    environment.main(checkout, "learner", "")
    gone(checkout / ".venv" / "bin" / "python")
    mended = environment.usable(checkout)
    assert mended.look()["pip"] and mended.stamp() == {}


def test_an_installation_that_was_cut_off_goes_on(checkout, pip_calls, monkeypatch):
    def cut_off(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as first:
        first.setattr(environment.Environment, "pip_install", cut_off)
        with pytest.raises(KeyboardInterrupt):
            environment.main(checkout, "learner", "")
    environment.main(checkout, "learner", "")
    assert pip_calls == [("-r", "requirements.txt")]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere pip takes the build that uv would")
class TestPyTorch:
    def test_is_the_build_that_uv_finds_for_this_machine(self, checkout, pip_calls, capfd):
        stand_in_uv(checkout, CPU_BUILD)
        environment.main(checkout, "learner", "")
        plan, install = uv_calls(checkout)
        assert "--torch-backend=auto torch>=2.9 torchvision>=0.24" in install and plan == install + " --dry-run"
        said = capfd.readouterr().out
        assert "2.14.1+cpu" in said and "no graphics card" in said

    def test_is_left_to_pip_where_that_build_is_out_of_reach(self, checkout, pip_calls, capfd):
        environment.main(checkout, "learner", "")
        assert len(uv_calls(checkout)) == 1  # asked once, and nothing was downloaded
        assert "no such index" in capfd.readouterr().out
        assert pip_calls == [("-r", "requirements.txt")]

    def test_is_what_TORCH_names_or_none(self, checkout, pip_calls):
        with pytest.raises(Stopped, match=r"TORCH=cpu .*\n.*no such index"):
            environment.main(checkout, "learner", "cpu")
        assert not pip_calls
        stand_in_uv(checkout, CPU_BUILD)
        environment.main(checkout, "learner", "cpu")
        environment.main(checkout, "test", "cpu")  # is there
        calls = uv_calls(checkout)
        assert all("--torch-backend=cpu" in call for call in calls)
        assert ["--reinstall-package=torch" in call for call in calls] == [True, True, True, False, False]

    def test_is_pips_where_TORCH_says_so(self, checkout, pip_calls):
        environment.main(checkout, "learner", "pip")
        assert not (checkout / "uv_calls").exists()


@pytest.mark.slow  # pip builds the package
def test_make_runs_in_a_folder_with_a_space_whatever_a_users_settings_say(checkout):
    shutil.copy(ROOT / "Makefile", checkout)
    shutil.copytree(ROOT / "tools", checkout / "tools")
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "PIP_USER": "1"}
    make = ["make", "for-learners", f"PYTHON={sys.executable}"]
    ran = subprocess.run(make, cwd=checkout, env=settings, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert_is_whole(checkout)


def test_make_says_that_it_has_no_python():
    ran = subprocess.run(["make", "lab", "PYTHON=python9"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 2 and "No python9" in ran.stdout
