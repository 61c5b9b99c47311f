"""An exercise in a page, which can't be solved there: where it runs, and a ladder of hints, which its check gives."""

import re
from contextlib import redirect_stdout
from html import escape
from io import StringIO

from course_utils import checks, load_mnist
from tests.checks.cases import WRONG

STEPS = 3
# What says nothing of the exercise's idea: the kind of an answer, its shape, a number that is off, an error.
BARE = re.compile(
    r"stopped with|should come back|should be one number|shape should be|value is off|should be -?\d+\.\d"
)


def check_of(source: str, before: list[dict]) -> str | None:
    """The name of the check that a cell calls on the stub before it; None for any other cell."""
    called = re.fullmatch(r"checks\.(\w+)\(.*\)", source)
    return called[1] if called and "exercise" in before[-1]["metadata"].get("tags", ()) else None


def ladder(check: str, notebook: str, section: str) -> str:
    """The line that says where to run an exercise, and its hints, each folded into the one before it."""
    folds = ""
    for number, hint in reversed(list(enumerate(hints(check), start=1))):
        text = re.sub(r"`(.+?)`", r"<code>\1</code>", escape(hint, quote=False))
        folds = f"<details><summary>Hint {number}</summary><p>{text}</p>{folds}</details>"
    where = f"Run it in <code>{notebook}</code>, “{escape(section)}”. Its check answers what you write"
    said = "; to wrong answers, for instance:" if folds else "."
    return f'<div class="course-exercise"><p>{where}{said}</p>{folds}</div>'


def hints(check: str) -> list[str]:
    """What the check says to common mistakes: the first `STEPS` of its wrong answers with advice of their own."""
    found: dict[str, str] = {}
    for answer, _ in WRONG[check].values():
        hint = _said(check, answer)
        advice = re.split(r"(?<=[.?]) ", hint)[-1]
        if len(found) < STEPS and not BARE.search(hint):
            found.setdefault(advice, hint)
    return list(found.values())


def _said(check: str, answer) -> str:
    context = [load_mnist()] if check == "sevens" else []
    with redirect_stdout(StringIO()) as printed:
        getattr(checks, check)(*(answer if isinstance(answer, tuple) else [answer]), *context)
    return printed.getvalue().strip().removeprefix("✗ not right yet: ")
