"""Every notebook runs where there is an accelerator, trains there, from any folder, most cells twice in a row.

But for notebook 10, an epoch has a few batches there, of a few images, and no `assert` is run: whether a tensor lies
where it is needed shows all the same, in a fraction of the time.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.accelerator.stand_in import environment

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
TRAINING = ("02", "03", "05", "06", "07", "08", "09")  # by `fit`, which takes an accelerator where there is one
PROCESSES = "10_scaling_out"  # its own processes train on the processor, and it needs a kernel that it can wait in


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(notebook, tmp_path):
    counter, trains = tmp_path / "steps", notebook.name.startswith(TRAINING)
    few = 60 if notebook.name.startswith("05") else 8  # 05 takes fifty batches itself
    command = [sys.executable, "-m", "tests.accelerator.run_cells", str(notebook)]
    if notebook.stem == PROCESSES:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not memory", str(notebook)]
        few = None
    environment_there = environment(counter, few) | {"MPLBACKEND": "agg"}
    ran = subprocess.run(command, cwd=tmp_path, env=environment_there, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-4000:]
    assert counter.exists() == trains
