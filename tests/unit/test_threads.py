"""One thread in every library, whatever the environment says; and what was chosen is left alone."""

import json
import os
import subprocess
import sys

import pytest

from course_utils import threads

STARTED = "import numpy, threadpoolctl; print(threadpoolctl.threadpool_info()[0]['num_threads'])"
LOOK = """
import json, subprocess, sys
import torch
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info
from torch.utils.data import TensorDataset
from course_utils import evaluate, threads
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
data = TensorDataset(torch.zeros(3, 1, 2, 2), torch.zeros(3, dtype=torch.int64))
{chosen}
evaluate(model, data)
started = subprocess.run([sys.executable, "-c", {started!r}], capture_output=True)
pools = [pool["num_threads"] for pool in threadpool_info()]
print(json.dumps([torch.get_num_threads(), min(pools), max(pools), int(started.stdout)]))
"""


def threads_after(chosen: str, **environment: str) -> list[int]:
    """Threads of PyTorch, of the least and the most of all libraries, and of NumPy in a process started then."""
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", LOOK.format(chosen=chosen, started=STARTED)]
    done = subprocess.run(command, env=clean | environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "environment", "found"),
    [
        ("", {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}, [1, 1, 1, 1]),
        ("threads.choose(2)", {"OMP_NUM_THREADS": "1"}, [2, 2, 2, 2]),
        ("threads.choose(); torch.set_num_threads(2)", {}, [2, 1, 2, 1]),  # the learner's own wish, for PyTorch alone
    ],
)
def test_threads_of_every_library(chosen, environment, found):
    assert threads_after(chosen, **environment) == found


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("2", TypeError)])
def test_a_number_that_is_none(count, error):
    with pytest.raises(error, match="the number of threads"):
        threads.choose(count)
