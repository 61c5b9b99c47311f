"""Checks of notebook 09."""

from course_utils import claims
from course_utils.checks.core import Hint, a_kind, call, exercise

BEFORE, AFTER, CHANGED = "before", "after", "changed"


@exercise
def registered(function) -> None:
    """A function (history) -> True if each result was made by a rule that was committed before it, else False.

    `history` is a list of pairs, oldest first: ("rule", hash) for a commit that holds a rule, ("result", hash) for one
    that brings a result, with the hash of the rule that it is judged by.
    """
    for history, expected, why in (
        ([("rule", "a1"), ("result", "a1")], True, BEFORE),
        ([("result", "a1"), ("rule", "a1")], False, AFTER),
        ([("rule", "a1"), ("rule", "b2"), ("result", "a1"), ("result", "b2")], True, BEFORE),
        ([("rule", "a1"), ("result", "a1"), ("rule", "b2"), ("result", "b2")], True, BEFORE),
        ([("rule", "a1"), ("result", "b2"), ("rule", "b2")], False, AFTER),
        ([("rule", "a1"), ("result", "c3")], False, CHANGED),
        ([("rule", "a1"), ("result", "a1"), ("result", "c3"), ("rule", "c3")], False, AFTER),
        ([("rule", "a1"), ("rule", "b2"), ("result", "a1")], True, BEFORE),
        ([("rule", "a1")], True, BEFORE),
    ):
        said = f"history={history}"
        found = call(function, history, said=said)
        if not isinstance(found, bool):
            raise Hint(f"True or False should come back, and this is {a_kind(found)}.")
        if found != expected:
            raise Hint(f"with {said} the answer is {expected}. {_ADVICE[why]}")


_ADVICE = {
    BEFORE: "Every result there names a rule that stands before it; other rules, or later ones, don't spoil that.",
    AFTER: "A result stands there whose rule was committed only after it: it could have been made to fit.",
    CHANGED: "A result names a rule that was never committed, whatever other rule stands before it.",
}

LUCK = [6.0, -2.0, 3.0, -4.0, 1.0]  # a mean of 0.8 points, and an interval from -4.2 to 5.8


@exercise
def rule_that_can_fail(function) -> None:
    """A rule (with_it, without_it) -> "holds", "holds partly" or "fails", from accuracies in %, paired by seed.

    It must say "holds" to a clear gain, not to a loss, to luck, or to a gain that nobody cares about.
    """
    base = [90.0, 91.0, 89.5, 90.5, 91.5]
    for gains, wanted, advice in (
        ([3.0, 2.5, 3.5, 3.0, 2.8], True, "Every seed gains about three points. A rule that can't hold says nothing."),
        ([-3.0, -2.5, -3.5, -3.0, -2.8], False, "Every seed loses three points there. Is the order of the two right?"),
        ([0.0] * 5, False, "Nothing changed there. A rule that holds all the same can't fail."),
        (LUCK, False, "The gain is 0.8 points in the mean, but two of five seeds lose: look at the interval too."),
        (
            [0.01, 0.02, 0.01, 0.02, 0.01],
            False,
            "It is sure, and a hundredth of a point: who would care? Name a margin.",
        ),
    ):
        with_it = [round(value + gain, 2) for value, gain in zip(base, gains, strict=True)]
        said = f"with_it={with_it} and without_it={base}"
        found = call(function, with_it, base, said=said)
        if not isinstance(found, str) or found not in claims.VERDICTS:
            raise Hint(f'"holds", "holds partly" or "fails" should come back, and this is {_shown(found)}.')
        if (found == "holds") != wanted:
            raise Hint(f"with {said} your rule says {found!r}. {advice}")


def _shown(found: object) -> str:
    return f"{found!r:.60}" if isinstance(found, str) else a_kind(found)
