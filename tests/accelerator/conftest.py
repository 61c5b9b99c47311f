import pytest

from tests.accelerator.stand_in import stand_in


@pytest.fixture
def accelerator():
    with stand_in() as accelerator:
        yield accelerator
