"""Photos of handwriting: what is found on pages whose content is known, and what is said to files of every kind."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import evidence, load_checkpoint, photo
from course_utils.mnist_form import mnist_way
from experiments._pages import KINDS, page


@pytest.fixture(scope="module")
def network():
    return load_checkpoint(evidence.folder() / photo.CHECKPOINT)


@pytest.fixture(scope="module")
def made(mnist):
    images, labels = mnist.validation[:8]
    return {name: page(KINDS[name], images, labels.tolist(), 4, seed=2) for name in ("ruled", "blackboard", "desk")}


@pytest.mark.parametrize("name", ["ruled", "blackboard", "desk"])
def test_pages_are_read_in_order_and_boxes_lie_on_the_digits(name, made, network):
    known = made[name]
    found = photo.find_digits(known.picture)
    reading = photo.read(network, found.images)
    assert found.line == [0, 0, 0, 0, 1, 1, 1, 1]
    right = np.array(reading.digits.tolist()) == np.concatenate(known.lines)
    assert right.sum() >= 7
    boxes = np.array(found.boxes)
    assert np.abs(boxes[:, :2] + boxes[:, 2:] / 2 - known.centres).max() < 20  # of 80 pixels a digit
    if name != "desk":  # there, the paper's edge is a line too
        assert found.ruling.any() == (name == "ruled")


def seven() -> np.ndarray:
    """A black 7 on white, bytes (120, 100), at rows 20 to 99 and columns 20 to 69."""
    picture = np.full((120, 100), 255, np.uint8)
    picture[20:30, 20:70] = 0
    for row in range(30, 100):
        left = 60 - (row - 30) // 3
        picture[row, left : left + 10] = 0
    return picture


MODES = ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16", "La", "RGBa", "PA"]


def in_mode(mode: str) -> Image.Image:
    grey = Image.fromarray(seven())
    if mode == "I;16":
        return Image.fromarray(seven().astype(np.uint16) * 257)
    if mode in ("LAB",):
        return Image.merge("LAB", [grey, *[Image.new("L", grey.size, 128)] * 2])
    steps = {"HSV": ["RGB"], "La": ["LA"], "RGBa": ["RGBA"], "YCbCr": ["RGB"], "CMYK": ["RGB"], "PA": ["P"]}
    for step in [*steps.get(mode, []), mode]:
        grey = grey.convert(step)
    return grey


@pytest.mark.parametrize("inverted", [False, True], ids=["dark ink", "light ink"])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_a_picture_gives_the_same_digit(mode, inverted):
    picture = in_mode(mode)
    if inverted and mode == "L":
        picture = Image.fromarray(255 - seven())
    found = photo.find_digits(picture)
    ((left, top, width, height),) = found.boxes
    assert np.abs(np.array([left, top, left + width, top + height]) - [20, 20, 70, 100]).max() <= 3
    expected = mnist_way(torch.from_numpy((seven() == 0).astype(np.float32)))
    assert (found.images[0, 0] - expected).abs().mean() < 0.06
    assert found.images.dtype == torch.float32 and found.images.shape == (1, 1, 28, 28)


@pytest.mark.parametrize("ink", [0, 255], ids=["black", "white"])
def test_ink_on_nothing_is_seen(ink):
    """A drawing program's transparent background."""
    opaque = Image.fromarray(255 - seven())
    picture = Image.merge("LA", [Image.new("L", opaque.size, ink), opaque])
    assert len(photo.find_digits(picture).boxes) == 1


def test_a_large_photo_keeps_its_boxes_and_a_digit_may_touch_the_edge():
    large = Image.fromarray(seven()[20:]).resize((3000, 3000), Image.Resampling.NEAREST)
    stored = io.BytesIO()
    large.save(stored, "JPEG")
    ((left, top, width, height),) = photo.find_digits(stored.getvalue()).boxes
    assert np.abs(np.array([left, top, left + width, top + height]) - [600, 0, 2100, 2400]).max() <= 40


def test_a_bar_that_hangs_loose_belongs_to_its_digit():
    picture = seven()
    picture[27:33] = 255
    assert len(photo.find_digits(Image.fromarray(picture)).boxes) == 1


def test_digits_that_touch_are_cut_and_it_is_said():
    one, other = np.full((120, 120), 255, np.uint8), seven()
    y, x = np.mgrid[:120, :120]
    ring = np.abs(np.hypot((y - 60) / 40, (x - 60) / 30) - 1) < 0.15
    one[ring] = 0
    picture = np.concatenate([one[:, :100], other[:, 10:]], axis=1)
    picture[60:66, 80:145] = 0  # a stroke from one to the other
    found = photo.find_digits(Image.fromarray(picture))
    assert len(found.boxes) == 2
    assert any("touched" in remark for remark in found.remarks)


def test_the_figure_shows_the_steps(made):
    figure = photo.find_digits(made["ruled"].picture).figure()
    titles = [axes.get_title()[:2] for axes in figure.axes]
    plt.close(figure)
    assert titles == ["1.", "2.", "3.", "4."]


def test_confidence_temperature_and_threshold(network, mnist):
    images = mnist.validation[:20][0]
    plain, sharp = photo.read(network, images), photo.read(network, images, temperature=0.5, threshold=0.95)
    assert torch.equal(plain.digits, sharp.digits) and (sharp.confidence > plain.confidence).all()
    assert torch.equal(sharp.sure, sharp.confidence >= 0.95) and plain.sure.all()
