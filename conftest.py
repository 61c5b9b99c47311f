"""Settings and limits for all tests: the kernels that nbval starts inherit the environment set here."""

import os

os.environ["TQDM_DISABLE"] = "1"  # nbval would compare a progress bar; set before torch imports tqdm

import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell

CELL_SECONDS = 20
NOTEBOOK_SECONDS = 90
KERNEL_MB_ABOVE_IMPORT = 600


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """A notebook cell also fails if it, its notebook so far, or its kernel exceeds what a learner's machine has."""
    start = time.perf_counter()
    result = yield
    if isinstance(item, IPyNbCell):
        seconds = time.perf_counter() - start
        notebook = item.parent
        notebook.seconds = getattr(notebook, "seconds", 0.0) + seconds
        assert seconds <= CELL_SECONDS, f"this cell took {seconds:.0f} s; the limit is {CELL_SECONDS} s"
        assert notebook.seconds <= NOTEBOOK_SECONDS, f"the notebook takes longer than {NOTEBOOK_SECONDS} s"
        if sys.platform == "linux":
            above = peak_mb(notebook.kernel.km.provisioner.pid) - import_mb()
            assert above <= KERNEL_MB_ABOVE_IMPORT, (
                f"the kernel's peak is {above:.0f} MB above `import torch, torchvision`; "
                f"the limit is {KERNEL_MB_ABOVE_IMPORT} MB"
            )
    return result


def peak_mb(pid: int | str) -> float:
    """Largest resident memory that a process has had so far (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@cache
def import_mb() -> float:
    """The same for a Python that has imported torch and torchvision, and nothing else."""
    code = "import torch, torchvision; print(open('/proc/self/status').read())"
    status = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
