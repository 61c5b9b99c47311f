"""The checks of notebook 03: what they say to the untouched stub, to right answers and to wrong ones."""

import pytest
import torch
import torch.nn.functional as F

from course_utils import checks

LEFT_OUT = 32 * 28 * 28  # numbers that reach the last layer without pooling


def said(capsys, check, *answer) -> str:
    check(*answer)
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize("check", [checks.max_pool, checks.average_weights, checks.larger_of_two])
@pytest.mark.parametrize("stub", [..., lambda *arguments: ...])
def test_an_untouched_stub(capsys, check, stub):
    assert said(capsys, check, stub) == "not tried yet"


@pytest.mark.parametrize("answer", [(..., ...), (12_832, ...), (..., 250_890)])
def test_an_untouched_prediction(capsys, answer):
    assert said(capsys, checks.parameters_without_pooling, *answer) == "not tried yet"


def pool_by_loop(images, size):
    count, channels, height, width = images.shape
    pooled = torch.empty(count, channels, height // size, width // size)
    for row in range(height // size):
        for column in range(width // size):
            window = images[:, :, row * size : (row + 1) * size, column * size : (column + 1) * size]
            pooled[:, :, row, column] = window.amax(dim=(2, 3))
    return pooled


def pool_by_reshape(images, size):
    height, width = images.shape[-2] // size, images.shape[-1] // size
    kept = images[:, :, : height * size, : width * size]
    return kept.reshape(*images.shape[:2], height, size, width, size).amax(dim=(3, 5))


def diagonal_weights(channels, size):
    return torch.eye(channels)[:, :, None, None].expand(-1, -1, size, size) / size**2


def looped_weights(channels, size):
    weights = torch.zeros(channels, channels, size, size)
    for channel in range(channels):
        weights[channel, channel] = 1 / size**2
    return weights


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (checks.max_pool, pool_by_loop),
        (checks.max_pool, pool_by_reshape),
        (checks.max_pool, F.max_pool2d),
        (checks.average_weights, diagonal_weights),
        (checks.average_weights, looped_weights),
        (checks.average_weights, lambda channels, size: looped_weights(channels, size).double()),
        (checks.larger_of_two, lambda a, b: a + F.relu(b - a)),
        (checks.larger_of_two, lambda a, b: b + torch.relu(a - b)),
        (checks.larger_of_two, lambda a, b: (a - b).relu() + b),
    ],
)
def test_right_answers(capsys, check, answer):
    assert said(capsys, check, answer) == "correct"


@pytest.mark.parametrize("answer", [(12_832, 250_890), (torch.tensor(12_832), 10 * LEFT_OUT + 10)])
def test_right_predictions(capsys, answer):
    assert said(capsys, checks.parameters_without_pooling, *answer) == "correct"


def one_value_off(images, size):
    pooled = F.max_pool2d(images, size)
    pooled[-1, -1, -1, -1] += 0.01
    return pooled


def square_only(images, size):
    """Counts the rows, and takes as many columns."""
    return pool_by_loop(images[..., : images.shape[-2]], size)


def first_channel_only(images, size):
    return F.max_pool2d(images, size)[:, :1].expand(-1, images.shape[1], -1, -1)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (F.avg_pool2d, "average of each window"),
        (lambda images, size: F.max_pool2d(images, size).amax(dim=1, keepdim=True), "2 channels became one"),
        (lambda images, size: F.max_pool2d(images, size).amax(dim=1), "2 channels became one"),
        (
            lambda images, size: (
                F.max_pool2d(images, size).amax(dim=1, keepdim=True).expand(-1, images.shape[1], -1, -1)
            ),
            "Each channel is pooled by itself",
        ),
        (lambda images, size: F.max_pool2d(images, size, ceil_mode=True), "sizes round down"),
        (lambda images, size: F.max_pool2d(images, size, stride=1), "moves by its own size"),
        (lambda images, size: -F.max_pool2d(-images, size), "smallest"),
        (lambda images, size: images[:, :, ::size, ::size], "top left"),
        (lambda images, size: F.max_pool2d(images, size).clamp(min=0), "Don't start from 0"),
        (lambda images, size: F.max_pool2d(images, 2), "size 3 the shape should be"),
        (one_value_off, "at least one value is off"),
        (square_only, "the shape should be"),
        (first_channel_only, "at least one value is off"),
        (lambda images, size: None, "returns None"),
        (lambda images, size: 3.0, "a tensor should come back"),
        (lambda images, size: images.max_pool(size), "AttributeError"),
    ],
)
def test_wrong_max_pooling(capsys, answer, hint):
    outcome = said(capsys, checks.max_pool, answer)
    assert outcome.startswith("not right yet: ") and hint in outcome


def one_weight_off(channels, size):
    weights = looped_weights(channels, size)
    weights[-1, -1, -1, -1] += 0.01
    return weights


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda channels, size: size**2 * looped_weights(channels, size), "each window is added up"),
        (lambda channels, size: size * looped_weights(channels, size), "divide by the window's side"),
        (lambda channels, size: torch.full((channels, channels, size, size), 1 / size**2), "mixes all input channels"),
        (
            lambda channels, size: torch.full((channels, channels, size, size), 1 / size**2 / channels),
            "mixes all input channels",
        ),
        (lambda channels, size: looped_weights(channels, size).flip(0), "weights[o, i] goes from input i"),
        (lambda channels, size: looped_weights(channels, 2), "the shape should be"),
        (lambda channels, size: torch.full((channels, 1, size, size), 1 / size**2), "the shape should be"),
        (lambda channels, size: looped_weights(channels, size).long(), "at least one output differs"),
        (one_weight_off, "at least one output differs"),
    ],
)
def test_wrong_average_weights(capsys, answer, hint):
    outcome = said(capsys, checks.average_weights, answer)
    assert outcome.startswith("not right yet: ") and hint in outcome


def off_for_many_axes(a, b):
    larger = a + F.relu(b - a)
    return larger if a.dim() == 1 else larger - 0.01 * (torch.arange(a.shape[-1]) == 0)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (torch.maximum, "you used maximum"),
        (lambda a, b: torch.where(a > b, a, b), "you used where"),
        (lambda a, b: torch.stack([a, b]).amax(dim=0), "you used amax"),
        (lambda a, b: a - F.relu(a - b), "the smaller one"),
        (lambda a, b: F.relu(a) + F.relu(b - F.relu(a)), "the answer is not 0"),
        (lambda a, b: F.relu(a + F.relu(b - a)), "the answer is not 0"),
        (lambda a, b: F.relu(b - a), "What do you have to add it to?"),
        (lambda a, b: a + F.relu(a - b), "at least one value is off"),
        (lambda a, b: a.max(), "the shape should be"),
        (off_for_many_axes, "at least one value is off"),
    ],
)
def test_wrong_larger_of_two(capsys, answer, hint):
    outcome = said(capsys, checks.larger_of_two, answer)
    assert outcome.startswith("not right yet: ") and hint in outcome


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ((4 * 12_832, 250_890), "how far it slides"),
        ((16 * 12_832, 250_890), "how far it slides"),
        ((12_800, 250_890), "conv2: not 12800"),
        ((12_832, 15_690), "the number with pooling"),
        ((12_832, 250_880), "one bias for each"),
        ((12_832, 62_730), "with one pooling left"),
        ((12_832, 250_889), "out: not 250889"),
        (("12832", 250_890), "conv2 should be one number"),
        ((12_832, [250_890]), "out should be one number"),
    ],
)
def test_wrong_predictions(capsys, answer, hint):
    outcome = said(capsys, checks.parameters_without_pooling, *answer)
    assert outcome.startswith("not right yet: ") and hint in outcome
