"""What a classifier knows and does: each function against a loop, arithmetic, SciPy or scikit-learn, and bad input."""

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_curve
from torch import nn

from course_utils import CNN, analysis

SEEDS = range(5)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def predictions(seed: int, count: int = 200, classes: int = 4, sharpness: float = 2.0):
    """Probabilities (N, K) in float32 and labels that agree with most of the confident ones."""
    random = generator(seed)
    logits = sharpness * torch.randn(count, classes, generator=random)
    labels = torch.multinomial((0.7 * logits).softmax(dim=1), 1, generator=random).squeeze(1)
    return logits.softmax(dim=1), labels


def ties(seed: int, count: int = 60):
    """Confidences of which many are equal, and which answers are right."""
    random = generator(seed)
    confidence = torch.randint(0, 12, (count,), generator=random) / 12
    return confidence, torch.rand(count, generator=random) < 0.3 + 0.7 * confidence


# --- logits and probabilities ----------------------------------------------------------------------------------------


def network() -> nn.Module:
    """With all that behaves otherwise in training, and with one module that is not in training."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(64, 3)
    )
    model(torch.rand(20, 1, 6, 6))  # running statistics of its own
    model[3].eval()
    return model


def state(model: nn.Module) -> tuple[list[bool], list[torch.Tensor], list[torch.Tensor | None]]:
    modes = [module.training for module in model.modules()]
    return modes, [value.clone() for value in model.state_dict().values()], [p.grad for p in model.parameters()]


def assert_as_before(model: nn.Module, before) -> None:
    modes, values, gradients = state(model)
    assert modes == before[0]
    assert len(set(modes)) == 2, "the test wants a model with both modes"
    assert all(torch.equal(one, other) for one, other in zip(values, before[1], strict=True))
    assert gradients == before[2] == [None] * len(gradients)


@pytest.mark.parametrize("count", [1, 3, 1001])  # one chunk, and eleven with one image in the last
def test_logits_are_those_of_one_call_in_evaluation_mode(count):
    model = network()
    before = state(model)
    images = torch.rand(count, 1, 6, 6)
    found = analysis.logits_of(model, images)
    assert_as_before(model, before)
    with torch.no_grad():
        assert torch.allclose(found, model.eval()(images), atol=1e-6)
    found.requires_grad_().sum().backward()  # what comes from inference_mode would refuse


@pytest.mark.parametrize(
    "function",
    [
        analysis.logits_of,
        analysis.layer_inputs,
        lambda model, images: analysis.fgsm(model, images, torch.zeros(len(images), dtype=torch.int64), 0.1),
    ],
)
def test_a_model_in_training_stays_as_it_was_even_after_an_error(function):
    model = network()
    before = state(model)
    function(model, torch.rand(7, 1, 6, 6))
    assert_as_before(model, before)
    with pytest.raises(RuntimeError):  # the last layer's: 36 features instead of 64
        function(model, torch.rand(7, 1, 5, 5))
    assert_as_before(model, before)
    assert not any(module._forward_pre_hooks for module in model.modules())
    with pytest.raises(ValueError, match="the selection is empty"):
        function(model, torch.rand(0, 1, 6, 6))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_probabilities_against_scipy(temperature):
    logits = 30 * torch.randn(50, 7, generator=generator(0))
    expected = scipy.special.softmax(logits.double().numpy() / temperature, axis=1)
    assert np.allclose(analysis.probabilities_of(logits, temperature).numpy(), expected, atol=1e-6)


def test_the_temperature_is_1_unless_told():
    logits = torch.randn(5, 3, generator=generator(0))
    assert torch.equal(analysis.probabilities_of(logits), logits.softmax(1))


@pytest.mark.parametrize("temperature", [0, -1.0, math.nan, math.inf])
def test_a_temperature_that_is_none(temperature):
    with pytest.raises(ValueError, match=f"a finite number above 0, got {temperature}"):
        analysis.probabilities_of(torch.zeros(2, 3), temperature)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "function",
    [analysis.probabilities_of, lambda logits: analysis.fit_temperature(logits, torch.zeros(5, dtype=torch.int64))],
)
def test_logits_that_are_no_numbers(function, value):
    logits = torch.zeros(5, 3)
    logits[1, 0] = logits[1, 2] = logits[4, 1] = value
    with pytest.raises(ValueError, match="2 of 5 rows of the logits hold values that are not finite"):
        function(logits)


@pytest.mark.parametrize(
    ("logits", "message"),
    [(torch.zeros(0, 10), "the selection is empty"), (torch.zeros(10), r"shape \(N, K\), .* got \(10,\)")],
)
def test_logits_of_another_shape(logits, message):
    with pytest.raises(ValueError, match=message):
        analysis.probabilities_of(logits)


# --- intervals -------------------------------------------------------------------------------------------------------


def test_wilson_intervals_against_scipy():
    pairs = [(k, n) for n in (*range(1, 25), 100, 980) for k in sorted({0, 1, n // 3, n - 1, n})]
    successes, trials = (torch.tensor(column) for column in zip(*pairs, strict=True))
    lower, upper = analysis.wilson_interval(successes, trials)
    for (k, n), low, high in zip(pairs, lower.tolist(), upper.tolist(), strict=True):
        expected = scipy.stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
        assert low == pytest.approx(expected.low, abs=1e-7) and high == pytest.approx(expected.high, abs=1e-7)
        assert 0 <= low <= k / n + 1e-15 and k / n - 1e-15 <= high <= 1 and high - low > 1e-4


@pytest.mark.parametrize(
    ("successes", "trials", "message"),
    [
        ([], [], "the selection is empty"),
        ([3, 6], [5, 5], r"\[3.0, 6.0\] of \[5.0, 5.0\]"),
        ([-1], [5], "between 0 and its number of trials"),
        ([0], [0], "at least 1"),
        ([math.nan], [5.0], "between 0 and its number of trials"),
        ([1, 2, 3], [5], r"got \(3,\) successes and \(1,\) trials"),
    ],
)
def test_counts_that_are_none(successes, trials, message):
    with pytest.raises(ValueError, match=message):
        analysis.wilson_interval(torch.tensor(successes), torch.tensor(trials))


# --- mistakes and calibration ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [1, 10, 1000])
def test_confident_mistakes_against_sorting(seed, count):
    probabilities, labels = predictions(seed)
    rows = list(zip(probabilities.tolist(), labels.tolist(), strict=True))
    wrong = [index for index, (row, label) in enumerate(rows) if row.index(max(row)) != label]
    expected = sorted(wrong, key=lambda index: -max(rows[index][0]))[:count]
    assert 10 < len(wrong) < 1000
    assert analysis.confident_mistakes(probabilities, labels, count).tolist() == expected


def test_equally_confident_mistakes_come_in_their_order():
    probabilities = torch.tensor([[0.75, 0.25], [0.25, 0.75], [1.0, 0.0], [0.75, 0.25], [0.5, 0.5], [0.75, 0.25]])
    labels = torch.tensor([1, 0, 0, 1, 1, 0])  # 2 and 5 are right; of equal probabilities the first is the answer
    assert analysis.confident_mistakes(probabilities, labels, 9).tolist() == [0, 1, 3, 4]


def test_no_mistakes_and_nothing_but_mistakes():
    probabilities = torch.eye(3)
    assert analysis.confident_mistakes(probabilities, torch.tensor([0, 1, 2]), 5).tolist() == []
    assert analysis.confident_mistakes(probabilities, torch.tensor([1, 2, 0]), 5).tolist() == [0, 1, 2]


def bins_by_loop(probabilities, labels, bins):
    """(count, mean confidence, accuracy) of each bin (lower, upper], in exact arithmetic."""
    found = []
    for place in range(bins):
        inside = [
            (Fraction(max(row)), row.index(max(row)) == label)
            for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True)
            if Fraction(place, bins) < Fraction(max(row)) <= Fraction(place + 1, bins)
        ]
        n = len(inside)
        confidence, right = sum(value for value, _ in inside), sum(right for _, right in inside)
        found.append((n, float(confidence / n), right / n) if n else (0, math.nan, math.nan))
    return found


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("bins", "classes"), [(15, 10), (10, 2), (1, 3), (7, 4), (50, 4)])
def test_reliability_and_its_error_against_a_loop(seed, bins, classes):
    probabilities, labels = predictions(seed, classes=classes)
    expected = bins_by_loop(probabilities, labels, bins)
    found = analysis.reliability(probabilities, labels, bins)
    assert found.count.tolist() == [n for n, _, _ in expected]
    assert np.allclose(found.confidence, [mean for _, mean, _ in expected], atol=1e-12, equal_nan=True)
    assert np.allclose(found.accuracy, [share for _, _, share in expected], atol=1e-12, equal_nan=True)
    error = sum(n * abs(mean - share) for n, mean, share in expected if n) / len(labels)
    assert analysis.expected_calibration_error(probabilities, labels, bins) == pytest.approx(error, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_reliability_against_scikit_learn(seed):
    probabilities, labels = predictions(seed, count=500)
    confidence, answers = probabilities.double().max(dim=1)
    share, mean = calibration_curve((answers == labels).numpy(), confidence.numpy(), n_bins=15)  # full bins only
    found = analysis.reliability(probabilities, labels)  # 15 bins as well
    full = found.count > 0
    assert len(found.count) == 15
    assert np.allclose(found.accuracy[full], share) and np.allclose(found.confidence[full], mean)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below():
    confidence = torch.tensor([0.5, 0.75, 1.0, 1.0, 0.625])
    found = analysis.reliability(torch.stack([confidence, 1 - confidence], dim=1), torch.zeros(5).long(), bins=4)
    assert found.count.tolist() == [0, 1, 2, 2]


def test_a_confidence_that_rounding_lifted_above_1_is_in_the_last_bin():
    probabilities = torch.tensor([[1 + 1e-6, 0.0]])
    assert analysis.reliability(probabilities, torch.tensor([0])).count.tolist() == [0] * 14 + [1]


@pytest.mark.parametrize(("labels", "expected"), [([0, 1, 2], 0.0), ([1, 2, 0], 1.0), ([0, 0, 0], 2 / 3)])
def test_calibration_error_of_a_network_that_is_sure(labels, expected):
    """All right, all wrong, one class only."""
    assert analysis.expected_calibration_error(torch.eye(3), torch.tensor(labels)) == pytest.approx(expected)


def test_a_network_that_knows_one_class():
    found = analysis.reliability(torch.ones(4, 1), torch.zeros(4, dtype=torch.int64), bins=2)
    assert found.count.tolist() == [0, 4] and found.accuracy[1] == found.confidence[1] == 1


BAD_PREDICTIONS = {
    "nothing": (torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), "the selection is empty"),
    "nan": (torch.tensor([[0.5, 0.5], [math.nan, 0.5]]), torch.tensor([0, 1]), "1 of 2 rows of the probabilities"),
    "logits": (torch.tensor([[3.0, -2.0], [0.5, 0.5]]), torch.tensor([0, 1]), "Are these logits"),
    "sums": (torch.tensor([[0.5, 0.4], [0.5, 0.5]]), torch.tensor([0, 1]), r"sums from 0\.9 to 1"),
    "negative": (torch.tensor([[1.2, -0.2]]), torch.tensor([0]), "values from -0.2"),
    "one label too few": (torch.eye(3), torch.tensor([0, 1]), r"got \(3, 3\) and \(2,\)"),
    "one image": (torch.tensor([0.5, 0.5]), torch.tensor(1), r"got \(2,\) and \(\)"),
    "labels as columns": (torch.eye(3), torch.eye(3).long(), r"got \(3, 3\) and \(3, 3\)"),
    "label 3 of 0..2": (torch.eye(3), torch.tensor([0, 3, 1]), "between 0 and 2, .* got 0 to 3"),
    "label -1": (torch.eye(3), torch.tensor([0, -1, 1]), "got -1 to 1"),
}
TAKES_PREDICTIONS = {
    "confident_mistakes": lambda probabilities, labels: analysis.confident_mistakes(probabilities, labels, 5),
    "reliability": analysis.reliability,
    "expected_calibration_error": analysis.expected_calibration_error,
}


@pytest.mark.parametrize("bad", BAD_PREDICTIONS)
@pytest.mark.parametrize("function", TAKES_PREDICTIONS)
def test_predictions_that_are_none(function, bad):
    probabilities, labels, message = BAD_PREDICTIONS[bad]
    with pytest.raises(ValueError, match=message):
        TAKES_PREDICTIONS[function](probabilities, labels)


@pytest.mark.parametrize("bad", [bad for bad in BAD_PREDICTIONS if "label" in bad or bad in ("nothing", "one image")])
def test_labels_that_do_not_fit_the_logits(bad):
    logits, labels, message = BAD_PREDICTIONS[bad]
    with pytest.raises(ValueError, match=message):
        analysis.fit_temperature(logits, labels)


@pytest.mark.parametrize("number", [0, -1])
def test_none_of_something(number):
    for call, name in (
        (lambda: analysis.confident_mistakes(torch.eye(3), torch.arange(3), number), "count"),
        (lambda: analysis.reliability(torch.eye(3), torch.arange(3), number), "bins"),
        (lambda: analysis.expected_calibration_error(torch.eye(3), torch.arange(3), number), "bins"),
        (
            lambda: analysis.strongest_patches(torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4), (1, 1, 0), number),
            "count",
        ),
    ):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got {number}"):
            call()


# --- temperature -----------------------------------------------------------------------------------------------------


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
    logits = 10 * torch.eye(4)
    assert analysis.fit_temperature(logits, torch.arange(4)) == pytest.approx(0.05)
    assert analysis.fit_temperature(logits, torch.arange(4).roll(1)) == pytest.approx(20)
    assert analysis.fit_temperature(1e6 * logits, torch.arange(4)) == pytest.approx(0.05)  # all losses round to 0


# --- abstaining ------------------------------------------------------------------------------------------------------


def coverage_by_loop(confidence, correct):
    """(accuracy, answered) of each threshold, from the highest."""
    found = []
    for threshold in sorted(set(confidence.tolist()), reverse=True):
        answers = [
            right for value, right in zip(confidence.tolist(), correct.tolist(), strict=True) if value >= threshold
        ]
        found.append((sum(answers) / len(answers), len(answers)))
    return found


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [1, 2, 60])
@pytest.mark.parametrize("equals", [True, False])
def test_abstaining_against_every_threshold(seed, count, equals):
    confidence, correct = ties(seed, count)
    if not equals:
        confidence = torch.rand(count, generator=generator(seed + 100))
    expected = coverage_by_loop(confidence, correct)
    accuracy, answered = analysis.accuracy_by_coverage(confidence, correct)
    assert list(zip(accuracy.tolist(), answered.tolist(), strict=True)) == expected
    for wanted in (0, 0.3, 0.6, 0.75, 0.8, 0.9, 0.999, 1):
        reaching = [count for share, count in expected if share >= wanted]
        assert analysis.left_to_read(confidence, correct, wanted) == count - max(reaching, default=0)


def test_reading_until_exactly_999_of_1000_are_right():
    confidence = torch.linspace(1, 0.5, 1010)
    correct = torch.ones(1010, dtype=torch.bool)
    correct[300] = False
    correct[1000:] = False
    assert analysis.left_to_read(confidence, correct, 0.999) == 10
    correct[500] = False
    assert analysis.left_to_read(confidence, correct, 0.999) == 1010 - 300  # 499 of 500 would be too few


@pytest.mark.parametrize(("right", "left"), [(True, 0), (False, 4)])
def test_reading_where_all_is_right_and_where_all_is_wrong(right, left):
    assert analysis.left_to_read(torch.rand(4), torch.full((4,), right), 1.0) == left


@pytest.mark.parametrize(
    ("confidence", "correct", "message"),
    [
        (torch.zeros(0), torch.zeros(0, dtype=torch.bool), "the selection is empty"),
        (torch.tensor([0.5, math.nan]), torch.tensor([True, False]), "1 of 2 rows of the confidence"),
        (torch.rand(3), torch.tensor([True, False]), r"confidence \(3,\) and correct \(2,\)"),
        (torch.rand(3, 2), torch.ones(3, 2).bool(), r"confidence \(3, 2\)"),
        (torch.rand(3), torch.tensor([7, 2, 1]), "True or False for each image .* got torch.int64"),
    ],
)
def test_answers_that_are_none(confidence, correct, message):
    with pytest.raises(ValueError, match=message):
        analysis.accuracy_by_coverage(confidence, correct)
    with pytest.raises(ValueError, match=message):
        analysis.left_to_read(confidence, correct, 0.9)


@pytest.mark.parametrize("accuracy", [99.9, -0.1, math.nan])
def test_an_accuracy_that_is_no_share(accuracy):
    with pytest.raises(ValueError, match=f"a share from 0 to 1 .* got {accuracy}"):
        analysis.left_to_read(torch.rand(3), torch.ones(3, dtype=torch.bool), accuracy)


# --- strangers -------------------------------------------------------------------------------------------------------


def caught_by_loop(known, strangers, keep: Fraction) -> float:
    """The highest known score that enough known images reach, tried one by one."""
    known, strangers = known.tolist(), strangers.tolist()
    threshold = max(t for t in known if Fraction(sum(score >= t for score in known), len(known)) >= keep)
    return sum(score < threshold for score in strangers) / len(strangers)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("known", "strangers"), [(100, 40), (1, 9), (20, 1), (37, 80)])
def test_caught_strangers_against_a_loop(seed, known, strangers):
    random = generator(seed)
    scores = torch.randn(known, generator=random) + 1, torch.randn(strangers, generator=random)
    equal = tuple((3 * score).round() for score in scores)
    for percent in (1, 7, 50, 55, 80, 95, 99, 100):
        for pair in (scores, equal):
            expected = caught_by_loop(*pair, Fraction(percent, 100))
            assert analysis.caught(*pair, keep=percent / 100) == expected, percent


@pytest.mark.parametrize("seed", SEEDS)
def test_caught_strangers_against_the_roc_curve(seed):
    random = generator(seed)
    known, strangers = torch.randn(80, generator=random) + 1, torch.randn(120, generator=random)
    kept_known = [1] * 80 + [0] * 120
    passed, kept, _ = roc_curve(kept_known, torch.cat([known, strangers]), drop_intermediate=False)
    assert analysis.caught(known, strangers) == pytest.approx(1 - passed[kept >= 0.95].min())


def test_strangers_told_apart_not_at_all_and_the_wrong_way():
    low, high = torch.arange(5.0), torch.arange(5.0) + 10
    assert analysis.caught(high, low) == 1
    assert analysis.caught(low, high) == 0
    assert analysis.caught(torch.ones(5), torch.ones(3)) == 0  # as high as a known image's is not below


@pytest.mark.parametrize(
    ("known", "strangers", "message"),
    [
        (torch.zeros(0), torch.rand(3), "the selection is empty"),
        (torch.rand(3), torch.zeros(0), "the selection is empty"),
        (torch.tensor([1.0, math.nan]), torch.rand(3), "1 of 2 rows of the scores of known images"),
        (torch.rand(3), torch.tensor([1.0, math.inf]), "1 of 2 rows of the scores of strangers"),
        (torch.rand(3, 2), torch.rand(3), r"as scores of known images, got shape \(3, 2\)"),
        (torch.rand(3), torch.rand(3, 2), r"as scores of strangers, got shape \(3, 2\)"),
    ],
)
def test_scores_that_are_none(known, strangers, message):
    with pytest.raises(ValueError, match=message):
        analysis.caught(known, strangers)


@pytest.mark.parametrize("keep", [0, -0.5, 95, math.nan])
def test_a_share_to_keep_that_is_none(keep):
    with pytest.raises(ValueError, match=f"above 0 and up to 1, got {keep}"):
        analysis.caught(torch.rand(3), torch.rand(3), keep)


# --- probes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_a_probe_stands_where_its_loss_has_no_slope(strength):
    """Cross-entropy summed over the images, times C, plus half the squared weights: its gradient by torch is 0."""
    random = generator(0)
    features = torch.randn(120, 2, 3, 2, generator=random) * torch.logspace(-2, 3, 2) + 7
    labels = (features.flatten(1)[:, :3].argmax(dim=1) + torch.randint(0, 2, (120,), generator=random)) % 3
    pipeline = analysis.probe(features, labels, strength)
    flat = features.flatten(1).double()
    standardised = (flat - flat.mean(0)) / flat.std(0, correction=0)
    model = pipeline[-1]
    weights = torch.tensor(model.coef_, dtype=torch.double, requires_grad=True)
    bias = torch.tensor(model.intercept_, dtype=torch.double, requires_grad=True)
    logits = standardised @ weights.T + bias
    loss = strength * F.cross_entropy(logits, labels, reduction="sum") + weights.square().sum() / 2
    slopes = torch.autograd.grad(loss, (weights, bias))
    assert max(slope.abs().max() for slope in slopes) < 1e-2 * strength * len(labels)
    right = (logits.argmax(1) == labels).double().mean().item()
    assert pipeline.score(flat.numpy(), labels.numpy()) == pytest.approx(right)


def test_a_probe_of_features_of_which_one_never_changes():
    features = torch.zeros(20, 3)
    features[10:, 1] = 1
    labels = (torch.arange(20) >= 10).long()
    assert analysis.probe(features, labels, 1.0).score(features, labels) == 1


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), "the selection is empty"),
        (torch.tensor([[1.0], [math.nan]]), torch.tensor([0, 1]), "1 of 2 rows of the features"),
        (torch.rand(3, 2), torch.tensor([4, 4, 4]), "at least two classes to tell apart, and all 3 labels are equal"),
        (torch.rand(3, 2), torch.tensor([0, 1]), r"got \(3, 2\) and \(2,\)"),
        (torch.rand(3), torch.tensor([0, 1, 0]), r"got \(3,\) and \(3,\)"),
    ],
)
def test_features_that_are_none(features, labels, message):
    with pytest.raises(ValueError, match=message):
        analysis.probe(features, labels, 1.0)


def test_what_each_layer_receives():
    torch.manual_seed(0)
    model = CNN()
    images = torch.rand(501, 1, 28, 28)
    found = analysis.layer_inputs(model, images)
    assert [tuple(kept.shape) for kept in found] == [(501, 1, 28, 28), (501, 16, 14, 14), (501, 1568)]
    with torch.no_grad():
        expected = [images, model.conv1(images), model.conv2(model.conv1(images)).flatten(1)]
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(found, expected, strict=True))


# --- receptive fields and patches ------------------------------------------------------------------------------------


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
    inside = [i for i in range(-(start // stride), 400) if start + i * stride >= 0][:3]
    assert start + inside[-1] * stride + size < length
    for position in inside:
        first = start + position * stride
        assert measured_field(layers, position, length) == (first, first + size - 1)


def test_receptive_fields_of_the_tutorials_network():
    assert [analysis.receptive_field(TUTORIAL[:depth])[0] for depth in range(5)] == [1, 5, 6, 14, 16]
    assert analysis.receptive_field(TUTORIAL) == (16, 4, -6)


def patches_by_loop(images, maps, field, count):
    size, stride, start = field
    height, width = images.shape[2:]
    found = torch.zeros(maps.shape[1], count, size, size)
    for channel in range(maps.shape[1]):
        best = []  # (value, image, row, column) of each image
        for image in range(len(images)):
            cells = [
                (maps[image, channel, i, j].item(), image, i, j)
                for i in range(maps.shape[2])
                for j in range(maps.shape[3])
            ]
            best.append(max(cells))
        for place, (_, image, i, j) in enumerate(sorted(best, reverse=True)[:count]):
            for row in range(size):
                for column in range(size):
                    y, x = start + i * stride + row, start + j * stride + column
                    if 0 <= y < height and 0 <= x < width:
                        found[channel, place, row, column] = images[image, 0, y, x]
    return found


@pytest.mark.parametrize("seed", SEEDS)
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
def test_strongest_patches_against_a_loop(seed, image_size, map_size, field, count):
    random = generator(seed)
    images = torch.rand(6, 1, *image_size, generator=random) + 0.1
    maps = torch.randn(6, 2, *map_size, generator=random)
    found = analysis.strongest_patches(images, maps, field, count)
    assert torch.equal(found, patches_by_loop(images, maps, field, count))


def test_a_strongest_patch_alone_excites_its_channel_as_much():
    torch.manual_seed(0)
    convolution = nn.Conv2d(1, 5, kernel_size=4, stride=2, padding=2)
    images = torch.rand(30, 1, 13, 10)
    with torch.no_grad():
        maps = convolution(images)
        patches = analysis.strongest_patches(images, maps, analysis.receptive_field([(4, 2, 2)]), 9)
        for channel in range(5):
            alone = F.conv2d(patches[channel, :, None], convolution.weight, convolution.bias)[:, channel, 0, 0]
            expected = maps[:, channel].flatten(1).amax(1).sort(descending=True).values[:9]
            assert torch.allclose(alone, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("images", "maps", "message"),
    [
        (torch.zeros(0, 1, 4, 4), torch.zeros(0, 2, 4, 4), "the selection is empty"),
        (torch.rand(3, 1, 4, 4), torch.full((3, 2, 4, 4), math.nan), "3 of 3 rows of the maps"),
        (torch.rand(3, 1, 4, 4), torch.rand(4, 2, 4, 4), "as many maps as images and at least 2; got 4 and 3"),
        (torch.rand(1, 1, 4, 4), torch.rand(1, 2, 4, 4), "at least 2; got 1 and 1"),
        (torch.rand(3, 3, 4, 4), torch.rand(3, 2, 4, 4), r"got \(3, 3, 4, 4\)"),
        (torch.rand(3, 1, 4, 4), torch.rand(3, 2, 4), r"and \(3, 2, 4\)"),
    ],
)
def test_maps_that_are_none(images, maps, message):
    with pytest.raises(ValueError, match=message):
        analysis.strongest_patches(images, maps, (1, 1, 0), 2)


# --- a small attack --------------------------------------------------------------------------------------------------


def linear(sharpness: float, seed: int = 0) -> nn.Module:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).double()
    with torch.no_grad():
        model[1].weight.copy_(sharpness * torch.randn(3, 12, generator=generator(seed)))
    return model.float()


@pytest.mark.parametrize("step", [0.0, 0.02, 0.3, 5.0])
def test_a_step_against_the_arithmetic_of_a_linear_model(step):
    """The loss's gradient is W^T (p - y), with p the probabilities and y 1 at the label."""
    model = linear(1.0)
    random = generator(1)
    images = torch.rand(501, 1, 3, 4, generator=random)  # six chunks, one image in the last
    labels = torch.randint(0, 3, (501,), generator=random)
    before = images.clone()
    found = analysis.fgsm(model, images, labels, step)
    with torch.no_grad():
        slope = (model(images).softmax(1) - F.one_hot(labels, 3)) @ model[1].weight
    expected = (before + step * slope.sign().view_as(images)).clamp(0, 1)
    assert torch.allclose(found, expected, atol=1e-6)
    assert torch.equal(images, before) and not found.requires_grad
    assert found.min() >= 0 and found.max() <= 1


@pytest.mark.parametrize("sharpness", [20.0, 100.0, 300.0])
def test_a_step_against_a_network_that_is_all_but_sure(sharpness):
    """In float32 its probability is 1 and cross-entropy has no slope; the direction is that of the margin."""
    model = linear(sharpness)
    images = torch.rand(50, 1, 3, 4, generator=generator(2)) / 2 + 0.25
    labels = analysis.logits_of(model, images).argmax(1)
    sure = analysis.probabilities_of(analysis.logits_of(model, images)).amax(1) == 1
    assert sure.sum() > 10
    weight, bias = model[1].weight.detach().double().numpy(), model[1].bias.detach().double().numpy()
    expected = []
    for image, label in zip(images.double().flatten(1).numpy(), labels.tolist(), strict=True):
        logits = weight @ image + bias
        others = [k for k in range(3) if k != label]
        expected.append(np.sign(scipy.special.softmax(logits[others]) @ weight[others] - weight[label]))
    moved = (analysis.fgsm(model, images, labels, 0.1) - images).flatten(1)[sure]
    assert torch.allclose(moved.double(), 0.1 * torch.tensor(np.array(expected))[sure], atol=1e-6)


def test_a_step_against_the_slope_measured_pixel_by_pixel():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(18, 4)).double()
    images = torch.rand(5, 1, 5, 4, dtype=torch.double) / 2 + 0.25
    labels = torch.tensor([0, 1, 2, 3, 0])
    moved = analysis.fgsm(model, images, labels, 0.01) - images

    def losses(changed):
        return F.cross_entropy(model(changed), labels, reduction="none")

    with torch.no_grad():
        for row in range(5):
            for column in range(4):
                nudge = torch.zeros_like(images)
                nudge[..., row, column] = 1e-5
                slope = losses(images + nudge) - losses(images - nudge)
                assert torch.allclose(moved[:, 0, row, column], 0.01 * slope.sign())


@pytest.mark.parametrize(
    ("images", "labels", "step", "message"),
    [
        (torch.zeros(0, 1, 3, 4), torch.zeros(0, dtype=torch.int64), 0.1, "the selection is empty"),
        (torch.full((2, 1, 3, 4), math.nan), torch.tensor([0, 1]), 0.1, "2 of 2 rows of the images"),
        (torch.rand(2, 1, 3, 4), torch.tensor([0, 1, 2]), 0.1, r"got \(3,\) labels, 2 images"),
        (torch.rand(2, 1, 3, 4), torch.tensor([0, 3]), 0.1, "labels must lie between 0 and 2"),
        (torch.rand(2, 1, 3, 4), torch.tensor([0, -1]), 0.1, "labels must lie between 0 and 2"),
        (torch.rand(2, 1, 3, 4), torch.tensor([0, 1]), -0.1, "at least 0, got -0.1"),
        (torch.rand(2, 1, 3, 4), torch.tensor([0, 1]), math.nan, "at least 0, got nan"),
    ],
)
def test_an_attack_that_is_none(images, labels, step, message):
    with pytest.raises(ValueError, match=message):
        analysis.fgsm(linear(1.0), images, labels, step)


def test_an_attack_on_a_network_that_diverged():
    with pytest.raises(ValueError, match="2 of 2 rows of the logits hold values that are not finite"):
        analysis.fgsm(linear(math.nan), torch.rand(2, 1, 3, 4), torch.tensor([0, 1]), 0.1)
