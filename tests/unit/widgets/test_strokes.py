"""Strokes turned into pixels, against distances sampled one by one; MNIST's form, against MNIST itself."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage

from course_utils.mnist_form import mnist_way, scaled
from course_utils.widgets.strokes import check_strokes, draw
from tools.bench.digit_strokes import DIGITS, resized


def mass_centre(image):
    """Row and column, the upper left pixel being (0, 0)."""
    return ndimage.center_of_mass(image.numpy())


def box_of(image) -> tuple[int, int]:
    """Height and width of the box around the ink."""
    rows, columns = ndimage.find_objects((image > 0).int().numpy())[0]
    return rows.stop - rows.start, columns.stop - columns.start


LINES = {
    "aslant": [(0.2, 0.3), (0.8, 0.7)],
    "upright": [(0.5, 0.1), (0.5, 0.9)],
    "flat": [(0.9, 0.5), (0.1, 0.5)],
    "a dot": [(0.3, 0.6)],
    "twice the same point": [(0.3, 0.6), (0.3, 0.6)],
    "off the edge": [(0.7, 0.5), (1.6, 0.2)],
    "in at one corner, out at another": [(-0.3, -0.2), (1.3, 1.4)],
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_ink_is_what_lies_within_half_a_pen_of_the_line(line):
    ink = draw([line], pen_width=0.08).numpy()
    start, end = np.array(line[0]), np.array(line[-1])
    on_line = start + np.linspace(0, 1, 400)[:, None] * (end - start)
    centres = (np.arange(280) + 0.5) / 280
    nearest = np.full((280, 280), np.inf)
    for x, y in on_line:
        np.minimum(nearest, np.hypot(centres - x, centres[:, None] - y), out=nearest)
    clear = np.abs(nearest - 0.04) > 1e-4  # at the very rim the samples are too coarse to tell
    assert clear.mean() > 0.98
    assert np.array_equal(ink[clear], nearest[clear] < 0.04)


def test_the_pen_is_as_wide_as_told():
    one_dot = draw([[(0.5, 0.5)]], pen_width=0.2)
    assert one_dot.sum().item() == pytest.approx(math.pi * 28**2, rel=0.01)
    assert box_of(one_dot) == (56, 56)


def test_strokes_add_up_and_their_order_does_not_matter():
    cross = [[(0.2, 0.2), (0.8, 0.8)], [(0.8, 0.2), (0.2, 0.8)]]
    assert torch.equal(draw(cross), torch.maximum(draw(cross[:1]), draw(cross[1:])))
    assert torch.equal(draw(cross), draw([stroke[::-1] for stroke in cross[::-1]]))


@pytest.mark.parametrize("strokes", [[], [[]], [[], []], [[(1.5, 0.5), (9, 9)]], [[(1e300, -1e300)]]], ids=str)
def test_nothing_on_the_pad_is_a_black_picture(strokes):
    assert not draw(strokes).any()
    assert not mnist_way(draw(strokes)).any()


def test_strokes_are_made_plain():
    assert check_strokes(np.array([[[0, 1], [0.5, 0.25]]])) == [[[0.0, 1.0], [0.5, 0.25]]]
    assert check_strokes([[], torch.tensor([[1, 0]])]) == [[[1.0, 0.0]]]


@pytest.mark.parametrize(
    ("strokes", "error", "says"),
    [
        ([[(math.nan, 0.5)]], ValueError, "finite"),
        ([(0.1, 0.2), (0.3, 0.4)], TypeError, "list of lists of points"),  # the brackets of the stroke forgotten
        ([[(0.1, 0.2, 0.3)]], TypeError, r"a point \(x, y\)"),
        ([[("a", "b")]], TypeError, "two numbers"),
        ([["ab"]], TypeError, "a point"),
        ("seven", TypeError, "list of strokes"),
        (None, TypeError, "list of strokes"),
    ],
    ids=str,
)
def test_strokes_of_another_kind_are_refused(strokes, error, says):
    with pytest.raises(error, match=says):
        draw(strokes)


def test_scaling_to_28_takes_means_and_moves_nothing():
    picture = draw(DIGITS[5])
    assert torch.allclose(scaled(picture), F.avg_pool2d(picture[None], 10)[0], atol=1e-6)
    image = torch.rand(28, 28)
    assert torch.equal(scaled(image), image)


def test_scaling_by_a_fraction_takes_parts_of_pixels():
    """35 to 28: as if each pixel were cut into 4 by 4, and 5 by 5 of the pieces made a new one."""
    picture = torch.rand(35, 35, generator=torch.Generator().manual_seed(1))
    pieces = picture.repeat_interleave(4, 0).repeat_interleave(4, 1)
    assert torch.allclose(scaled(picture), F.avg_pool2d(pieces[None], 5)[0], atol=1e-6)


def test_mnist_images_come_out_as_they_went_in(mnist):
    """MNIST's authors brought them into this form once: doing so again must change nothing."""
    images = mnist.test[:1000][0][:, 0]
    full = [image for image in images if max(box_of(image)) == 20]
    assert len(full) > 0.999 * len(images)
    for image in full:
        assert torch.equal(mnist_way(image), image)


def test_mnist_images_moved_and_enlarged_come_back(mnist):
    for image in mnist.test[:100][0][:, 0]:
        moved = torch.zeros(300, 300)
        moved[37:121, 190:274] = image.repeat_interleave(3, 0).repeat_interleave(3, 1)
        assert torch.allclose(mnist_way(moved), image, atol=1e-6)


@pytest.mark.parametrize(("size", "x", "y"), [(1, 0, 0), (0.4, 0.55, 0.05), (0.05, 0.1, 0.9)])
def test_every_drawing_gets_mnists_form(size, x, y):
    for digit, strokes in DIGITS.items():
        image = mnist_way(draw(resized(strokes, size, x, y), pen_width=0.09 * size))
        assert image.shape == (28, 28) and image.min() >= 0 and 0.9 < image.max() < 1.00001
        assert max(box_of(image)) == 20, digit
        assert np.abs(np.array(mass_centre(image)) - 14).max() < 0.50001, digit


def test_proportions_are_kept():
    image = mnist_way(draw([[(0.1, 0.5), (0.5, 0.5)]], pen_width=0.1))  # 0.5 by 0.1 with its round ends
    assert box_of(image) == (4, 20)
    hair = mnist_way(draw([[(0.1, 0.5), (0.9, 0.5)]], pen_width=0.004))
    assert box_of(hair) == (1, 20)  # not none


def test_one_dot_becomes_a_disc():
    dot = draw([[(0.9, 0.1)]])
    disc = mnist_way(dot)
    assert box_of(disc) == (20, 20)
    assert disc.sum().item() == pytest.approx(dot.sum().item() * (20 / box_of(dot)[0]) ** 2, rel=1e-4)


def test_lopsided_ink_stays_in_the_frame():
    picture = torch.zeros(100, 100)
    picture[0:10, 0:100] = 0.01  # a faint line, and nearly all the mass at its right end
    picture[0:10, 95:100] = 1
    image = mnist_way(picture)
    assert box_of(image) == (2, 20)
    assert image.sum().item() == pytest.approx(picture.sum().item() / 25, rel=1e-4)
