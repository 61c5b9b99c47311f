"""Settings and limits for all tests: the kernels that nbval starts inherit the environment set here."""

import os

os.environ["TQDM_DISABLE"] = "1"  # nbval would compare a progress bar; set before torch imports tqdm
# Where a shared machine has less than the two cores it shows, PyTorch's two threads wait for each other in a busy loop,
# and a step takes many times as long as with one thread. `OMP_NUM_THREADS=2 pytest` tests with two.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time
import warnings

import pytest
from nbval.plugin import IPyNbCell

from experiments._peak import import_mb, peak_mb
from tools.bench.limits import CELL_SECONDS, KERNEL_MB_ABOVE_IMPORT, NOTEBOOK_SECONDS

SLOW_MINUTE = 3  # a shared machine may be this many times slower for a while: beyond the limit warn, beyond this fail


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """A notebook cell is also held to the time and memory that a learner's machine has."""
    start = time.perf_counter()
    result = yield
    if isinstance(item, IPyNbCell):
        seconds = time.perf_counter() - start
        notebook = item.parent
        notebook.seconds = getattr(notebook, "seconds", 0.0) + seconds
        check_time(f"{item.nodeid} took", seconds, CELL_SECONDS)
        check_time(f"{notebook.nodeid} has taken", notebook.seconds, NOTEBOOK_SECONDS)
        if sys.platform == "linux":
            above = peak_mb(notebook.kernel.km.provisioner.pid) - import_mb()
            assert above <= KERNEL_MB_ABOVE_IMPORT, (
                f"the kernel's peak is {above:.0f} MB above `import torch, torchvision`; "
                f"the limit is {KERNEL_MB_ABOVE_IMPORT} MB"
            )
    return result


def check_time(what: str, seconds: float, limit: float) -> None:
    """Warn above the limit, fail far above it."""
    message = f"{what} {seconds:.0f} s; the limit on two free cores is {limit} s"
    assert seconds <= SLOW_MINUTE * limit, message
    if seconds > limit:
        warnings.warn(message, stacklevel=1)
