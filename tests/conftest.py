"""What many tests need and what takes long to make: once for all."""

import pytest

from course_utils import load_mnist


@pytest.fixture(scope="session")
def mnist():
    """The images on board. A second of checksums and unpacking; no test may change them."""
    return load_mnist()
