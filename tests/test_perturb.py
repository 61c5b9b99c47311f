"""Shifted images against a loop over all pixels."""

import pytest
import torch

from course_utils.perturb import shift


def _shift_by_loop(images: torch.Tensor, dx: int, dy: int) -> torch.Tensor:
    """Every pixel goes dx columns to the right and dy rows down, if that is still inside."""
    height, width = images.shape[-2:]
    moved = torch.zeros_like(images)
    for row in range(height):
        for column in range(width):
            if 0 <= row + dy < height and 0 <= column + dx < width:
                moved[..., row + dy, column + dx] = images[..., row, column]
    return moved


@pytest.mark.parametrize("shape", [(5, 5), (4, 7), (3, 1, 6, 4), (2, 3, 1, 5)], ids=str)
def test_every_shift_of_every_size(shape):
    images = torch.rand(shape) + 0.1  # nothing black in it
    height, width = shape[-2:]
    for dx in range(1 - width, width):
        for dy in range(1 - height, height):
            assert torch.equal(shift(images, dx, dy), _shift_by_loop(images, dx, dy)), (dx, dy)


def test_one_pixel_goes_right_and_down():
    image = torch.zeros(1, 1, 5, 5)
    image[0, 0, 2, 1] = 1
    assert shift(image, dx=2, dy=-1).nonzero().tolist() == [[0, 0, 1, 3]]


def test_no_shift_changes_nothing_and_the_argument_is_never_changed():
    images = torch.rand(2, 1, 4, 4)
    before = images.clone()
    assert torch.equal(shift(images, 0, 0), before)
    shift(images, 1, 1)[:] = 7
    assert torch.equal(images, before)


@pytest.mark.parametrize(("dx", "dy"), [(7, 0), (-7, 0), (0, 4), (0, -4), (100, 100)])
def test_a_shift_that_leaves_nothing(dx, dy):
    with pytest.raises(ValueError) as caught:
        shift(torch.ones(2, 1, 4, 7), dx, dy)
    for said in (f"dx={dx}", f"dy={dy}", "4 high", "7 wide", "|dx| < 7", "|dy| < 4"):
        assert said in str(caught.value)
