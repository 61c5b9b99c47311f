"""Every notebook runs where there is an accelerator, trains there, and comes to the same compared outputs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.accelerator.stand_in import environment

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
TRAINING = ("01", "02", "03", "05", "07")  # by `fit`, which takes an accelerator where there is one


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(notebook, tmp_path):
    counter = tmp_path / "steps"
    pytest_in_it = [sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", str(notebook)]
    ran = subprocess.run(
        pytest_in_it, cwd=notebook.parents[1], env=environment(counter), capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout
    assert counter.exists() == notebook.name.startswith(TRAINING)
