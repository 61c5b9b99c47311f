"""What a classifier knows and does: each function against a loop, arithmetic, SciPy or scikit-learn, and bad input."""

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.special
import torch
import torch.nn.functional as F
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_curve
from torch import nn
from torch.testing import assert_close

from course_utils import CNN, analysis

SEEDS = range(3)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def predictions(seed: int, count: int = 200, classes: int = 4):
    """Probabilities (N, K) in float32 and labels that agree with most of the confident ones."""
    random = generator(seed)
    logits = 2 * torch.randn(count, classes, generator=random)
    labels = torch.multinomial((0.7 * logits).softmax(dim=1), 1, generator=random).squeeze(1)
    return logits.softmax(dim=1), labels


# --- what is refused --------------------------------------------------------------------------------------------------

IMAGES, LABELS = torch.rand(3, 1, 3, 4), torch.tensor([0, 2, 1])
RIGHT = {  # each function with arguments that it takes
    "logits_of": (nn.Flatten(), IMAGES),
    "layer_inputs": (nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), IMAGES),
    "probabilities_of": (torch.zeros(3, 3), 1.0),
    "confident_mistakes": (torch.eye(3), LABELS, 5),
    "reliability": (torch.eye(3), LABELS, 5),
    "expected_calibration_error": (torch.eye(3), LABELS, 5),
    "fit_temperature": (torch.eye(3), LABELS),
    "accuracy_by_coverage": (torch.rand(3), LABELS > 0),
    "deferred_count": (torch.rand(3), LABELS > 0, 0.9),
    "detection_rate": (torch.rand(3), torch.rand(5), 0.95),
    "probe": (torch.rand(3, 2), LABELS, 1.0),
    "strongest_patches": (IMAGES, torch.rand(3, 2, 3, 4), (1, 1, 0), 2),
    "fgsm": (nn.Flatten(), IMAGES, LABELS, 0.1),
}
PREDICTED = ("confident_mistakes", "reliability", "expected_calibration_error")
LABELLED = {name: 1 for name in (*PREDICTED, "fit_temperature", "probe")} | {"fgsm": 2}
NUMBERS = {  # the place and the name of a number, the error's words for its limit, and values beyond it
    "probabilities_of": (1, "temperature", "finite number above 0", (0, -1, math.nan, math.inf)),
    "confident_mistakes": (2, "count", "at least 1", (0, -1)),
    "reliability": (2, "bins", "at least 1", (0, -1)),
    "expected_calibration_error": (2, "bins", "at least 1", (0, -1)),
    "deferred_count": (2, "accuracy", "at least 0 and of at most 1", (99.9, -0.1, math.nan)),
    "detection_rate": (2, "keep", "above 0 and of at most 1", (0, -0.5, 95, math.nan)),
    "probe": (2, "C", "above 0", (0, -1, math.inf)),
    "strongest_patches": (3, "count", "at least 1", (0, -1)),
    "fgsm": (3, "epsilon", "at least 0", (-0.1, math.nan)),
}


def refused(name: str, place: int, wrong: object, error: type[Exception], said: str) -> None:
    arguments = list(RIGHT[name])
    arguments[place] = wrong
    with pytest.raises(error, match=said):
        getattr(analysis, name)(*arguments)


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_refused(name):
    getattr(analysis, name)(*RIGHT[name])
    for place, given in enumerate(RIGHT[name]):
        if isinstance(given, torch.Tensor):
            refused(name, place, given.numpy(), TypeError, "as a tensor, got ndarray")
            if place != LABELLED.get(name):
                refused(name, place, given[:0], ValueError, r"selection is empty|\(0,\)")
            if given.is_floating_point() and name not in ("logits_of", "layer_inputs", "strongest_patches"):
                wrong = given.clone()
                wrong[1] = wrong[2] = math.nan
                refused(name, place, wrong, ValueError, f"2 of {len(given)} rows")
    if name in LABELLED:
        for wrong, said in ((LABELS[:2], r"\(3,\), got \(2,\)"), (torch.eye(3).long(), r"\(3,\), got \(3, 3\)")):
            refused(name, LABELLED[name], wrong, ValueError, said)
        if name != "probe":
            for wrong in (LABELS - 1, LABELS + 20):
                refused(name, LABELLED[name], wrong, ValueError, f"between 0 and .* got {wrong.min()} to {wrong.max()}")
    if name in NUMBERS:
        place, called, limit, values = NUMBERS[name]
        for wrong in values:
            refused(name, place, wrong, ValueError, f"{called} must be .*{limit}, got {wrong}")


@pytest.mark.parametrize(
    ("name", "place", "wrong", "error", "said"),
    [
        *((name, 0, torch.tensor([[3.0, -2], [1, 0], [0, 1]]), ValueError, "Are these logits") for name in PREDICTED),
        *((name, 0, torch.zeros(3), ValueError, r"\(N, K\).* got \(3,\)") for name in ("probabilities_of", *PREDICTED)),
        ("accuracy_by_coverage", 1, LABELS, TypeError, r"True or False .* got torch\.int64"),
        ("accuracy_by_coverage", 1, LABELS[:2] > 0, ValueError, r"\(3,\), got \(2,\)"),
        ("accuracy_by_coverage", 0, torch.rand(3, 2), ValueError, r"confidence, got shape \(3, 2\)"),
        ("detection_rate", 0, torch.rand(3, 2), ValueError, r"in_distribution, got shape \(3, 2\)"),
        ("detection_rate", 1, torch.rand(3, 2), ValueError, r"out_of_distribution, got shape \(3, 2\)"),
        ("probe", 0, torch.rand(3), ValueError, r"\(N, \.\.\.\), got \(3,\)"),
        ("probe", 1, torch.tensor([4, 4, 4]), ValueError, "at least two classes .* all 3 labels are equal"),
        ("strongest_patches", 0, torch.rand(3, 3, 4, 4), ValueError, r"\(N, 1, H, W\), got \(3, 3, 4, 4\)"),
        ("strongest_patches", 1, torch.rand(3, 2, 4), ValueError, r"\(N, C, h, w\), got \(3, 2, 4\)"),
        ("strongest_patches", 1, torch.rand(4, 2, 4, 4), ValueError, "as many maps as images .* got 4 and 3"),
        ("strongest_patches", 3, 4, ValueError, "at least 4; got 3 and 3"),
        ("strongest_patches", 1, torch.full((3, 2, 3, 4), math.nan), ValueError, "3 of 3 rows of the maps"),
        ("fgsm", 0, nn.Sequential(nn.Flatten(), nn.LogSoftmax(1), nn.Threshold(1, math.nan)), ValueError, "the logits"),
    ],
)
def test_what_else_is_refused(name, place, wrong, error, said):
    refused(name, place, wrong, error, said)


# --- the model --------------------------------------------------------------------------------------------------------


def state(model: nn.Module) -> list:
    return [[(m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for m in model.modules()]] + [
        (value.tolist(), value.grad) for value in model.state_dict(keep_vars=True).values()
    ]


@pytest.mark.parametrize(
    "function",
    [
        analysis.logits_of,
        analysis.layer_inputs,
        lambda model, images: analysis.fgsm(model, images, torch.zeros(len(images), dtype=torch.int64), 0.1),
    ],
)
def test_a_model_in_training_stays_as_it_was_even_after_an_error(function):
    """One with all that behaves otherwise in training, and with one module that is not in training."""
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(64, 3)
    )
    model(torch.rand(20, 1, 6, 6))  # running statistics of its own
    model[3].eval()
    before = state(model)
    function(model, torch.rand(7, 1, 6, 6))
    assert state(model) == before
    with pytest.raises(RuntimeError):  # the last layer's: 36 features instead of 64
        function(model, torch.rand(7, 1, 5, 5))
    assert state(model) == before


@pytest.mark.parametrize("count", [1, 201])  # one chunk, and three with one image in the last
def test_logits_and_what_each_layer_receives(count):
    torch.manual_seed(0)
    model, images = CNN(), torch.rand(count, 1, 28, 28)
    logits = analysis.logits_of(model, images)
    with torch.no_grad():
        once = model.conv1(images)
        expected = [images, once, model.conv2(once).flatten(1)]
        assert_close(logits, model.out(expected[-1]), rtol=0, atol=1e-6)
    for found, wanted in zip(analysis.layer_inputs(model, images), expected, strict=True):
        assert_close(found, wanted, rtol=0, atol=1e-6)
    logits.requires_grad_().sum().backward()  # what comes from inference_mode would refuse


@pytest.mark.parametrize("temperature", [0.3, 1, 4.0])
def test_probabilities_against_scipy(temperature):
    logits = 30 * torch.randn(50, 7, generator=generator(0))
    expected = scipy.special.softmax(logits.double().numpy() / temperature, axis=1)
    assert np.allclose(analysis.probabilities_of(logits, temperature), expected, atol=1e-6)
    assert torch.equal(analysis.probabilities_of(logits), analysis.probabilities_of(logits, 1))


# --- mistakes and calibration -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_confident_mistakes_against_sorting(seed):
    probabilities, labels = predictions(seed)
    probabilities[::3] = probabilities[0]  # equally confident ones come in their order
    rows = list(zip(probabilities.tolist(), labels.tolist(), strict=True))
    wrong = [index for index, (row, label) in enumerate(rows) if row.index(max(row)) != label]
    for count in (1, 10, 1000):
        expected = sorted(wrong, key=lambda index: -max(rows[index][0]))[:count]
        assert analysis.confident_mistakes(probabilities, labels, count).tolist() == expected
    assert analysis.confident_mistakes(torch.eye(3), torch.arange(3), 5).tolist() == []


def bins_by_loop(probabilities, labels, bins):
    """(count, mean confidence, accuracy) of each bin (lower, upper], in exact arithmetic."""
    rows = list(zip(probabilities.tolist(), labels.tolist(), strict=True))
    for place in range(bins):
        inside = [
            (Fraction(max(row)), row.index(max(row)) == label)
            for row, label in rows
            if Fraction(place, bins) < Fraction(max(row)) <= Fraction(place + 1, bins)
        ]
        n = len(inside) or math.nan
        yield len(inside), float(sum(value for value, _ in inside)) / n, sum(right for _, right in inside) / n


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("bins", "classes"), [(15, 10), (10, 2), (1, 3), (50, 4)])
def test_reliability_and_its_error_against_a_loop(seed, bins, classes):
    probabilities, labels = predictions(seed, classes=classes)
    probabilities[:8] = torch.eye(classes)[torch.arange(8) % classes]  # sure
    probabilities[8:12, 2:], probabilities[8:12, :2] = 0, torch.tensor([0.7, 0.3])  # on an edge of ten, nearly
    probabilities[12:16, 2:], probabilities[12:16, :2] = 0, torch.tensor([0.5, 0.5])  # exactly on one
    expected = list(bins_by_loop(probabilities, labels, bins))
    for found, wanted in zip(
        analysis.reliability(probabilities, labels, bins), zip(*expected, strict=True), strict=True
    ):
        assert np.allclose(found, wanted, rtol=0, atol=1e-12, equal_nan=True)
    error = sum(n * abs(mean - share) for n, mean, share in expected if n) / len(labels)
    assert analysis.expected_calibration_error(probabilities, labels, bins) == pytest.approx(error, abs=1e-12)


def test_reliability_against_scikit_learn_and_where_rounding_lifts_a_confidence_above_1():
    probabilities, labels = predictions(0, count=500)
    confidence, answers = probabilities.double().max(dim=1)
    share, mean = calibration_curve((answers == labels).numpy(), confidence.numpy(), n_bins=15)  # full bins only
    found = analysis.reliability(probabilities, labels)  # 15 bins as well
    full = found.count > 0
    assert np.allclose(found.accuracy[full], share) and np.allclose(found.confidence[full], mean)
    lifted = analysis.reliability(torch.tensor([[1 + 1e-6, 0.0]]), torch.tensor([0]))
    assert lifted.count.tolist() == [0] * 14 + [1]


def likelihood_loss(logits: torch.Tensor, labels: torch.Tensor, temperature: float) -> float:
    log_probabilities = scipy.special.log_softmax(logits.double().numpy() / temperature, axis=1)
    return -log_probabilities[np.arange(len(labels)), labels.numpy()].mean()


@pytest.mark.parametrize("scale", [0.2, 1.0, 6.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_temperature_against_a_fine_grid(seed, scale):
    random = generator(seed)
    logits = torch.randn(300, 5, generator=random)
    labels = torch.multinomial(logits.softmax(dim=1), 1, generator=random).squeeze(1)
    logits *= scale
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 600))
    best = grid[np.argmin([likelihood_loss(logits, labels, temperature) for temperature in grid])]
    found = analysis.fit_temperature(logits, labels)
    assert found == pytest.approx(best, rel=0.01)  # a step of the grid is 1 %
    assert likelihood_loss(logits, labels, found) <= likelihood_loss(logits, labels, best) + 1e-9
    assert found / scale == pytest.approx(1, abs=0.35)  # the labels were drawn with 1


def test_temperature_where_all_is_right_and_where_all_is_wrong():
    logits, labels = 10 * torch.eye(4), torch.arange(4)
    assert analysis.fit_temperature(logits, labels) == pytest.approx(0.05)
    assert analysis.fit_temperature(logits, labels.roll(1)) == pytest.approx(20)
    assert analysis.fit_temperature(1e6 * logits, labels) == pytest.approx(0.05)  # all losses round to 0


# --- abstaining and unknown images ------------------------------------------------------------------------------------


def coverage_by_loop(confidence, correct):
    """(accuracy, answered) of each threshold, from the highest."""
    pairs = list(zip(confidence.tolist(), correct.tolist(), strict=True))
    for threshold in sorted(set(confidence.tolist()), reverse=True):
        answers = [right for value, right in pairs if value >= threshold]
        yield sum(answers) / len(answers), len(answers)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [1, 2, 60])
@pytest.mark.parametrize("equals", [True, False])
def test_abstaining_against_every_threshold(seed, count, equals):
    random = generator(seed)
    confidence = torch.rand(count, generator=random)
    if equals:
        confidence = (12 * confidence).round() / 12
    correct = torch.rand(count, generator=random) < 0.3 + 0.7 * confidence
    expected = list(coverage_by_loop(confidence, correct))
    accuracy, answered = analysis.accuracy_by_coverage(confidence, correct)
    assert list(zip(accuracy.tolist(), answered.tolist(), strict=True)) == expected
    for wanted in (0, 0.3, 0.6, 0.75, 0.8, 0.9, 0.999, 1):
        reaching = [count for share, count in expected if share >= wanted]
        assert analysis.deferred_count(confidence, correct, wanted) == count - max(reaching, default=0)


def test_deferring_until_exactly_999_of_1000_are_right():
    confidence = torch.linspace(1, 0.5, 1010)
    correct = torch.ones(1010, dtype=torch.bool)
    correct[300] = False
    correct[1000:] = False
    assert analysis.deferred_count(confidence, correct, 0.999) == 10
    correct[500] = False
    assert analysis.deferred_count(confidence, correct, 0.999) == 1010 - 300  # 499 of 500 would be too few


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("known", "unknown"), [(100, 40), (1, 9), (20, 1), (37, 80)])
def test_detection_rate_against_the_roc_curve(seed, known, unknown):
    random = generator(seed)
    scores = torch.randn(known, generator=random) + 1, torch.randn(unknown, generator=random)
    for pair in (scores, tuple((3 * score).round() for score in scores)):  # the second with many equal ones
        passed, kept, _ = roc_curve([1] * known + [0] * unknown, torch.cat(pair), drop_intermediate=False)
        for percent in (1, 7, 50, 55, 80, 95, 99, 100):
            expected = 1 - passed[kept >= percent / 100 - 1e-9].min()
            assert analysis.detection_rate(*pair, keep=percent / 100) == pytest.approx(expected), percent


# --- probes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("C", [0.01, 1.0])
def test_a_probe_stands_where_its_loss_has_no_slope(C):
    """Cross-entropy summed over the images, times C, plus half the squared weights: its gradient by torch is 0."""
    random = generator(0)
    features = torch.randn(120, 2, 3, 2, generator=random) * torch.logspace(-2, 3, 2) + 7
    labels = (features.flatten(1)[:, :3].argmax(dim=1) + torch.randint(0, 2, (120,), generator=random)) % 3
    probe = analysis.probe(features, labels, C)
    flat = features.flatten(1).double()
    standardised = (flat - flat.mean(0)) / flat.std(0, correction=0)
    weights, bias = (
        torch.tensor(values, dtype=torch.double, requires_grad=True)
        for values in (probe[-1].coef_, probe[-1].intercept_)
    )
    logits = standardised @ weights.T + bias
    loss = C * F.cross_entropy(logits, labels, reduction="sum") + weights.square().sum() / 2
    slopes = torch.autograd.grad(loss, (weights, bias))
    assert max(slope.abs().max() for slope in slopes) < 1e-2 * C * len(labels)
    answers = logits.argmax(1)
    for taken in (features, features.flatten(1), features.flatten(1).numpy(), features.clone().requires_grad_()):
        assert probe.predict(taken).tolist() == answers.tolist()
        for wanted in (labels, labels.numpy(), labels.tolist()):
            assert probe.score(taken, wanted) == pytest.approx((answers == labels).double().mean().item())


def test_a_probe_of_features_of_which_one_never_changes():
    features = torch.zeros(20, 3)
    features[10:, 1] = 1
    labels = torch.arange(20) >= 10
    assert analysis.probe(features, labels, 1.0).score(features, labels) == 1


# --- receptive fields and patches -------------------------------------------------------------------------------------


def measured_field(layers, position: int, length: int) -> tuple[int, int]:
    """First and last input pixel that moves the output at `position`, by its gradient."""
    pixels = torch.ones(1, 1, length, requires_grad=True)
    values = pixels
    for kernel_size, stride, padding in layers:
        values = F.conv1d(values, torch.ones(1, 1, kernel_size), stride=stride, padding=padding)
    values[0, 0, position].backward()
    seen = pixels.grad[0, 0].nonzero()
    return seen.min().item(), seen.max().item()


def random_stack(seed: int) -> list[tuple[int, int, int]]:
    """One to four layers (kernel_size 1..5, stride 1..3, padding 0..3)."""
    numbers = torch.randint(0, 60, (1 + seed % 4, 3), generator=generator(seed)).tolist()
    return [(1 + kernel_size % 5, 1 + stride % 3, padding % 4) for kernel_size, stride, padding in numbers]


TUTORIAL = [(5, 1, 2), (2, 2, 0), (5, 1, 2), (2, 2, 0)]


@pytest.mark.parametrize("layers", [[], TUTORIAL, *map(random_stack, range(12))], ids=str)
def test_receptive_fields_against_measured_ones(layers):
    size, stride, start = analysis.receptive_field(layers)
    length = 400
    inside = [i for i in range(-(start // stride), length) if start + i * stride >= 0][:3]
    for position in inside:
        first = start + position * stride
        assert measured_field(layers, position, length) == (first, first + size - 1)


def patches_by_loop(images, maps, field, count):
    size, stride, start = field
    height, width = images.shape[2:]
    found = torch.zeros(maps.shape[1], count, size, size)
    for channel in range(maps.shape[1]):
        places = [(image, i, j) for image, i, j in np.ndindex(len(maps), *maps.shape[2:])]
        best = {}  # for each image (value, row, column)
        for image, i, j in places:
            best[image] = max(best.get(image, (-math.inf,)), (maps[image, channel, i, j].item(), i, j))
        strongest = sorted(best, key=lambda image: -best[image][0])[:count]
        for place, image in enumerate(strongest):
            _, i, j = best[image]
            for row, column in np.ndindex(size, size):
                y, x = start + i * stride + row, start + j * stride + column
                if 0 <= y < height and 0 <= x < width:
                    found[channel, place, row, column] = images[image, 0, y, x]
    return found


@pytest.mark.parametrize(
    ("image_size", "map_size", "field", "count"),
    [
        ((9, 9), (9, 9), (3, 1, -1), 3),
        ((8, 11), (4, 5), (6, 2, -2), 4),
        ((7, 5), (2, 3), (2, 2, 1), 1),
        ((4, 4), (3, 4), (1, 1, 0), 6),
        ((3, 3), (9, 9), (1, 1, -3), 2),  # positions that see the padding only
        ((3, 4), (6, 6), (2, 3, -8), 6),
    ],
)
def test_strongest_patches_against_a_loop(image_size, map_size, field, count):
    for seed in SEEDS:
        random = generator(seed)
        images = torch.rand(6, 1, *image_size, generator=random) + 0.1
        maps = torch.randn(6, 2, *map_size, generator=random)
        found = analysis.strongest_patches(images, maps, field, count)
        assert torch.equal(found, patches_by_loop(images, maps, field, count))


# --- a small attack ---------------------------------------------------------------------------------------------------


def linear(sharpness: float) -> nn.Module:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    with torch.no_grad():
        model[1].weight.copy_(sharpness * torch.randn(3, 12, generator=generator(0)))
    return model


@pytest.mark.parametrize("epsilon", [0, 0.02, 5.0])
def test_an_attack_against_the_arithmetic_of_a_linear_model(epsilon):
    """The loss's gradient is W^T (p - y), with p the probabilities and y 1 at the label."""
    model, random = linear(1.0), generator(1)
    images = torch.rand(201, 1, 3, 4, generator=random)  # three chunks, one image in the last
    labels = torch.randint(0, 3, (201,), generator=random)
    before = images.clone()
    found = analysis.fgsm(model, images, labels, epsilon)
    with torch.no_grad():
        slope = (model(images).softmax(1) - F.one_hot(labels, 3)) @ model[1].weight
    assert_close(found, (before + epsilon * slope.sign().view_as(images)).clamp(0, 1), rtol=0, atol=1e-6)
    assert torch.equal(images, before) and not found.requires_grad


@pytest.mark.parametrize("sharpness", [20.0, 300.0])
def test_an_attack_on_a_network_that_is_all_but_sure(sharpness):
    """In float32 its probability is 1 and cross-entropy has no slope; the direction is that of the margin."""
    model = linear(sharpness)
    images = torch.rand(50, 1, 3, 4, generator=generator(2)) / 2 + 0.25
    logits = analysis.logits_of(model, images)
    labels, sure = logits.argmax(1), analysis.probabilities_of(logits).amax(1) == 1
    assert sure.sum() > 10
    weight = model[1].weight.detach().double()
    others = (model.double()(images.double()).detach()).scatter(1, labels[:, None], -math.inf).softmax(1)
    expected = (others @ weight - weight[labels]).sign().view_as(images)
    moved = analysis.fgsm(model.float(), images, labels, 0.1) - images
    assert_close(moved[sure].double(), 0.1 * expected[sure], rtol=0, atol=1e-6)
