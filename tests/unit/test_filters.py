"""The hand-made filters against kernels written out and rotated by torch."""

import torch

from course_utils.filters import hand_made_kernels


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
