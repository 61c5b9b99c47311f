"""The claims, the one statistic against SciPy and against sums by hand, and each rule on both sides of its margins."""

import math
from collections.abc import Iterable
from itertools import chain, product
from pathlib import Path

import pytest
from scipy import stats

from course_utils import claims
from course_utils.claims import CLAIMS, RULES, VERDICTS, empty_ledger, paired, points, prediction_interval, verdict

NOISE = {1: -0.0005, 2: 0.0003, 3: 0.0, 4: -0.0002, 5: 0.0004}  # by seed: what chance adds to an arm, mean 0


def runs(value: str, mean: object, noise: float = 1.0, **where: object) -> list[dict]:
    """Five runs of an arm whose `value` is `mean` (a number, or lists and dictionaries of them) give or take."""

    def jittered(part: object, by: float) -> object:
        if isinstance(part, dict):
            return {key: jittered(inner, by) for key, inner in part.items()}
        return [jittered(inner, by) for inner in part] if isinstance(part, list) else part + by

    return [{**where, "seed": seed, value: jittered(mean, noise * by)} for seed, by in NOISE.items()]


# --- the statistic ----------------------------------------------------------------------------------------------


def test_paired_is_the_t_interval_of_the_differences():
    """Student's own example, 1908: additional hours of sleep by two drugs, ten patients."""
    first = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    second = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    difference = paired(first, second)
    assert difference.mean == pytest.approx(1.58)
    differences = [one - other for one, other in zip(first, second, strict=True)]
    low, high = stats.t.interval(0.95, 9, loc=1.58, scale=stats.sem(differences))
    assert (difference.low, difference.high) == pytest.approx((low, high))


def test_paired_without_spread_or_partner():
    assert paired([3, 4], [1, 2]) == (2, 2, 2)
    for first, second in (([1], [1]), ([1, 2], [1]), ([], [])):
        with pytest.raises(ValueError, match="partner"):
            paired(first, second)


@pytest.mark.parametrize(
    ("difference", "shown"),
    [((0.5, 0.1, 0.9), True), ((0.5, 0.0, 1.0), False), ((0.49, 0.1, 0.9), False), ((-1, -2, -0.5), False)],
)
def test_shown_is_beyond_chance_and_as_large_as_the_margin(difference, shown):
    assert claims.Difference(*difference).shown(0.5) is shown


def test_prediction_interval_is_wider_than_the_means():
    values = [97.0, 97.5, 98.0]  # mean 97.5, s = 0.5, t(2) = 4.3027
    reach = 4.30265 * 0.5 * math.sqrt(4 / 3)
    assert prediction_interval(values) == pytest.approx((97.5 - reach, 97.5 + reach), abs=1e-4)


def test_points_are_in_the_order_of_the_seeds():
    some = [{"arm": "a", "seed": 2, "x": [0.1, 0.2]}, {"arm": "a", "seed": 1, "x": [0.3, 0.4]}]
    assert points(some, "x", 1, arm="a") == pytest.approx([40, 20])
    with pytest.raises(ValueError, match="no run"):
        points(some, "x", arm="b")


def joined(arms: Iterable[list[dict]]) -> dict:
    return {"runs": list(chain.from_iterable(arms))}


# --- the rules --------------------------------------------------------------------------------------------------


def features(*gains: float, noise: float = 1.0) -> dict:
    arms = [runs("test_accuracy", 0.9, 0, arm="pixels", images=count) for count, _ in enumerate(gains)]
    arms += [
        runs("test_accuracy", 0.9 + gain / 100, noise, arm="pixels and hand-made maps", images=count)
        for count, gain in enumerate(gains)
    ]
    return joined(arms)


def layers(below: float, untrained: float, unmixed: float) -> dict:
    mixed = [0.9, 0.9 + below / 100, 0.9 + 2 * below / 100]
    arms = {
        "mixed": mixed,
        "mixed, untrained": [accuracy - untrained / 100 for accuracy in mixed],
        "unmixed, as many parameters": [0.9, 0.9, mixed[-1] - unmixed / 100],
    }
    return joined(runs("accuracy", a, float(arm == "mixed"), arm=arm) for arm, a in arms.items())


def tolerance(better: dict[str, list[float]], worse: float = 9.0, noise: float = 1.0) -> dict:
    """Points lost at 1 and at 4 pixels by the better network, and by the other one everywhere."""
    arms = {
        "one": {kind: [0.99] + [0.99 - lost / 100 for lost in (*[a] * 3, b)] for kind, (a, b) in better.items()},
        "other": {kind: [0.99] + [0.99 - worse / 100] * 4 for kind in better},
    }
    made = joined(runs("accuracy", accuracy, 0, arm=arm) for arm, accuracy in arms.items())
    for run, by in zip(made["runs"], [*NOISE.values()] * 2, strict=True):  # still images without noise: the loss has it
        for accuracies in run["accuracy"].values():
            accuracies[1:] = [each + noise * by for each in accuracies[1:]]
    return made


def sharing(easier: dict[str, float], smaller_gap: dict[str, float]) -> dict:
    """By head: the share of updates saved, and the points by which the gap is smaller; at two numbers of images."""
    found = []
    for head, images in product(easier, (300, 3000)):
        for arm, saved, gap in (("local", 0, 0), ("shared", easier[head], smaller_gap[head])):
            test = runs("test_accuracy", 0.9 + gap / 100, float(arm == "local"), arm=arm, head=head, images=images)
            found += [{**run, "train_accuracy": 1.0, "updates": 100 * (1 - saved) + run["seed"] % 2} for run in test]
    return {"runs": found}


def translation(flatten: float, average: float) -> dict:
    """Points saved by sharing at 4 pixels, under each head."""
    found = []
    for head, saved in {"flatten": flatten, "average": average}.items():
        for arm, left in (("local", 0.30), ("shared", 0.30 + saved / 100)):
            found += runs("accuracy", [0.97, 0.9, 0.8, 0.6, left], 0, arm=arm, head=head)
    for run in found:
        run["accuracy"][4] += NOISE[run["seed"]] * (run["arm"] == "shared")
    return {"runs": found}


def deformation(tolerance: float, clean: float, widened: tuple[float, float] = (0, 0)) -> dict:
    """Points saved by max-pooling under a warp, and gained on clean images; what the widened stride has of both."""
    found = []
    arms = {"max": (tolerance, clean), "stride": (0, 0), "stride, as many multiply-adds": widened}
    for arm, (saved, gained) in arms.items():
        accuracy = {"clean": 0.98 + gained / 100}
        accuracy |= {warp: accuracy["clean"] - (lost - saved) / 100 for warp, lost in (("1 px", 3), ("2 px", 9))}
        found += runs("test_accuracy", accuracy, float(arm == "max"), arm=arm)
    return {"runs": found}


def logs(*accuracies: float) -> dict:
    return {"runs": [{"seed": 1, "steps": [0, 1100], "watched_accuracy": [0.1, each / 100]} for each in accuracies]}


def domains(**gains: tuple[float, float]) -> dict:
    """By domain: points by which the CNN is better than the dense network, and than the shallow method."""
    arms = {name: {"1-D CNN": 0, "dense": dense, "shallow": shallow} for name, (dense, shallow) in gains.items()}
    return {
        name: joined(runs("test_accuracy", 0.9 - g / 100, float(not g), arm=a) for a, g in each.items())["runs"]
        for name, each in arms.items()
    }


BOTH, ONE, NEITHER = VERDICTS
FORGIVEN, SLIGHTLY, LOST = [0.4, 0.4], [0.4, 2.0], [0.6, 2.0]
CASES = [
    ("C1", features(0, 0.1, -1), BOTH),
    ("C1", features(0.3, 0.1, -1), ONE),
    ("C1", features(0.3, 0.3, 0.3), NEITHER),
    ("C1", features(0.3, 0.3, 0.3, noise=10), BOTH),  # as large, but not shown
    ("C2", layers(0.3, 0.3, 0.3), BOTH),
    ("C2", layers(0.3, 0.3, 0.1), ONE),
    ("C2", layers(0.1, 0.3, 0.1), ONE),
    ("C2", layers(0.1, 0.1, 0.1), NEITHER),
    ("C3", tolerance({"shift": FORGIVEN, "turn": FORGIVEN}), BOTH),
    ("C3", tolerance({"shift": FORGIVEN, "turn": SLIGHTLY}), ONE),
    ("C3", tolerance({"shift": SLIGHTLY, "turn": LOST}), ONE),
    ("C3", tolerance({"shift": LOST, "turn": LOST}), NEITHER),
    ("C3", tolerance({"shift": FORGIVEN, "turn": FORGIVEN}, noise=10), NEITHER),  # as little, but not shown
    ("C5", sharing({"a": 0.2, "b": 0.2}, {"a": 0.7, "b": 0.7}), BOTH),
    ("C5", sharing({"a": 0.2, "b": 0.2}, {"a": 0.7, "b": 0.3}), ONE),
    ("C5", sharing({"a": 0.05, "b": 0.05}, {"a": 0.3, "b": 0.7}), ONE),
    ("C5", sharing({"a": 0.05, "b": -0.2}, {"a": 0.3, "b": -3}), NEITHER),
    ("C6", translation(6, 50), BOTH),
    ("C6", translation(4, 50), ONE),
    ("C6", translation(4, 4), NEITHER),
    ("C8", deformation(0.5, 0.3), BOTH),
    ("C8", deformation(0.2, 0.3), ONE),
    ("C8", deformation(0.5, 0.1), ONE),
    ("C8", deformation(0.2, 0.1), NEITHER),
    ("C8", deformation(0.5, 0.3, widened=(0.4, 0)), ONE),  # the stride that computes as much is asked too
    ("C8", deformation(0.5, 0.3, widened=(0.4, 0.2)), NEITHER),
    ("C11", logs(97.2, 97.5, 97.8), BOTH),
    ("C11", logs(97.2, 97.21, 97.22), NEITHER),
    ("C12", domains(sound=(2, 2), text=(2, 2)), BOTH),
    ("C12", domains(sound=(2, 0.5), text=(2, 2)), ONE),
    ("C12", domains(sound=(0.5, 2), text=(2, 0.5)), NEITHER),
]


@pytest.mark.parametrize(("claim", "results", "outcome"), CASES)
def test_rule(claim, results, outcome):
    found = RULES[claim](results)
    assert found.outcome == outcome, found.figures
    assert found.figures and "\n" not in found.figures


def test_every_rule_can_fail():
    assert {claim for claim, _, outcome in CASES if outcome == NEITHER} == set(RULES)


def test_rule_hash_knows_the_rule_and_what_it_stands_on():
    source = Path(claims.__file__).read_text(encoding="utf-8")
    assert claims.rule_hash("C1") == claims.rule_hash("C1", source)
    other_margin = source.replace('runs, margin = results["runs"], 0.2', 'runs, margin = results["runs"], 0.3', 1)
    assert claims.rule_hash("C1", other_margin) != claims.rule_hash("C1")
    assert claims.rule_hash("C6", other_margin) == claims.rule_hash("C6")
    other_statistic = source.replace("confidence_interval(0.95)", "confidence_interval(0.9)")
    assert claims.rule_hash("C6", other_statistic) != claims.rule_hash("C6")


# --- the ledger -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", VERDICTS)
def test_a_verdict_and_below_it_the_figures(outcome, capsys):
    """In exactly this form: tools/ledger.py reads it."""
    verdict("C11", outcome, "97.81% of 2,000")
    verdict("C3", outcome, "3.4 points", data="Fashion-MNIST")
    assert capsys.readouterr().out == f"C11: {outcome}\n97.81% of 2,000\nC3 on Fashion-MNIST: {outcome}\n3.4 points\n"


@pytest.mark.parametrize(("claim", "outcome"), [("C13", "holds"), ("c1", "holds"), ("C1", "Holds"), ("C1", True)])
def test_no_such_claim_or_verdict(claim, outcome, capsys):
    with pytest.raises(ValueError, match=r"C1, C2, |holds, holds partly"):
        verdict(claim, outcome, "97.81%")
    assert capsys.readouterr().out == ""


def test_no_such_data_set(capsys):
    with pytest.raises(ValueError, match="'Fashion-MNIST'"):
        verdict("C3", "holds", "3.4 points", data="CIFAR")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("figures", ["", "97.81%\n98.26%", "97.81% | 98.26%"])
def test_figures_that_no_table_can_hold(figures, capsys):
    with pytest.raises(ValueError, match="one line"):
        verdict("C11", "holds", figures)
    assert capsys.readouterr().out == ""


def test_twelve_claims_in_a_markdown_table():
    assert list(CLAIMS) == [f"C{number}" for number in range(1, 13)]
    header, _, *rows = empty_ledger().splitlines()
    for row, (name, claim) in zip(rows, CLAIMS.items(), strict=True):
        assert [cell.strip() for cell in row.strip("|").split("|")] == [name, claim.text, claim.notebooks, ""]
        assert claim.place
    assert {line.count("|") for line in (header, *rows)} == {5}
