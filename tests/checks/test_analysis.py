"""The checks of notebook 06 against untouched stubs, several right answers and plausible wrong ones."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from course_utils import analysis, checks


def said(capsys, check, answer) -> str:
    check(answer)
    return capsys.readouterr().out.strip()


def expect_hint(capsys, check, answer, hint: str) -> None:
    found = said(capsys, check, answer)
    assert found.startswith("not right yet: ")
    assert hint in found


CHECKS = [checks.most_confused, checks.calibration_error, checks.auroc]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("stub", [..., lambda *_: ...])
def test_an_untouched_stub_is_not_tried_yet(capsys, check, stub):
    assert said(capsys, check, stub) == "not tried yet"


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (5, "a function is wanted here, and this is a int"),
        (lambda *_: None, "returns None"),
        (lambda: 1, "stopped with TypeError"),
    ],
)
def test_what_is_no_answer_gets_a_hint(capsys, check, answer, hint):
    expect_hint(capsys, check, answer, hint)


def emptied(answer):
    """Sets all it is given to 0, of which `answer` would be right."""

    def function(*arguments):
        for argument in arguments:
            if isinstance(argument, torch.Tensor):
                argument.zero_()
        return answer

    return function


@pytest.mark.parametrize(("check", "answer"), list(zip(CHECKS, [(0, 1), 0.0, 0.5], strict=True)))
def test_what_a_function_does_to_its_arguments_does_not_change_the_right_answer(capsys, check, answer):
    expect_hint(capsys, check, emptied(answer), "")


# --- the pair most often confused ----------------------------------------------------------------------------------


def confused_by_loop(matrix):
    best, pair = -1, None
    for label in range(len(matrix)):
        for answer in range(len(matrix)):
            if label != answer and matrix[label, answer] > best:
                best, pair = matrix[label, answer], (label, answer)
    return pair


def confused_without_diagonal(matrix):
    """Tensors, and a matrix that is not the same afterwards."""
    return torch.unravel_index(matrix.fill_diagonal_(0).argmax(), matrix.shape)


def confused_by_numpy(matrix):
    counts = matrix.numpy() - np.diag(matrix.diagonal() + 1)
    return np.unravel_index(counts.argmax(), counts.shape)


def confused_as_one_tensor(matrix):
    matrix = matrix - torch.diag(matrix.diagonal())
    return (matrix == matrix.max()).nonzero()[0]


@pytest.mark.parametrize(
    "answer", [confused_by_loop, confused_without_diagonal, confused_by_numpy, confused_as_one_tensor]
)
def test_right_pairs(capsys, answer):
    assert said(capsys, checks.most_confused, answer) == "correct"


def ten_classes_only(matrix):
    return divmod((matrix - torch.diag(matrix.diagonal())).argmax().item(), 10)


def with_diagonal(matrix):
    return divmod(matrix.argmax().item(), len(matrix))


def both_ways(matrix):
    return confused_by_loop(matrix + matrix.T)


def flat(matrix):
    return matrix.fill_diagonal_(0).argmax()


def last_of_equals(matrix):
    matrix = matrix - torch.diag(matrix.diagonal())
    return (matrix == matrix.max()).nonzero()[-1]


def first_column_of_equals(matrix):
    """The first of equals, read column by column."""
    answer, label = confused_by_loop(matrix.T)
    return label, answer


def upper_half(matrix):
    """Right where the label is smaller than the answer."""
    return confused_by_loop(matrix.triu())


def least(matrix):
    label, answer = divmod(matrix.argmin().item(), len(matrix))
    return label, answer


def by_share(matrix):
    """The largest share of the images that the network calls so: another question."""
    return confused_by_loop(matrix / matrix.sum(dim=0))


def mistakes_below_right_answers(matrix):
    """Leaves out the largest count of each row, which is on the diagonal as long as most answers are right."""
    counts = matrix.scatter(1, matrix.argmax(dim=1, keepdim=True), -1)
    return divmod(counts.argmax().item(), len(matrix))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (with_diagonal, "the diagonal counts the right answers"),
        (lambda matrix: confused_by_loop(matrix)[::-1], "the other way round. The row is the label"),
        (both_ways, "3 taken for 5 is one kind of mistake, 5 taken for 3 another"),
        (flat, "two numbers should come back"),
        (lambda matrix: (*confused_by_loop(matrix), matrix.max()), "two numbers should come back"),
        (lambda matrix: np.array(confused_by_loop(matrix)), "two numbers should come back"),
        (lambda matrix: (flat(matrix), 0), "there is no cell (35, 0)"),
        (lambda matrix: ("three", 5), "label should be one number, and this is a str"),
        (lambda matrix: (3, matrix[3]), "answer should be one number, and this is a tensor of shape (10,)"),
        (ten_classes_only, "with a matrix of 4 by 4 there is no cell (1, 4)"),
        (last_of_equals, "The first of them, read row by row"),
        (first_column_of_equals, "The first of them, read row by row"),
        (upper_half, "with a matrix of 10 by 10 your pair"),
        (least, "with a matrix of 10 by 10 your pair (0, 3) counts 0 mistakes"),
        (by_share, ""),
        (mistakes_below_right_answers, "the diagonal counts the right answers"),
        (lambda matrix: (3, 5), "with a matrix of 10 by 10 your pair (3, 5) counts"),
    ],
)
def test_wrong_pairs_get_a_fitting_hint(capsys, answer, hint):
    expect_hint(capsys, checks.most_confused, answer, hint)


# --- calibration error ---------------------------------------------------------------------------------------------


def ece_by_loop(confidence, correct, bins):
    total = 0.0
    for place in range(bins):
        above = confidence > place / bins if place else confidence >= 0
        inside = above & (confidence <= (place + 1) / bins)
        if inside.any():
            gap = correct[inside].float().mean() - confidence[inside].mean()
            total += inside.sum() / len(confidence) * gap.abs()
    return total


def ece_by_index(confidence, correct, bins):
    """Without the count: the sums of a bin's confidences and right answers differ by its gap times its count."""
    place = (confidence * bins).long().clamp(max=bins - 1)
    return (torch.zeros(bins).index_add(0, place, correct.float() - confidence).abs().sum() / len(confidence)).item()


def ece_by_numpy(confidence, correct, bins):
    confidence, correct = confidence.numpy(), correct.numpy()
    place = np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1])
    return np.abs(np.bincount(place, weights=correct - confidence.astype(float))).sum() / len(confidence)


def ece_of_the_course(confidence, correct, bins):
    """From probabilities: class 0 is always the answer, and the label is 0 or 1."""
    others = 100  # so many that each has less probability than the least confident answer
    rest = ((1 - confidence.double()) / others)[:, None].expand(-1, others)
    return analysis.expected_calibration_error(
        torch.cat([confidence.double()[:, None], rest], dim=1), (~correct).long(), bins
    )


@pytest.mark.parametrize("answer", [ece_by_loop, ece_by_index, ece_by_numpy, ece_of_the_course])
def test_right_calibration_errors(capsys, answer):
    assert said(capsys, checks.calibration_error, answer) == "correct"


def by_bins(combine, empty=None, top_belongs=True):
    """An answer that combines the bins' shares of the images and their signed gaps in another way."""

    def answer(confidence, correct, bins):
        shares, gaps = [], []
        for place in range(bins):
            inside = (confidence >= place / bins) & (confidence < (place + 1) / bins)
            if top_belongs and place == bins - 1:
                inside |= confidence == 1
            if inside.any() or empty is not None:
                shares.append(inside.float().mean())
                gaps.append((correct[inside].float().mean() - confidence[inside].mean()).nan_to_num(empty or 0))
        return combine(torch.tensor(shares), torch.tensor(gaps))

    return answer


def in_its_own_bin(confidence, correct, bins):
    """Right, but a confidence of 1.0 makes a bin of its own."""
    place = (confidence * bins).long()
    return torch.zeros(bins + 1).index_add(0, place, correct.float() - confidence).abs().sum() / len(confidence)


def overrun(confidence, correct, bins):
    place = (confidence * bins).long()
    return torch.zeros(bins).index_add(0, place, correct.float() - confidence).abs().sum() / len(confidence)


def from_the_lowest(confidence, correct, bins):
    """Bins of equal width between the least and the greatest confidence."""
    lowest, highest = confidence.min(), confidence.max()
    return ece_by_index((confidence - lowest) / (highest - lowest).clamp(min=1e-9), correct, bins)


def as_many_in_each(confidence, correct, bins):
    """Bins of equal count."""
    parts = confidence.argsort().tensor_split(bins)
    gaps = [(correct[part].float() - confidence[part]).sum().abs() for part in parts]
    return sum(gaps) / len(confidence)


def nan_where_a_bin_is_empty(confidence, correct, bins):
    total = 0
    for place in range(bins):
        inside = (confidence >= place / bins) & (confidence <= (place + 1) / bins)
        total += inside.float().mean() * (correct[inside].float().mean() - confidence[inside].mean()).abs()
    return total


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (by_bins(lambda shares, gaps: gaps.abs().mean()), "every bin counts the same"),
        (by_bins(lambda shares, gaps: gaps.abs().mean(), empty=0), "every bin counts the same"),
        (by_bins(lambda shares, gaps: (shares * gaps).sum()), "cancel out"),
        (by_bins(lambda shares, gaps: (shares * -gaps).sum()), "cancel out"),
        (by_bins(lambda shares, gaps: (shares * gaps).sum().abs()), "cancel out"),
        (lambda confidence, correct, bins: (confidence.mean() - correct.float().mean()).abs(), "cancel out"),
        (by_bins(lambda shares, gaps: gaps.abs().max()), "the largest gap"),
        (nan_where_a_bin_is_empty, "nan, not a number: the mean over a bin without images"),
        (lambda *arguments: 100 * ece_by_loop(*arguments), "in percent"),
        (lambda confidence, *rest: len(confidence) * ece_by_loop(confidence, *rest), "divide its count by N"),
        (by_bins(lambda shares, gaps: (shares * gaps.abs()).sum(), top_belongs=False), "1.0 belongs to the last bin"),
        (
            by_bins(lambda shares, gaps: (shares * gaps.abs()).sum() / shares.sum(), top_belongs=False),
            "1.0 belongs to the last bin",
        ),
        (lambda confidence, correct, bins: ece_by_loop(confidence, correct, 10), "asked for bins=15"),
        (lambda confidence, correct, bins: ece_by_loop(confidence, correct, 15), "asked for bins=10"),
        (in_its_own_bin, "with 40 images and bins=5 it should be"),
        (overrun, "with 40 images and bins=5 your function stopped with"),
        (from_the_lowest, "with 200 images and bins=10 it should be"),
        (as_many_in_each, "with 200 images and bins=10 it should be"),
        (by_bins(lambda shares, gaps: (shares * gaps**2).sum().sqrt()), "with 200 images and bins=10 it should be"),
        (lambda *arguments: ece_by_loop(*arguments) + 1e-3, "it should be 0.1669"),
        (lambda *arguments: math.nan, "it should be 0.1669"),  # no bin is empty in the first case
        (lambda confidence, *rest: confidence, "should be one number, and this is a tensor of shape (200,)"),
    ],
)
def test_wrong_calibration_errors_get_a_fitting_hint(capsys, answer, hint):
    expect_hint(capsys, checks.calibration_error, answer, hint)


# --- AUROC ---------------------------------------------------------------------------------------------------------


def auroc_by_loop(known, strangers):
    total = 0.0
    for one in known:
        for other in strangers:
            total += 1 if one > other else 0.5 if one == other else 0
    return total / (len(known) * len(strangers))


def auroc_by_table(known, strangers):
    difference = known[:, None] - strangers[None, :]
    return ((difference.sign() + 1) / 2).mean()


def auroc_by_sklearn(known, strangers):
    return roc_auc_score([1] * len(known) + [0] * len(strangers), torch.cat([known, strangers]).numpy())


def auroc_by_curve(known, strangers):
    """The area itself, by trapezoids."""
    thresholds = torch.cat([known, strangers, torch.tensor([-math.inf])]).unique().flip(0)
    kept = torch.stack([torch.zeros(())] + [(known >= t).float().mean() for t in thresholds])
    passed = torch.stack([torch.zeros(())] + [(strangers >= t).float().mean() for t in thresholds])
    return torch.trapezoid(kept, passed)


@pytest.mark.parametrize("answer", [auroc_by_loop, auroc_by_table, auroc_by_sklearn, auroc_by_curve])
def test_right_aurocs(capsys, answer):
    assert said(capsys, checks.auroc, answer) == "correct"


def table(known, strangers):
    return known[:, None] > strangers, known[:, None] == strangers


def ties_nothing(known, strangers):
    return table(known, strangers)[0].float().mean()


def ties_whole(known, strangers):
    higher, ties = table(known, strangers)
    return (higher | ties).float().mean()


def ties_left_out(known, strangers):
    higher, ties = table(known, strangers)
    return (higher.sum() / (~ties).sum().clamp(min=1)).item()


def side_by_side(known, strangers):
    count = min(len(known), len(strangers))
    return (known[:count] > strangers[:count]).float().mean()


def elementwise(known, strangers):
    return (known > strangers).float().mean() + (known == strangers).float().mean() / 2


def wrong_sides(known, strangers):
    """Right where as many images are known as are strange."""
    higher, ties = table(known, strangers)
    return (higher.sum() + ties.sum() / 2) / len(known) ** 2


def one_threshold(threshold):
    def answer(known, strangers):
        return ((known >= threshold).sum() + (strangers < threshold).sum()) / (len(known) + len(strangers))

    return answer


def between_0_and_1(known, strangers):
    """The area by trapezoids, for scores from 0 to 1."""
    thresholds = torch.linspace(1.01, -0.01, 500)
    kept = torch.stack([(known >= t).float().mean() for t in thresholds])
    passed = torch.stack([(strangers >= t).float().mean() for t in thresholds])
    return torch.trapezoid(kept, passed)


def by_sorting(known, strangers):
    """The rank sum; equal scores get their ranks as they come."""
    ranks = torch.cat([known, strangers]).argsort(stable=True).argsort() + 1
    count = len(known)
    return (ranks[:count].sum() - count * (count + 1) / 2) / (count * len(strangers))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda known, strangers: auroc_by_loop(strangers, known), "in which the stranger scores higher"),
        (ties_nothing, "yours counts nothing"),
        (ties_whole, "yours counts whole"),
        (ties_left_out, "is a pair too, and counts half"),
        (by_sorting, "a pair with equal scores counts half"),
        (side_by_side, "compared with one stranger only"),
        (elementwise, "compared with one stranger only"),
        (
            lambda known, strangers: auroc_by_loop(known, strangers[: len(known)]),
            "with 3 known images and 15 strangers",
        ),
        (wrong_sides, "with 20 known images and 7 strangers"),
        (one_threshold(0.5), "No threshold is needed"),
        (one_threshold(0.0), "No threshold is needed"),
        (lambda known, strangers: (known > strangers.mean()).float().mean(), "No threshold is needed"),
        (between_0_and_1, "with 12 known images and 12 strangers there are 144 pairs. In 89 of them"),
        (lambda *scores: 100 * auroc_by_loop(*scores), "in percent"),
        (lambda known, strangers: table(known, strangers)[0].sum(), "Divide by all 144 of them"),
        (lambda *scores: max(auroc_by_loop(*scores), 1 - auroc_by_loop(*scores)), "stranger scores higher"),
        (lambda *scores: auroc_by_loop(*scores) + 1e-3, "0.6181 is right, not 0.6191"),
        (lambda *scores: math.nan, "0.6181 is right, not nan"),
        (table, "the AUROC should be one number, and this is a tuple"),
    ],
)
def test_wrong_aurocs_get_a_fitting_hint(capsys, answer, hint):
    expect_hint(capsys, checks.auroc, answer, hint)
