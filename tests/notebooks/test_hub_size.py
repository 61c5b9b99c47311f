"""What a hub needs, as notebook 10 computes it, against sums done by hand."""

import math

import pytest

from tests.notebooks.test_form import definitions_in


@pytest.fixture(scope="module")
def hub_size():
    return definitions_in("10_scaling_out", "hub-size", math=math)["hub_size"]


LEARNER = {"memory": 2, "lesson": 90, "longest_cell": 10, "disk": 0.5}


@pytest.mark.parametrize(
    ("learners", "options", "memory", "cores", "disk"),
    [
        (30, {}, 60, 5, 22),  # 30 cells of 10 s within 60 s
        (1, {}, 2, 1, 7.5),  # no less than one core
        (300, {"together": 0.5}, 300, 25, 157),  # the disk holds everybody's files, there or not
        (30, {"wait": 600}, 60, 2, 22),  # patient: 30 times 90 s in 30 minutes count
        (30, {"wait": 600, "minutes": 90}, 60, 1, 22),
        (7, {"together": 0.5}, 8, 1, 10.5),  # half of seven learners are four
    ],
)
def test_by_hand(hub_size, learners, options, memory, cores, disk):
    size = hub_size(learners, shared_disk=7, learner=LEARNER, **options)
    assert size == pytest.approx({"memory_gb": memory, "cores": cores, "disk_gb": disk})
