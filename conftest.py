"""Settings of all tests, and the memory that a notebook may take. It imports only what requirements.txt installs.

No test fails for the time it takes: a machine may be busy. `make bench-course` holds the notebooks to limits of time.
"""

import os

# The kernels that nbval starts inherit these. They are read when torch and tqdm are imported.
os.environ["TQDM_DISABLE"] = "1"  # nbval would compare a progress bar
os.environ.setdefault("OMP_NUM_THREADS", "1")  # `OMP_NUM_THREADS=2 pytest` tests with two,
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # which then don't wait for each other in a busy loop

import sys

import pytest
from nbval.plugin import IPyNbCell

from experiments._peak import import_mb, peak_mb
from tools.bench.limits import HANG_SECONDS, KERNEL_MB_ABOVE_IMPORT


class KernelMemory(pytest.Item):
    """After a notebook's last cell: its kernel has never held more than a learner's machine has to spare."""

    def runtest(self) -> None:
        if sys.platform != "linux":
            pytest.skip("a kernel's peak memory is read from /proc, which only Linux has")
        import torch  # here, since most tests need none

        if torch.accelerator.is_available():
            pytest.skip("the limit is for kernels without an accelerator, whose libraries take memory too")
        above = peak_mb(self.parent.kernel.km.provisioner.pid) - import_mb()
        assert above <= KERNEL_MB_ABOVE_IMPORT, (
            f"the kernel's peak is {above:.0f} MB above `import torch, torchvision`; "
            f"the limit is {KERNEL_MB_ABOVE_IMPORT} MB"
        )

    def repr_failure(self, excinfo, style=None):
        return str(excinfo.value)

    def reportinfo(self):
        return self.path, None, f"{self.path.name}::memory"


@pytest.hookimpl(tryfirst=True)  # before -k and -m choose
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    last_cells = {item.parent: place for place, item in enumerate(items) if isinstance(item, IPyNbCell)}
    for notebook, place in reversed(last_cells.items()):  # from the end, so that the places stay right
        items.insert(place + 1, KernelMemory.from_parent(notebook, name="memory"))


def pytest_itemcollected(item: pytest.Item) -> None:
    if isinstance(item, IPyNbCell):
        item.output_timeout = HANG_SECONDS  # nbval waits five seconds for outputs, which a busy machine may exceed
