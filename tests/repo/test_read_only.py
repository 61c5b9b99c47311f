"""A class shares one checkout that nobody may write to; every learner has a home of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = ("course_utils", "evidence", "notebooks", "pyproject.toml")
ARCHIVES = "data/MNIST/raw"

# Runs the notebook from the folder it lies in, in a fresh kernel, and keeps what comes out in memory.
RUN = """
import sys, nbformat
from nbclient import NotebookClient
resources = {"metadata": {"path": "notebooks"}}
NotebookClient(nbformat.read(sys.argv[1], as_version=4), timeout=600, resources=resources).execute()
import course_utils
print(course_utils.__file__)
"""


@pytest.fixture
def read_only(tmp_path):
    """A copy of what learners use, as it comes from git, and the command that runs something with it read-only."""
    checkout, home = tmp_path / "checkout", tmp_path / "home"
    for name in SHARED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        checkout.mkdir(exist_ok=True)
        copy(ROOT / name, checkout / name)
    (checkout / ARCHIVES).mkdir(parents=True)
    for archive in (ROOT / ARCHIVES).glob("*.gz"):
        shutil.copy(archive, checkout / ARCHIVES)
    home.mkdir()
    # A mount that only this command sees, read-only for everybody: file modes would not stop root.
    mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && cd "$0" && exec "$@"'
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(checkout)]
    if not shutil.which("unshare") or subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("no read-only mount can be made here (unshare)")
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(checkout)}
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR"):
        environment.pop(name, None)
    return lambda *command: subprocess.run(
        [*inside, *command], env=environment, capture_output=True, text=True, timeout=600
    ), home


def test_a_notebook_runs_from_a_read_only_checkout(read_only):
    """The data are unpacked into the learner's own cache folder."""
    run, home = read_only
    assert run("touch", "course_utils/new").returncode != 0  # it is read-only
    ran = run(sys.executable, "-c", RUN, "notebooks/00_start_here.ipynb")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip().endswith("checkout/course_utils/__init__.py")  # this copy, and not another one
    assert len(list(home.glob(".cache/course_utils/MNIST/raw/*-ubyte"))) == 4


def test_checkpoints_go_home_and_not_into_the_checkout(read_only):
    """What can't be written is said in a line, before the training."""
    run, _ = read_only
    ran = run(sys.executable, "-m", "course_utils", "train", "--save", "cnn.pt")
    assert ran.returncode == 2
    assert "the folder of 'cnn.pt' does not exist or is not writable" in ran.stderr
