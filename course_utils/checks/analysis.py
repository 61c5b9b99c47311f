"""Checks of notebooks 06 and 07."""

import math

import torch
from torch import Tensor

from course_utils.checks.core import Hint, a_kind, call, close, exercise, expect_number, expect_numbers, unlike

Pair = tuple[float, float]  # whole numbers, as far as they are right


@exercise
def most_confused(function) -> None:
    """A function (counts (K, K), row = label, column = answer) -> (label, answer) of the pair most often confused."""
    for matrix in _confusion_matrices():
        classes = len(matrix)
        said = f"a matrix of {classes} by {classes}"
        label, answer = expect_numbers(
            call(function, matrix, said=said),
            ("label", "answer"),
            "two numbers should come back, (label, answer). argmax() of a matrix counts its cells row by row: in which "
            "row is that cell, and in which column?",
        )
        found = (label, answer)
        cells = [(row, column) for row in range(classes) for column in range(classes) if row != column]
        mistakes: dict[Pair, int] = {(row, column): int(matrix[row, column]) for row, column in cells}
        expected = max(mistakes, key=mistakes.__getitem__)  # the first of equals
        if found != expected:
            raise Hint(_confusion_hint(found, expected, mistakes, said))


def _confusion_matrices() -> list[Tensor]:
    """Few mistakes off a heavy diagonal, each matrix with something that another reading gets wrong."""
    generator = torch.Generator().manual_seed(0)
    matrices = []
    # (pair, mistakes) to set: 3 as 5 once more than 7 as 9, but 7 and 9 most often both ways together.
    for classes, mistakes in (
        (10, {(3, 5): 11, (7, 9): 10, (9, 7): 10}),
        (10, {(8, 2): 12}),
        (4, {(3, 2): 25}),
        (3, {(0, 2): 9, (2, 0): 4}),
        (5, {(3, 0): 20, (1, 4): 20, (4, 1): 20}),  # three equals
        (12, {(11, 10): 8, (11, 0): 7}),
        (10, {(6, 1): 11} | {(2, answer): 7 for answer in (0, 1, 3, 4, 5)}),  # the row with most mistakes is another
        (10, {(1, 6): 11} | {(label, 2): 7 for label in (0, 1, 3, 4, 5)}),  # and so is the column
    ):
        matrix = torch.randint(0, 4, (classes, classes), generator=generator)
        matrix += torch.diag(torch.randint(50, 99, (classes,), generator=generator))
        for (label, answer), count in mistakes.items():
            matrix[label, answer] = count
        matrices.append(matrix)
    matrices[2][1, 1] = 0  # a class that is never right
    matrices[3] -= torch.diag(matrices[3].diagonal()) - torch.eye(3, dtype=torch.int64)  # mistakes are the rule
    return matrices


def _confusion_hint(found: Pair, expected: Pair, mistakes: dict[Pair, int], said: str) -> str:
    both_ways = {pair: count + mistakes[pair[::-1]] for pair, count in mistakes.items()}
    if found[0] == found[1]:
        return "label and answer are equal there: the diagonal counts the right answers, and mistakes are wanted."
    if mistakes.get(found) == mistakes[expected]:
        return f"with {said} several pairs are equally frequent. The first of them, read row by row, is wanted."
    if found == expected[::-1]:
        return "you found the pair, the other way round. The row is the label, and the column is the answer."
    if both_ways.get(found) == max(both_ways.values()):
        return (
            f"that pair is the most frequent in both directions together. {expected[0]} taken for {expected[1]} is "
            f"one kind of mistake, {expected[1]} taken for {expected[0]} another."
        )
    if found not in mistakes:
        return f"with {said} there is no cell {found}."
    return (
        f"with {said} your pair {found} counts {mistakes[found]} mistakes, and another cell off the diagonal counts "
        f"{mistakes[expected]}."
    )


@exercise
def calibration_error(function) -> None:
    """A function (confidence (N,), correct (N,), bins) -> expected calibration error, 0..1, bins of equal width."""
    for confidence, correct, bins in _calibration_cases():
        said = f"{len(confidence)} images and bins={bins}"
        result = call(function, confidence, correct, bins, said=said)
        found = expect_number(result, "the calibration error")
        gaps = _gaps(confidence, correct, bins)
        expected = sum(share * abs(gap) for share, gap in gaps)
        if not close(found, expected):
            raise Hint(
                _calibration_hint(found, expected, confidence, correct, bins)
                or f"with {said} it {unlike(expected, found)}: in each bin the distance of its accuracy from its mean "
                "confidence, weighted by its share of the images."
            )


def _calibration_cases() -> list[tuple[Tensor, Tensor, int]]:
    """Confidences well inside their bins, so that it doesn't matter to which one an edge belongs."""
    generator = torch.Generator().manual_seed(0)
    cases = []
    for bins, filled, count in (
        (10, range(10), 200),
        (10, (3, 5, 6, 8), 60),  # empty bins
        (15, range(6, 15), 100),
        (5, (2, 3, 4), 40),
        (1, (0,), 30),
        (4, (3,), 1),
    ):
        places = torch.tensor(filled)[torch.randint(0, len(filled), (count,), generator=generator)]
        confidence = (places + 0.1 + 0.8 * torch.rand(count, generator=generator)) / bins
        correct = torch.rand(count, generator=generator) < 0.9 * confidence**2 + 0.1 * (confidence < 0.5)
        cases.append((confidence, correct, bins))
    sure = cases[3][0].clone()
    sure[:12] = 1.0  # as a softmax in float32 often says
    return [*cases, (sure, cases[3][1], 5), (torch.full((6,), 0.95), torch.ones(6, dtype=torch.bool), 10)]


def _gaps(confidence: Tensor, correct: Tensor, bins: int, top_belongs: bool = True) -> list[tuple[float, float]]:
    """For each bin that holds something: its share of the images, and its accuracy less its mean confidence."""
    gaps = []
    for place in range(bins):
        inside = [
            (value, right)
            for value, right in zip(confidence.tolist(), correct.tolist(), strict=True)
            if place / bins <= value < (place + 1) / bins or (top_belongs and value == 1 and place == bins - 1)
        ]
        if inside:
            gap = sum(right for _, right in inside) - sum(value for value, _ in inside)
            gaps.append((len(inside) / len(confidence), gap / len(inside)))
    return gaps


def _calibration_hint(found: float, expected: float, confidence: Tensor, correct: Tensor, bins: int) -> str | None:
    """What was misunderstood, if it is one of the common things."""
    gaps = _gaps(confidence, correct, bins)
    sizes = [abs(gap) for _, gap in gaps]
    signed = sum(share * gap for share, gap in gaps)
    below_top = _gaps(confidence, correct, bins, top_belongs=False)
    without_top = sum(share * abs(gap) for share, gap in below_top)
    answered = sum(share for share, _ in below_top) or math.inf
    readings = [
        ((100 * expected,), "that is in percent; a share from 0 to 1 is wanted."),
        (
            [sum(share * abs(gap) for share, gap in _gaps(confidence, correct, other)) for other in (10, 15)],
            f"that is the error with another number of bins. Your function was asked for bins={bins}.",
        ),
        (
            (signed, -signed),
            "gaps above and below the diagonal cancel out in your sum. Each bin's gap counts by its size, without its "
            "sign.",
        ),
        (
            (sum(sizes) / len(sizes), sum(sizes) / bins),
            "every bin counts the same in your mean. A bin counts by the images in it.",
        ),
        ((max(sizes),), "that is the largest gap. The mean over all bins is wanted, each weighted by its images."),
        (
            (expected * len(confidence), expected * len(confidence) / bins),
            "a bin's weight is its share of the images: divide its count by N.",
        ),
        (
            (without_top, without_top / answered),
            "a confidence of 1.0 belongs to the last bin; in yours it is in none.",
        ),
    ]
    if math.isnan(found) and len(gaps) < bins:
        return "your function gives nan, not a number: the mean over a bin without images. Leave such bins out."
    return next((hint for values, hint in readings if any(abs(found - value) < 1e-5 for value in values)), None)


@exercise
def auroc(function) -> None:
    """A function (in_distribution (N,), out_of_distribution (M,)) -> share of pairs with the first higher, ties ½."""
    for known, strangers in _score_cases():
        said = f"{len(known)} known images and {len(strangers)} strangers"
        found = expect_number(call(function, known, strangers, said=said), "the AUROC")
        pairs = [(one, other) for one in known.tolist() for other in strangers.tolist()]
        higher = sum(one > other for one, other in pairs)
        ties = sum(one == other for one, other in pairs)
        if not close(found, (higher + ties / 2) / len(pairs)):
            raise Hint(_auroc_hint(found, higher, ties, known, strangers))


def _score_cases() -> list[tuple[Tensor, Tensor]]:
    """Scores of all signs and sizes, as energies have them; with ties, and with as many of one kind as of the other."""
    generator = torch.Generator().manual_seed(0)
    cases = [
        (torch.randn(known, generator=generator) + 0.7, torch.randn(strangers, generator=generator))
        for known, strangers in ((12, 12), (20, 7), (3, 15))
    ]
    return [
        *cases,
        ((8 + 10 * cases[1][0]).round(), (6 + 10 * cases[2][1]).round()),  # some ties
        (torch.tensor([1.0, 1.0, 0.9, 1.0]), torch.tensor([1.0, 0.2, 1.0])),  # as a softmax in float32 often says
        (torch.tensor([3.0]), torch.tensor([-40.0, -2.0])),  # all told apart
        (torch.tensor([-7.0, -6.0]), torch.tensor([-5.0])),  # all the wrong way
        (torch.full((4,), 0.5), torch.full((2,), 0.5)),
    ]


def _auroc_hint(found: float, higher: int, ties: int, known: Tensor, strangers: Tensor) -> str:
    pairs = len(known) * len(strangers)
    expected = (higher + ties / 2) / pairs
    side_by_side = [one > other for one, other in zip(known.tolist(), strangers.tolist(), strict=False)]
    readings = [
        (1 - expected, "that is the share of pairs in which the stranger scores higher."),
        (higher + ties / 2, f"that is a number of pairs. Divide by all {pairs} of them."),
        (100 * expected, "that is in percent; a share from 0 to 1 is wanted."),
        (higher / pairs, "a pair with equal scores counts half; yours counts nothing."),
        ((higher + ties) / pairs, "a pair with equal scores counts half; yours counts whole."),
        (higher / max(1, pairs - ties), "a pair with equal scores is a pair too, and counts half."),
        (
            sum(side_by_side) / len(side_by_side),
            "each known image is compared with one stranger only. Compare each with every stranger.",
        ),
    ]
    for value, hint in readings:
        if abs(found - value) < 1e-5:
            return hint
    return (
        f"with {len(known)} known images and {len(strangers)} strangers there are {pairs} pairs. In {higher} of them "
        f"the known image scores higher, {ties} are equal, so it {unlike(expected, found)}. No threshold is needed."
    )


@exercise
def next_action(function) -> None:
    """A function (buckets, images) -> (name, ceiling): the bucket of most mistakes, and the accuracy if it were cured.

    `buckets` is a dict from a kind of mistake to how many of the network's mistakes are of it; each mistake is in one
    bucket. `images` is how many images were tested. The ceiling is a share, 0..1.
    """
    for buckets, images in (
        ({"thin": 12, "cut off": 30, "wrong label": 8}, 1000),
        ({"open 4": 5, "slanted": 3}, 200),
        ({"label noise": 9}, 10_000),
        ({"rare form": 2, "blot": 1, "tiny": 7, "other": 4}, 50),
    ):
        said = f"buckets={buckets} and images={images}"
        result = call(function, buckets, images, said=said)
        if not isinstance(result, tuple | list) or len(result) != 2 or not isinstance(result[0], str):
            raise Hint("two things should come back: the bucket's name, and the ceiling.")
        ceiling = expect_number(result[1], "the ceiling")
        name, mistakes = max(buckets, key=buckets.__getitem__), sum(buckets.values())
        expected = 1 - (mistakes - buckets[name]) / images
        if result[0] != name:
            raise Hint(f"with {said} the bucket with the most mistakes is {name!r}, not {result[0]!r:.60}.")
        if close(ceiling, expected):
            continue
        readings = [
            (1 - mistakes / images, "that is the accuracy as it is. What if no mistake of that bucket were left?"),
            (1 - buckets[name] / images, "the other mistakes stay: curing one bucket leaves them."),
            (buckets[name] / mistakes, "that is the bucket's share of the mistakes. How many images are right then?"),
            (buckets[name] / images, "that is what is gained. The ceiling is the accuracy now and that."),
            (1.0, "the other mistakes stay: curing one bucket leaves them."),
            (100 * expected, "that is in percent; a share from 0 to 1 is wanted."),
            (images - mistakes + buckets[name], "that is a number of images. Divide by all of them."),
            ((mistakes - buckets[name]) / images, "that is the share still wrong. The accuracy is the rest."),
        ]
        hint = next((hint for value, hint in readings if close(ceiling, value)), None)
        raise Hint(hint or f"with {said} it {unlike(expected, ceiling)}: right now, and the cured ones.")


@exercise
def rule(function) -> None:
    """A function (upper, limit) -> "holds", "holds partly" or "fails", for the claim that changes are forgiven.

    `upper` is a dict from a change to the upper ends of its loss's 95 % interval, in points, at 1, 2, 3 and 4 pixels. A
    change is forgiven at a size if that is below `limit`. Holds: all changes at all sizes; partly: at least one of them
    at 1 pixel; else it fails.
    """
    for upper, limit in (
        ({"shift": [0.1, 0.2, 0.3, 0.4], "turn": [0.2, 0.2, 0.3, 0.1], "scale": [0.0, 0.1, 0.1, 0.3]}, 0.5),
        ({"shift": [0.1, 0.2, 0.3, 0.4], "turn": [0.2, 0.2, 0.3, 0.1], "scale": [0.0, 0.1, 0.1, 0.7]}, 0.5),
        ({"shift": [0.9, 2.0, 8.0, 20.0], "turn": [0.4, 0.8, 1.0, 1.9], "scale": [0.6, 0.9, 2.0, 3.0]}, 0.5),
        ({"shift": [0.9, 2.0, 8.0, 20.0], "turn": [0.6, 0.8, 1.0, 1.9], "scale": [0.6, 0.9, 2.0, 3.0]}, 0.5),
        ({"shift": [0.7, 0.4, 0.3, 0.2], "turn": [0.8, 0.9, 0.4, 0.3]}, 0.5),  # forgiven where large, not at 1 pixel
        ({"shift": [0.5, 0.6, 0.7, 0.8], "turn": [0.5, 0.5, 0.5, 0.5]}, 0.5),  # below the limit, not at it
        ({"shift": [0.7, 0.8, 0.9, 0.9], "turn": [0.9, 0.9, 0.8, 0.7]}, 1.0),
        ({"shift": [-0.1, 0.1, 0.4, 0.6], "turn": [0.1, 0.2, 0.2, 0.3]}, 0.5),
    ):
        said = f"upper={upper} and limit={limit}"
        found = call(function, upper, limit, said=said)
        if not isinstance(found, str):
            raise Hint(f'"holds", "holds partly" or "fails" should come back, and this is {a_kind(found)}.')
        expected = _verdict(upper, limit)
        if found.strip().lower() == expected:
            continue
        if found.strip().lower() not in ("holds", "holds partly", "fails"):
            raise Hint(f'{found!r:.60} is none of the three: "holds", "holds partly", "fails".')
        raise Hint(
            f"with {said} the rule says {expected!r}, and yours {found!r}. {_rule_advice(upper, limit, expected)}"
        )


def _verdict(upper: dict[str, list[float]], limit: float) -> str:
    if all(end < limit for ends in upper.values() for end in ends):
        return "holds"
    return "holds partly" if any(ends[0] < limit for ends in upper.values()) else "fails"


def _rule_advice(upper: dict[str, list[float]], limit: float, expected: str) -> str:
    if any(end == limit for ends in upper.values() for end in ends):
        return "An end that is as high as the limit isn't below it."
    if expected == "holds":
        return "Every end is below the limit. Where does your function get the limit from?"
    if expected == "holds partly":
        return "Not all changes are forgiven at all sizes, and at least one is at 1 pixel, the first of its list."
    return "No change is forgiven at 1 pixel, the first of its list; what happens at other sizes doesn't help."
