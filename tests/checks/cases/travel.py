"""Answers to the exercises of notebook 09."""

from course_utils import claims


def registered(history):
    rules = set()
    for kind, rule in history:
        if kind == "result" and rule not in rules:
            return False
        if kind == "rule":
            rules.add(rule)
    return True


def by_place(history):
    return all(("rule", rule) in history[:place] for place, (kind, rule) in enumerate(history) if kind == "result")


def by_interval(with_it, without_it):
    return "holds" if claims.paired(with_it, without_it).shown(0.5) else "fails"


def by_every_seed(with_it, without_it):
    gains = [one - other for one, other in zip(with_it, without_it, strict=True)]
    return "holds" if min(gains) > 0.5 else "holds partly" if max(gains) > 0 else "fails"


RIGHT = {
    "registered": {"a set": registered, "by place": by_place},
    "rule_that_can_fail": {"interval": by_interval, "every seed": by_every_seed},
}


def mean_above(margin):
    return lambda one, other: "holds" if sum(one) - sum(other) > 5 * margin else "fails"


WRONG = {
    "registered": {
        "any order": (
            lambda history: all(("rule", rule) in history for kind, rule in history if kind == "result"),
            "only after it",
        ),
        "first is a rule": (lambda history: history[0][0] == "rule", "only after it"),
        "the newest rule": (
            lambda history: (
                all(
                    pair[1] == [rule for kind, rule in history[:place] if kind == "rule"][-1:][0]
                    for place, pair in enumerate(history)
                    if pair[0] == "result"
                )
                if history[0][0] == "rule"
                else False
            ),
            "don't spoil that",
        ),
        "always": (lambda history: True, "only after it"),
        "a word": (lambda history: "yes", "True or False"),
    },
    "rule_that_can_fail": {
        "the mean alone": (mean_above(0.5), "look at the interval"),
        "no margin": (lambda one, other: "holds" if claims.paired(one, other).shown(0) else "fails", "Name a margin"),
        "turned round": (lambda one, other: by_interval(other, one), "can't hold"),
        "always": (lambda one, other: "holds", "Is the order of the two right"),
        "never": (lambda one, other: "fails", "can't hold"),
        "a bool": (lambda one, other: claims.paired(one, other).shown(0.5), '"holds", "holds partly"'),
        "another word": (lambda one, other: "true", "'true'"),
    },
}
