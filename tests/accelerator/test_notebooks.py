"""Every notebook runs where there is an accelerator, and trains there.

Where it trains, each step sees a few images only, so its outputs are not compared and its asserts not run: whether a
tensor lies where it is needed shows all the same, in a fraction of the time.
"""

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
    counter, trains = tmp_path / "steps", notebook.name.startswith(TRAINING)
    pytest_in_it = [sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", "-k", "not memory"]
    compared = ["--nbval-lax"] if trains else []
    ran = subprocess.run(
        [*pytest_in_it, *compared, str(notebook)],
        cwd=notebook.parents[1],
        env=environment(counter, few=16 if trains else None),
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout
    assert counter.exists() == trains
