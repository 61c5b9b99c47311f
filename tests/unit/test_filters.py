"""The hand-made filters against kernels written out, rotated by torch, and responses counted by hand."""

import pytest
import torch

from course_utils import count_parameters
from course_utils.filters import (
    HandMadeFeatures,
    hand_made_kernels,
    linear_on_hand_made_features,
    linear_on_pixels,
)


def test_first_edge_is_sobels_and_a_quarter_turn_is_two_steps():
    kernels = hand_made_kernels()
    assert kernels.shape == (12, 3, 3)
    assert kernels[0].tolist() == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    assert kernels[1].tolist() == [[-2, -1, 0], [-1, 0, 1], [0, 1, 2]]
    for step in range(6):  # rot90 with k=-1 turns clockwise
        assert torch.equal(kernels[step + 2], kernels[step].rot90(-1))


def test_lines_lie_in_four_directions_and_no_kernel_answers_to_a_flat_patch():
    lines = hand_made_kernels()[8:]
    assert lines[0].tolist() == [[-1, 2, -1]] * 3
    assert torch.equal(lines[2], lines[0].rot90(-1)) and torch.equal(lines[3], lines[1].rot90(-1))
    assert len({tuple(kernel.flatten().tolist()) for kernel in hand_made_kernels()}) == 12
    assert hand_made_kernels().sum(dim=(1, 2)).abs().max() == 0


@pytest.mark.parametrize("pool", [2, 4])
def test_features_of_a_vertical_step(pool):
    image = torch.zeros(1, 1, 28, 28)
    image[..., 14:] = 1.0  # dark on the left, bright on the right
    features = HandMadeFeatures(pool)(image)
    assert features.shape == (1, 12, 28 // pool, 28 // pool)
    row = 7 // (pool // 2)  # well inside
    # Sobel answers 4 at columns 13 and 14; the opposite edge answers there below 0, which becomes 0.
    assert features[0, 0, row].sum() == pytest.approx(8 / pool)
    assert features[0, 4, row, : 26 // pool].sum() == 0


def test_nothing_in_the_features_is_trained():
    assert count_parameters(HandMadeFeatures()) == 0
    assert count_parameters(linear_on_pixels()) == 7850
    assert count_parameters(linear_on_hand_made_features(4)) == 12 * 7 * 7 * 10 + 10
    images = torch.rand(3, 1, 28, 28)
    for model in (linear_on_pixels(), linear_on_hand_made_features(2), linear_on_hand_made_features(4)):
        assert model(images).shape == (3, 10)
