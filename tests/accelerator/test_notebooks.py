"""Every notebook runs where there is an accelerator, trains there, from any folder, most cells twice in a row.

An epoch has a few batches there, of a few images: whether a tensor lies where it is needed shows all the same, in a
fraction of the time. Notebook 10, whose processes train on the processor, learns as it is, and its asserts are run.
"""

from pathlib import Path

import pytest

from tests.accelerator import run_cells
from tests.accelerator.forked_run import START

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
TRAINING = ("02", "03", "05", "06", "07", "08", "09")  # by `fit`, which takes an accelerator where there is one
# Each in a process of its own: where the system can, a fork of one that has imported what all of them need.
START.set_forkserver_preload([run_cells.__name__])


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(notebook, tmp_path):
    few = {"05": 60, "10": None}.get(notebook.name[:2], 8)  # 05 takes fifty batches itself
    process = START.Process(target=run_cells.run, args=(notebook, tmp_path, few))
    process.start()
    process.join()
    output = (tmp_path / "output").read_text(encoding="utf-8", errors="replace")
    assert process.exitcode == 0, output[-5000:]
    assert (tmp_path / "steps").exists() == notebook.name.startswith(TRAINING)
