"""Answers to the exercises of notebooks 06 and 07."""

import math

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from course_utils.analysis import expected_calibration_error


def confused_by_loop(matrix):
    cells = [(row, column) for row in range(len(matrix)) for column in range(len(matrix)) if row != column]
    return max(cells, key=lambda cell: matrix[cell])


def confused_by_numpy(matrix):
    counts = matrix.numpy() - np.diag(matrix.diagonal() + 1)
    return np.unravel_index(counts.argmax(), counts.shape)


def without_diagonal(matrix):
    return matrix - torch.diag(matrix.diagonal())


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
    rest = ((1 - confidence.double()) / 100)[:, None].expand(-1, 100)  # each less than the least confident answer
    return expected_calibration_error(torch.cat([confidence.double()[:, None], rest], dim=1), (~correct).long(), bins)


def auroc_by_loop(known, strangers):
    pairs = [(one > other) + (one == other) / 2 for one in known.tolist() for other in strangers.tolist()]
    return sum(pairs) / len(pairs)


def auroc_by_sklearn(known, strangers):
    return roc_auc_score([1] * len(known) + [0] * len(strangers), torch.cat([known, strangers]).numpy())


def auroc_by_curve(known, strangers, thresholds=None):
    """The area itself, by trapezoids."""
    if thresholds is None:
        thresholds = torch.cat([known, strangers, torch.tensor([-math.inf])]).unique().flip(0)
    kept = torch.stack([torch.zeros(())] + [(known >= t).float().mean() for t in thresholds])
    passed = torch.stack([torch.zeros(())] + [(strangers >= t).float().mean() for t in thresholds])
    return torch.trapezoid(kept, passed)


def ceiling(buckets, images):
    name = max(buckets, key=buckets.get)
    return name, 1 - (sum(buckets.values()) - buckets[name]) / images


def verdict(upper, limit):
    if all(end < limit for ends in upper.values() for end in ends):
        return "holds"
    return "holds partly" if any(ends[0] < limit for ends in upper.values()) else "fails"


RIGHT = {
    "next_action": {
        "sum": ceiling,
        "list": lambda *given: list(ceiling(*given)),
        "tensor": lambda *given: (ceiling(*given)[0], torch.tensor(ceiling(*given)[1])),
        "array": lambda *given: (ceiling(*given)[0], np.array(ceiling(*given)[1])),
    },
    "rule": {
        "loops": verdict,
        "tensor": lambda upper, limit: (
            "holds"
            if (torch.tensor(list(upper.values())) < limit).all()
            else ["fails", "holds partly"][int((torch.tensor(list(upper.values()))[:, 0] < limit).any())]
        ),
    },
    "most_confused": {
        "loop": confused_by_loop,
        "tensors": lambda matrix: torch.unravel_index(matrix.fill_diagonal_(0).argmax(), matrix.shape),
        "numpy": confused_by_numpy,
        "one tensor": lambda matrix: (without_diagonal(matrix) == without_diagonal(matrix).max()).nonzero()[0],
    },
    "calibration_error": {"index": ece_by_index, "numpy": ece_by_numpy, "of the course": ece_of_the_course},
    "auroc": {
        "loop": auroc_by_loop,
        "table": lambda known, strangers: ((known[:, None] - strangers).sign() + 1).mean() / 2,
        "scikit-learn": auroc_by_sklearn,
        "curve": auroc_by_curve,
    },
}


def emptied(answer):
    """Sets all it is given to 0, of which `answer` would be right."""

    def function(*arguments):
        for argument in arguments:
            if isinstance(argument, torch.Tensor):
                argument.zero_()
        return answer

    return function


def first_column_of_equals(matrix):
    """The first of equals, read column by column."""
    answer, label = confused_by_loop(matrix.T)
    return label, answer


def mistakes_below_right_answers(matrix):
    """Leaves out the largest count of each row, which is on the diagonal as long as most answers are right."""
    counts = matrix.scatter(1, matrix.argmax(dim=1, keepdim=True), -1)
    return divmod(counts.argmax().item(), len(matrix))


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


def by_place(more_bins):
    """1.0 has the number of a bin that is not there, or that is its own."""

    def answer(confidence, correct, bins):
        place = (confidence * bins).long()
        sums = torch.zeros(bins + more_bins).index_add(0, place, correct.float() - confidence)
        return sums.abs().sum() / len(confidence)

    return answer


def from_the_lowest(confidence, correct, bins):
    """Bins of equal width between the least and the greatest confidence."""
    lowest, highest = confidence.min(), confidence.max()
    return ece_by_index((confidence - lowest) / (highest - lowest).clamp(min=1e-9), correct, bins)


def as_many_in_each(confidence, correct, bins):
    """Bins of equal count."""
    parts = confidence.argsort().tensor_split(bins)
    return sum((correct[part].float() - confidence[part]).sum().abs() for part in parts) / len(confidence)


def nan_where_a_bin_is_empty(confidence, correct, bins):
    return by_bins(lambda shares, gaps: (shares * gaps.abs()).sum(), empty=math.nan)(confidence, correct, bins)


def table(known, strangers):
    return known[:, None] > strangers, known[:, None] == strangers


def of_table(combine):
    """An answer made of the table of pairs in which the known one is higher, and of those that are equal."""
    return lambda known, strangers: combine(*table(known, strangers))


def side_by_side(known, strangers):
    count = min(len(known), len(strangers))
    return (known[:count] > strangers[:count]).float().mean()


def one_threshold(threshold):
    def answer(known, strangers):
        return ((known >= threshold).sum() + (strangers < threshold).sum()) / (len(known) + len(strangers))

    return answer


def by_sorting(known, strangers):
    """The rank sum; equal scores get their ranks as they come."""
    ranks = torch.cat([known, strangers]).argsort(stable=True).argsort() + 1
    count = len(known)
    return (ranks[:count].sum() - count * (count + 1) / 2) / (count * len(strangers))


def most_of_a_row(matrix):
    """In the row with most mistakes, the most frequent one."""
    mistakes = without_diagonal(matrix)
    row = mistakes.sum(1).argmax()
    return row, mistakes[row].argmax()


WRONG = {
    "next_action": {
        "as it is": (lambda b, n: (ceiling(b, n)[0], 1 - sum(b.values()) / n), "the accuracy as it is"),
        "that bucket's mistakes": (
            lambda b, n: (ceiling(b, n)[0], 1 - max(b.values()) / n),
            "the other mistakes stay",
        ),
        "share of mistakes": (
            lambda b, n: (ceiling(b, n)[0], max(b.values()) / sum(b.values())),
            "the bucket's share of the mistakes",
        ),
        "gain": (lambda b, n: (ceiling(b, n)[0], max(b.values()) / n), "that is what is gained"),
        "percent": (lambda b, n: (ceiling(b, n)[0], 100 * ceiling(b, n)[1]), "in percent"),
        "smallest": (lambda b, n: (min(b, key=b.get), 0.9), "the bucket with the most mistakes is 'cut off'"),
        "last": (lambda b, n: (list(b)[-1], 0.9), "the bucket with the most mistakes is"),
        "ceiling only": (lambda b, n: ceiling(b, n)[1], "two things should come back"),
        "a word": (lambda b, n: (ceiling(b, n)[0], "high"), "the ceiling should be one number"),
    },
    "rule": {
        "any size": (
            lambda upper, limit: verdict({change: [min(ends), max(ends)] for change, ends in upper.items()}, limit),
            "what happens at other sizes doesn't help",
        ),
        "at the limit": (lambda upper, limit: verdict(upper, limit + 1e-9), "isn't below it"),
        "one limit": (lambda upper, limit: verdict(upper, 0.5), "Where does your function get the limit from?"),
        "partly if all at 1 pixel": (
            lambda upper, limit: (
                "holds"
                if verdict(upper, limit) == "holds"
                else "holds partly"
                if all(ends[0] < limit for ends in upper.values())
                else "fails"
            ),
            "at least one is at 1 pixel",
        ),
        "1 pixel only": (
            lambda upper, limit: verdict({change: ends[:1] for change, ends in upper.items()}, limit),
            "Not all changes are forgiven at all sizes",
        ),
        "True": (lambda *given: verdict(*given) == "holds", "should come back, and this is a bool"),
        "other words": (lambda *given: "partly", "is none of the three"),
    },
    "most_confused": {
        "with diagonal": (lambda matrix: divmod(matrix.argmax().item(), len(matrix)), "diagonal counts the right"),
        "turned": (lambda matrix: confused_by_loop(matrix)[::-1], "the other way round. The row is the label"),
        "both ways": (lambda matrix: confused_by_loop(matrix + matrix.T), "3 taken for 5 is one kind of mistake, 5"),
        "flat": (lambda matrix: without_diagonal(matrix).argmax(), "two numbers should come back"),
        "three": (lambda matrix: (*confused_by_loop(matrix), matrix.max()), "two numbers should come back"),
        "flat, and 0": (lambda matrix: (without_diagonal(matrix).argmax(), 0), "there is no cell (35, 0)"),
        "a word": (lambda matrix: ("three", 5), "label should be one number, and this is a str"),
        "a row": (lambda matrix: (3, matrix[3]), "answer should be one number, and this is a tensor of shape (10,)"),
        "ten classes": (
            lambda matrix: divmod(without_diagonal(matrix).argmax().item(), 10),
            "with a matrix of 4 by 4 there is no cell (1, 4)",
        ),
        "last of equals": (
            lambda matrix: (without_diagonal(matrix) == without_diagonal(matrix).max()).nonzero()[-1],
            "The first of them, read row by row",
        ),
        "first column of equals": (first_column_of_equals, "The first of them, read row by row"),
        "row of most mistakes": (most_of_a_row, "your pair (2, 0) counts 7 mistakes"),
        "column of most mistakes": (lambda matrix: most_of_a_row(matrix.T)[::-1], ""),
        "upper half": (lambda matrix: confused_by_loop(matrix.triu()), "with a matrix of 10 by 10 your pair"),
        "by share": (lambda matrix: confused_by_loop(matrix / matrix.sum(dim=0)), ""),  # another question
        "mistakes below right answers": (mistakes_below_right_answers, "the diagonal counts the right answers"),
        "always the first": (lambda matrix: (3, 5), "with a matrix of 10 by 10 your pair (3, 5) counts"),
        "emptied": (emptied((0, 1)), ""),
    },
    "calibration_error": {
        "mean": (by_bins(lambda shares, gaps: gaps.abs().mean()), "every bin counts the same"),
        "mean of all": (by_bins(lambda shares, gaps: gaps.abs().mean(), empty=0), "every bin counts the same"),
        "signed": (by_bins(lambda shares, gaps: (shares * gaps).sum()), "cancel out"),
        "signed the other way": (by_bins(lambda shares, gaps: (shares * -gaps).sum()), "cancel out"),
        "without bins": (lambda confidence, correct, bins: confidence.mean() - correct.float().mean(), "cancel out"),
        "largest": (by_bins(lambda shares, gaps: gaps.abs().max()), "the largest gap"),
        "nan for empty bins": (nan_where_a_bin_is_empty, "nan, not a number: the mean over a bin without images"),
        "nan": (lambda *arguments: math.nan, "it should be 0.1669"),  # no bin is empty in the first case
        "percent": (lambda *arguments: 100 * ece_by_index(*arguments), "in percent"),
        "not divided": (lambda given, *rest: len(given) * ece_by_index(given, *rest), "divide its count by N"),
        "without 1.0": (
            by_bins(lambda shares, gaps: (shares * gaps.abs()).sum(), top_belongs=False),
            "1.0 belongs to the last bin",
        ),
        "without 1.0, of the others": (
            by_bins(lambda shares, gaps: (shares * gaps.abs()).sum() / shares.sum(), top_belongs=False),
            "1.0 belongs to the last bin",
        ),
        "always 10": (lambda confidence, correct, bins: ece_by_index(confidence, correct, 10), "asked for bins=15"),
        "always 15": (lambda confidence, correct, bins: ece_by_index(confidence, correct, 15), "asked for bins=10"),
        "1.0 in its own bin": (by_place(more_bins=1), "with 40 images and bins=5 it should be"),
        "1.0 beyond the bins": (by_place(more_bins=0), "with 40 images and bins=5 your function stopped with"),
        "from the lowest": (from_the_lowest, "with 200 images and bins=10 it should be"),
        "as many in each": (as_many_in_each, "with 200 images and bins=10 it should be"),
        "a little off": (lambda *arguments: ece_by_index(*arguments) + 1e-3, "it should be 0.1669"),
        "one for each": (lambda confidence, *rest: confidence, "one number, and this is a tensor of shape (200,)"),
        "emptied": (emptied(0.0), ""),
    },
    "auroc": {
        "turned": (lambda known, strangers: auroc_by_loop(strangers, known), "in which the stranger scores higher"),
        "ties nothing": (of_table(lambda higher, ties: higher.float().mean()), "yours counts nothing"),
        "ties whole": (of_table(lambda higher, ties: (higher | ties).float().mean()), "yours counts whole"),
        "ties left out": (
            of_table(lambda higher, ties: (higher.sum() / (~ties).sum().clamp(min=1)).item()),
            "is a pair too, and counts half",
        ),
        "by sorting": (by_sorting, "a pair with equal scores counts half"),
        "side by side": (side_by_side, "compared with one stranger only"),
        "elementwise": (lambda known, strangers: (known > strangers).float().mean(), "compared with one stranger only"),
        "as many strangers": (
            lambda known, strangers: auroc_by_loop(known, strangers[: len(known)]),
            "with 3 known images and 15 strangers",
        ),
        "wrong sides": (
            lambda known, strangers: auroc_by_loop(known, strangers) * len(strangers) / len(known),
            "with 20 known images and 7 strangers",
        ),
        "one threshold": (one_threshold(0.5), "No threshold is needed"),
        "between 0 and 1": (
            lambda known, strangers: auroc_by_curve(known, strangers, torch.linspace(1.01, -0.01, 500)),
            "with 12 known images and 12 strangers there are 144 pairs. In 89 of them",
        ),
        "percent": (lambda *scores: 100 * auroc_by_loop(*scores), "in percent"),
        "count": (of_table(lambda higher, ties: higher.sum()), "Divide by all 144 of them"),
        "above a half": (lambda *scores: max(auroc_by_loop(*scores), 1 - auroc_by_loop(*scores)), "stranger scores"),
        "a little off": (lambda *scores: auroc_by_loop(*scores) + 1e-3, "it should be 0.6181, not 0.6191"),
        "nan": (lambda *scores: math.nan, "it should be 0.6181, not nan"),
        "a pair": (table, "the AUROC should be one number, and this is a tuple"),
        "emptied": (emptied(0.5), ""),
    },
}
