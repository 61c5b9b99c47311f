"""A ledger of one's own: what a learner guessed, beside what came out, the verdicts they met, and what they solved.

A notebook asks by `guess` and answers by `compare`; verdicts and solved exercises come from `claims.verdict` and from
the checks. `records` says where all that is kept. Whatever is typed as a guess, a sentence comes back and no error.
"""

import json
import math
import re
from typing import Any

from IPython.display import Markdown, display

from course_utils import claims, records, repository, validate

LONGEST_WORD = 40  # characters
LARGEST = 1e15  # more digits than a float has
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")


def guess(key: str, value: Any, unit: str | None = None, claim: str | None = None) -> None:
    """Keep what the learner guesses, and print it; for `...`, say that a guess is wanted.

    `key` says in plain words what is guessed, as the ledger shows it: "digits read right after 4 pixels". With a `unit`
    ("%", "points", "pixels", or "" for a number alone) the guess must be a finite number, without one it may be a short
    word. `claim`, "C6" for instance, puts the guess beside that claim. Raises `ValueError` for a claim that does not
    exist.
    """
    if claim is not None:
        validate.one_of("claim", claim, claims.CLAIMS)
    wanted = "a number or a word" if unit is None else "a number"
    if value is ...:
        before = records.read()["guesses"].get(key)
        if before is None:
            print(f"No guess yet: write {wanted} in place of ... and run the cell again.")
        else:
            print(f"Your guess from before: {_said(before['guess'], unit)}. To change it, write {wanted} over the ...")
        return
    found, problem = _checked(value, unit)
    if problem:
        print(f"That is no guess yet: {problem}")
        return
    records.keep("guesses", key, {"guess": found, "unit": unit, "claim": claim})
    print(f"Your guess: {_said(found, unit)}.")


def compare(key: str, measured: Any, unit: str | None = None) -> None:
    """Print what was measured, a number or a word, beside the guess of that key if there is one."""
    measured = measured.item() if hasattr(measured, "item") else measured  # of a tensor or an array
    if isinstance(measured, float) and not math.isfinite(measured):
        measured = str(measured)  # JSON has no such number
    kept = records.read()["guesses"].get(key)
    if kept is None:
        print(f"Measured: {_said(measured, unit)}.")
        return
    records.keep("guesses", key, {**kept, "measured": measured})
    print(f"You guessed {_said(kept['guess'], unit)}, measured: {_said(measured, unit)}.")


def show() -> None:
    """Show the learner's ledger: each claim with their guess and the verdict, other guesses, exercises solved."""
    if records.folder() is None:
        print("Your ledger is kept beside your own copies of the notebooks, and this is none of them: see `make lab`.")
        return
    kept = records.read()
    guesses = kept["guesses"].items()
    by_claim = {
        claim: "; ".join(_line(key, entry) for key, entry in guesses if entry.get("claim") == claim)
        for claim in claims.CLAIMS
    }
    lines = [f"| | Claim of the tutorial | Your guess | Verdict | On {claims.SECOND_DATA} |", "|---|---|---|---|---|"]
    for name, claim in claims.CLAIMS.items():
        seen = [kept["verdicts"].get(key, "") for key in (name, f"{name} on {claims.SECOND_DATA}")]
        lines.append(f"| {name} | {claim.text} | {by_claim[name]} | {' | '.join(map(_cell, seen))} |")
    others = [(key, entry) for key, entry in guesses if not entry.get("claim")]
    if others:
        lines += ["", "| What you guessed besides | Your guess | Measured |", "|---|---|---|"]
        lines += [f"| {_cell(key)} | {_cell(_guessed(entry))} | {_cell(_measured(entry))} |" for key, entry in others]
    display(Markdown("\n".join([*lines, "", _exercises_solved(set(kept["solved"]))])))


def clear() -> None:
    """Empty the learner's ledger. The old file is kept under another name, which is printed."""
    aside = records.clear()
    print("Your ledger is empty." + (f" What stood in it lies in {aside}, beside the notebooks." if aside else ""))


def _checked(value: Any, unit: str | None) -> tuple[int | float | str, str]:
    """The guess, and what is wrong with it, "" if nothing is."""
    if callable(value):
        return 0, "it is a function. Write what you expect, as in `guess = 42`."
    if isinstance(value, tuple):
        return 0, "a comma makes several numbers of it. A decimal point is written as a point: 2.5."
    if isinstance(value, str):
        word = " ".join(value.split())
        if NUMBER.fullmatch(word.rstrip("% ")):
            value = float(word.rstrip("% "))
        elif unit is not None:
            return 0, f"a number is asked, and {value!r:.60} is text. Write it in digits, without quotes: guess = 42."
        elif not 0 < len(word) <= LONGEST_WORD:
            return 0, f"a word or a few are asked, {LONGEST_WORD} letters at most, and these are {len(word)}."
        else:
            return word, ""
    try:
        found = validate.number("a guess", value, above=-LARGEST, below=LARGEST)
    except (TypeError, ValueError, OverflowError) as error:  # the last, of a whole number with 309 digits
        return 0, f"{error}. Write one in place of it, as in `guess = 42`."
    return int(found) if float(found).is_integer() else found, ""


def _said(value: Any, unit: str | None) -> str:
    """A number with four digits, or all of those before the point, and its unit; a word as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    rounded = round(value, max(0, 3 - math.floor(math.log10(abs(value))))) if value else 0
    whole = float(rounded).is_integer()
    return f"{int(rounded) if whole else rounded:,} {unit or ''}".rstrip()


def _guessed(entry: dict[str, Any]) -> str:
    return _said(entry["guess"], entry.get("unit"))


def _measured(entry: dict[str, Any]) -> str:
    return _said(entry["measured"], entry.get("unit")) if "measured" in entry else ""


def _line(key: str, entry: dict[str, Any]) -> str:
    measured = f" (measured: {_measured(entry)})" if "measured" in entry else ""
    return _cell(f"{key}: {_guessed(entry)}{measured}")


def _cell(text: object) -> str:
    """Text that may stand in a Markdown table, whatever it is."""
    return re.sub(r"([\\`*_|<>\[\]$])", r"\\\1", " ".join(str(text).split()))


def _exercises_solved(solved: set[str]) -> str:
    """In one line, altogether and for each notebook."""
    try:
        checks = _checks_by_notebook()
    except (OSError, ValueError, KeyError) as error:  # no checkout, or a notebook there that can't be read
        return f"Exercises solved: {len(solved)}. (How many there are isn't known: {_cell(error)})"
    counts = {
        number: (sum(name in solved or f"{number} {name}" in solved for name in names), len(names))
        for number, names in checks.items()
    }
    parts = ", ".join(f"{name}: {done} of {of}" for name, (done, of) in counts.items())
    done, of = (sum(column) for column in zip(*counts.values(), strict=True))
    return f"Exercises solved: {done} of {of} ({parts})."


def _checks_by_notebook() -> dict[str, set[str]]:
    """The names of the checks of each notebook's exercises, by the notebook's number."""
    found = {}
    for path in sorted((repository.root() / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_bytes())["cells"]
        stubs = [place for place, cell in enumerate(cells) if "exercise" in cell["metadata"].get("tags", [])]
        sources = ["".join(cell["source"]) for place in stubs for cell in cells[place + 1 : place + 2]]
        found[path.stem[:2]] = {name for source in sources for name in re.findall(r"\bchecks\.(\w+)\(", source)}
    return found
