"""What many tests need and what takes long to make: once for all."""

import pytest
from xdist.scheduler import LoadFileScheduling

from course_utils import load_mnist

BROWSER = "tests/browser/"


class ByFile(LoadFileScheduling):
    """Besides whole files, a process takes all of tests/browser, which share a window and a kernel."""

    def _split_scope(self, nodeid: str) -> str:
        return BROWSER if nodeid.startswith(BROWSER) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config, log):
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def mnist():
    """The images on board. A second of checksums and unpacking; no test may change them."""
    return load_mnist()
