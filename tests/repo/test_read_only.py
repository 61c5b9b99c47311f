"""A class shares one checkout that nobody may write to; every learner has a home of their own."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
SHARED = ("course_utils", "experiments/results", "notebooks", "pyproject.toml", "data")
NOBODY = 65534  # a user who owns nothing

# Runs the notebook from the folder it lies in, in a fresh kernel, and keeps what comes out in memory.
RUN = """
import importlib.util, os, sys, nbformat
from nbclient import NotebookClient
resources = {"metadata": {"path": os.path.dirname(sys.argv[1])}}
NotebookClient(nbformat.read(sys.argv[1], as_version=4), timeout=600, resources=resources).execute()
print(importlib.util.find_spec("course_utils").origin)
"""


@pytest.fixture
def checkout():
    """A copy of what learners use, which its owner opened first, so that others may read it and no one else write."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        checkout = Path(folder, "checkout")
        left_out = shutil.ignore_patterns("*-ubyte", "__pycache__", ".ipynb_checkpoints")
        for name in SHARED:
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, checkout / name, **({"ignore": left_out} if copy is shutil.copytree else {}))
        Path(folder).chmod(0o755)
        yield checkout


def run(checkout: Path, home: str | Path, *command: str, **options) -> subprocess.CompletedProcess:
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(checkout)}
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR"):
        environment.pop(name, None)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, **options)


@pytest.fixture
def read_only(checkout, tmp_path):
    """Runs a command with the checkout on a mount that only this command sees, read-only for root too."""
    mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && cd "$0" && exec "$@"'
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(checkout)]
    if not shutil.which("unshare") or subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("no read-only mount can be made here (unshare)")
    return lambda *command: run(checkout, tmp_path, *inside, *command)


def test_copies_lie_at_home_and_run_there(read_only, tmp_path):
    assert read_only("touch", "course_utils/new").returncode != 0  # it is read-only
    made = read_only(sys.executable, "-m", "course_utils", "copies")
    assert made.returncode == 0, made.stderr
    place = Path(made.stdout.strip())
    assert place.parent == tmp_path and (place / "start_page.md").exists()
    ran = read_only(sys.executable, "-c", RUN, str(place / "00_start_here.ipynb"))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip().endswith("checkout/course_utils/__init__.py")  # this copy, and not another one


def test_checkpoints_go_home_and_not_into_the_checkout(read_only):
    """What can't be written is said in a line, before the training."""
    ran = read_only(sys.executable, "-m", "course_utils", "train", "--save", "cnn.pt")
    assert ran.returncode == 2
    assert "'cnn.pt' can't be written: Read-only file system" in ran.stderr


LEARN = """
import encodings.cp437, os, sys  # the encoding is zipfile's
from course_utils import evidence, load_mnist, sound, text
if sys.argv[1:]:  # Python itself may lie where only root reads, so the learner steps in when it has been loaded
    os.setgroups([])
    os.setgid(int(sys.argv[1]))
    os.setuid(int(sys.argv[1]))
load_mnist(), sound.load_spoken_digits(), text.load_names(), evidence.load("recipes")
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can act as another user")
def test_what_its_owner_opened_first_is_open_to_others(checkout):
    """The owner lets nobody read what they write (umask 077); a learner, another user without a home, comes after."""
    for home, user in ((checkout.parent, []), ("/nonexistent", [str(NOBODY)])):
        opened = run(checkout, home, sys.executable, "-c", LEARN, *user, cwd=checkout, umask=0o077)
        assert opened.returncode == 0, opened.stderr
