"""A learner's ledger: kept beside copies and nowhere else, by several kernels at once; no guess breaks anything."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils import checks, claims, ledger, records, repository


@pytest.fixture(autouse=True)
def fresh_kernel(monkeypatch):
    """Of what other tests printed and solved, nothing is known."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(records, "_here", {kind: {} for kind in records.KINDS})
    monkeypatch.setattr(records, "_said", set())


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    """A folder that is none of copies, as notebooks/ is."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def copies(elsewhere) -> Path:
    (elsewhere / records.MARK).write_text("{}")
    return elsewhere


@pytest.fixture
def shown(monkeypatch) -> list[str]:
    """The Markdown that is displayed."""
    texts: list[str] = []
    monkeypatch.setattr(ledger, "display", lambda markdown: texts.append(markdown.data))
    return texts


def restart(monkeypatch) -> None:
    """As when the kernel restarts: what is known then comes from the file."""
    monkeypatch.setattr(records, "_here", {kind: {} for kind in records.KINDS})


def test_a_guess_is_kept_and_compared_after_a_restart(copies, capsys, monkeypatch):
    ledger.guess("read right", 60, unit="%")
    restart(monkeypatch)
    ledger.compare("read right", 31.24, unit="%")
    ledger.guess("read right", ..., unit="%")
    assert capsys.readouterr().out.splitlines() == [
        "Your guess: 60 %.",
        "You guessed 60 %, measured: 31.24 %.",
        "Your guess from before: 60 %. To change it, write a number over the ...",
    ]


def test_without_a_guess_the_measured_number_stands_alone(copies, capsys):
    ledger.guess("read right", ..., unit="%")
    ledger.compare("read right", 31.24, unit="%")
    asked, measured = capsys.readouterr().out.splitlines()
    assert asked == "No guess yet: write a number in place of ... and run the cell again."
    assert measured == "Measured: 31.24 %."
    assert not (copies / records.NAME).exists()


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (60, "%", "60 %"),
        (60.5, "points", "60.5 points"),
        ("60 %", "%", "60 %"),
        (torch.tensor(3.5), "", "3.5"),
        (np.float32(2), None, "2"),
        (7_234_560, "parameters", "7,234,560 parameters"),
        (98.76543, "%", "98.77 %"),
        (0.00012349, "", "0.0001235"),
        ("max-pooling", None, "max-pooling"),
        ("-1", None, "-1"),
    ],
)
def test_what_is_a_guess(copies, capsys, value, unit, said):
    ledger.guess("it", value, unit=unit)
    ledger.compare("it", value, unit=unit)
    guessed, compared = capsys.readouterr().out.splitlines()
    assert guessed == f"Your guess: {said}."
    assert compared.startswith(f"You guessed {said}, measured: ")


@pytest.mark.parametrize(
    ("value", "unit", "says"),
    [
        ("sixty", "%", "a number is asked, and 'sixty' is text"),
        ((60, 5), "%", "a point: 2.5"),
        (float("nan"), "%", "got nan"),
        (float("inf"), None, "got inf"),
        (10**400, "%", "too large"),
        (print, None, "it is a function"),
        (None, "%", "got None"),
        (True, None, "got True"),
        (torch.zeros(2), "%", "must be a number"),
        ("", None, "these are 0"),
        ("w" * 41, None, "these are 41"),
    ],
)
def test_what_is_none_gets_a_sentence(copies, capsys, value, unit, says):
    ledger.guess("it", 5)
    ledger.guess("it", value, unit=unit)
    _, said = capsys.readouterr().out.splitlines()
    assert said.startswith("That is no guess yet: ") and says in said
    assert records.read()["guesses"]["it"]["guess"] == 5  # the good one stays


def test_elsewhere_nothing_is_written_and_a_file_there_is_not_read(elsewhere, capsys, monkeypatch):
    (elsewhere / records.NAME).write_text('{"guesses": {"it": {"guess": 1}}, "verdicts": {}, "solved": {}}')
    ledger.compare("it", 2)
    ledger.guess("it", 3)
    claims.verdict("C4", "holds", "figures")
    ledger.show()
    ledger.clear()
    assert capsys.readouterr().out.startswith("Measured: 2.\n")
    assert [path.name for path in elsewhere.iterdir()] == [records.NAME]
    assert '"guess": 1' in (elsewhere / records.NAME).read_text()


def test_the_tracked_notebooks_are_no_copies(monkeypatch):
    monkeypatch.chdir(Path(__file__).resolve().parents[2] / "notebooks")
    assert records.folder() is None


def test_the_ledger_shows_guesses_verdicts_and_exercises(copies, shown):
    ledger.guess("right at 4 | pixels", 60, unit="%", claim="C6")
    ledger.guess("the better one", "a_b <c>")
    ledger.compare("right at 4 | pixels", 31.2, unit="%")
    claims.verdict("C6", "fails", "figures")
    claims.verdict("C6", "holds", "figures", data=claims.SECOND_DATA)
    checks.larger_of_two(lambda a, b: a + (b - a).relu())
    checks.larger_of_two(lambda a, b: a)  # once solved stays solved
    checks.max_pool(lambda images, size: images)
    ledger.show()
    (text,) = shown
    rows = {line.split(" | ")[0]: line for line in text.splitlines()}
    assert rows["| C6"].endswith(r"| right at 4 \| pixels: 60 % (measured: 31.2 %) | fails | holds |")
    assert rows["| C7"].endswith("|  |  |  |")
    assert r"| the better one | a\_b \<c\> |  |" in text
    assert "Exercises solved: 1 of " in text and "03: 1 of " in text and "02: 0 of " in text


def test_every_exercise_of_the_notebooks_has_a_check_that_exists_once_in_it():
    by_notebook = ledger._checks_by_notebook()
    for number, names in by_notebook.items():
        (path,) = (repository.root() / "notebooks").glob(f"{number}_*.ipynb")
        assert len(names) == path.read_text(encoding="utf-8").count('"exercise"')  # the tag
        assert all(callable(getattr(checks, name)) for name in names)


def test_a_check_of_two_notebooks_counts_where_it_was_solved(copies, shown, monkeypatch):
    monkeypatch.setattr(ledger, "_checks_by_notebook", lambda: {"01": {"larger_of_two"}, "03": {"larger_of_two"}})
    monkeypatch.setenv("JPY_SESSION_NAME", str(copies / "03_pooling.ipynb"))
    checks.larger_of_two(lambda a, b: a + (b - a).relu())
    ledger.show()
    assert shown[0].endswith("Exercises solved: 1 of 2 (01: 0 of 1, 03: 1 of 1).")


def test_clear_keeps_the_old_file_under_the_name_it_says(copies, capsys, monkeypatch):
    ledger.guess("it", 5)
    written = (copies / records.NAME).read_bytes()
    ledger.clear()
    ledger.clear()
    ledger.compare("it", 6)
    _, cleared, again, compared = capsys.readouterr().out.splitlines()
    (aside,) = [path for path in copies.iterdir() if path.name in cleared]
    assert aside.read_bytes() == written and aside.name.startswith(".ledger_")
    assert (again, compared) == ("Your ledger is empty.", "Measured: 6.")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b'{"guesses": 3}', b'{"guesses": {"it": 4}}', b'{"gue'])
def test_a_damaged_file_is_put_aside_with_a_line(copies, capsys, content):
    if content.startswith(b'{"guesses": {'):
        content = json.dumps({"guesses": {"it": 4}, "verdicts": {}, "solved": {}}).encode()
    (copies / records.NAME).write_bytes(content)
    ledger.guess("it", 5)
    ledger.compare("it", 6)
    said, guessed, compared = capsys.readouterr().out.splitlines()
    (aside,) = [path for path in copies.iterdir() if path.name in said]
    assert aside.read_bytes() == content
    assert (guessed, compared) == ("Your guess: 5.", "You guessed 5, measured: 6.")


def test_where_nothing_can_be_written_one_line_says_so_and_the_kernel_remembers(copies, capsys, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(records, "write_whole", refuse)
        ledger.guess("it", 5)
        checks.larger_of_two(lambda a, b: a + (b - a).relu())
        ledger.compare("it", 6)
    trouble, *rest = capsys.readouterr().out.splitlines()
    assert "Read-only file system" in trouble
    guessed, solved, compared = rest
    assert (guessed, compared) == ("Your guess: 5.", "You guessed 5, measured: 6.") and solved.endswith("correct")
    ledger.compare("it", 7)  # as soon as it can be written
    assert "larger_of_two" in (copies / records.NAME).read_text()
    assert not any(records._here.values())  # else what another kernel clears would come back


def test_a_working_folder_that_was_deleted_does_no_harm(copies, capsys):
    (copies / "gone").mkdir()
    os.chdir(copies / "gone")
    (copies / "gone").rmdir()
    ledger.guess("it", 5)
    assert capsys.readouterr().out == "Your guess: 5.\n"


@pytest.mark.slow  # three times PyTorch is imported
def test_two_kernels_at_once_lose_nothing(copies):
    code = "import sys; from course_utils import records as r\nfor i in range(50): r.solve(f'{sys.argv[1]}{i}')"
    kernels = [subprocess.Popen([sys.executable, "-c", code, name], cwd=copies) for name in "abc"]
    assert [kernel.wait(timeout=120) for kernel in kernels] == [0, 0, 0]
    assert records.read()["solved"].keys() == {f"{name}{i}" for name in "abc" for i in range(50)}
