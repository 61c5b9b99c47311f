"""How many threads PyTorch, NumPy and SciPy compute with: one, unless you choose another number.

The course's networks are small. On two quiet cores a second thread saves a quarter of a training step's time and takes
half as much processor time again (experiments/results/two_processes.json); on a busy machine two threads wait for each
other in a busy loop, and the same cell takes many times as long. One thread takes as long as its share of the machine
lets it.
"""

import os

import torch
from threadpoolctl import threadpool_limits

from course_utils import validate

SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # what the libraries read as they are loaded
_chosen = False


def choose(count: int | None = None) -> None:
    """Compute with `count` threads in this process and those that it starts; without it with one, if none was chosen.

    Every notebook calls it in its first cell; `fit` and `evaluate` call it too, and leave alone what was chosen before
    them, here or later with `torch.set_num_threads`. `OMP_NUM_THREADS` is no choice: it is set on shared machines for
    programs of all kinds. Raises `ValueError` for a count below 1.
    """
    global _chosen
    if count is None and _chosen:
        return
    count = validate.whole_number("the number of threads", 1 if count is None else count, 1)
    os.environ.update(dict.fromkeys(SETTINGS, str(count)))  # libraries loaded later, and programs started from here
    threadpool_limits(count)  # NumPy's and SciPy's OpenBLAS, and every OpenMP that is loaded
    torch.set_num_threads(count)  # PyTorch's MKL too, which threadpoolctl does not see
    _chosen = True
