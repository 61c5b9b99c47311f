"""Learners' copies: what was typed survives everything, and the course's own notebooks stay as they are."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course_utils import __main__, copies, records, repository

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("00_start.ipynb", "01_first.ipynb", "02_second.ipynb")


def write_original(checkout: Path, name: str, edition: str = "first") -> None:
    """A notebook of the course, run, with an exercise and with a link out of its folder."""
    title, source = f"{name[:2]} · Title of {name[:2]}", f"answer = ...  # {edition} edition"
    prose = f"# {title}\n\n**Question.** Why?\n\n**Minutes.** 5\n\nSee [data](../data/README.md)."
    printed = nbformat.v4.new_output("stream", text="ran")
    cells = [
        nbformat.v4.new_markdown_cell(prose, id="opening"),
        nbformat.v4.new_code_cell(source, id="stub", execution_count=1, outputs=[printed]),
    ]
    cells[1].metadata["tags"] = ["exercise"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), checkout / "notebooks" / name)


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A checkout as a download leaves it: no git, and a space in its path."""
    checkout = tmp_path / "my course"
    (checkout / "notebooks").mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", checkout)
    for name in NAMES:
        write_original(checkout, name)
    monkeypatch.setattr(repository, "root", lambda: checkout)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.chdir(checkout)
    return checkout


@pytest.fixture
def place(checkout) -> Path:
    """The copies, made."""
    assert copies.update(copies.folder()) == []
    return checkout / copies.FOLDER


def answer(path: Path, said: str = "42") -> bytes:
    """Write an answer into a copy, and return all that is in it then."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source = f"answer = {said}"
    nbformat.write(notebook, path)
    return path.read_bytes()


def shown(place: Path) -> list[str]:
    """What the file browser shows."""
    return sorted(path.name for path in place.iterdir() if not path.name.startswith("."))


def test_copies_are_the_notebooks_without_outputs_and_a_start_page(checkout, place):
    assert shown(place) == [*NAMES, copies.START_PAGE]
    for name in NAMES:
        original = nbformat.read(checkout / "notebooks" / name, as_version=4)
        copy = nbformat.read(place / name, as_version=4)
        nbformat.validate(copy)
        assert (copy.cells[1].outputs, copy.cells[1].execution_count) == ([], None)
        assert copy.cells[1].source == original.cells[1].source and copy.cells[1].metadata.tags == ["exercise"]
        assert copy.cells[0].source.endswith("See data (`data/README.md` in the course's folder).")
    page = (place / copies.START_PAGE).read_text(encoding="utf-8")
    assert "| 01 | [Title of 01](01_first.ipynb) | Why? | 5 |" in page and "{" not in page
    assert records.MARK in os.listdir(place)


def test_a_second_call_changes_nothing(place):
    answered = answer(place / NAMES[1])
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in place.iterdir()}
    assert copies.update(place) == []
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in place.iterdir()} == before
    assert before[NAMES[1]][0] == answered


def test_a_newer_edition_is_told_and_overwrites_no_answer(checkout, place):
    answered = answer(place / NAMES[1])
    for name in NAMES[1:]:
        write_original(checkout, name, "second")
    write_original(checkout, "03_third.ipynb")
    (checkout / "notebooks" / NAMES[0]).unlink()
    new, changed, gone = copies.update(place)
    assert new == "New, or as the course has it now: 02_second, 03_third"  # the second was as it was made
    assert "01_first" in changed and changed.endswith("fresh 01") and "02" not in changed
    assert "00_start" in gone
    assert (place / NAMES[1]).read_bytes() == answered
    assert "second edition" in (place / NAMES[2]).read_text() and (place / NAMES[0]).exists()
    assert copies.update(place) == [changed, gone]  # until it is fetched
    copies.give_back("01")
    assert copies.update(place) == [gone]


@pytest.mark.parametrize("damage", [b"", b"\xff", b"[1]"])
def test_a_lost_mark_overwrites_nothing(checkout, place, damage):
    answered = answer(place / NAMES[1])
    (place / records.MARK).write_bytes(damage)
    assert copies.update(place) == []
    assert (place / NAMES[1]).read_bytes() == answered
    write_original(checkout, NAMES[1], "second")
    assert len(copies.update(place)) == 1


@pytest.mark.parametrize("which", ["01", "1", 1, "01_first", "01_fi", "01_first.ipynb", "my_notebooks/01_first.ipynb"])
def test_fresh_gives_a_notebook_back_and_keeps_the_learners(place, which, capsys):
    made = (place / NAMES[1]).read_bytes()
    for round_number in ("41", "42"):  # within the same second
        answered = answer(place / NAMES[1], round_number)
        copies.fresh(which)
        said = capsys.readouterr().out
        assert (place / NAMES[1]).read_bytes() == made
        (kept,) = [name for name in shown(place) if name in said and name not in NAMES]
        assert (place / kept).read_bytes() == answered and kept.startswith("01_first_2")
    copies.fresh(which)
    assert "nothing to give back" in capsys.readouterr().out
    assert len(shown(place)) == 4 + 2


@pytest.mark.parametrize("which", ["12", "", "..", "_", "start_here", "01_first_2026-11-28"])
def test_fresh_of_none_lists_what_there_is(place, which, capsys):
    before = shown(place)
    assert __main__.main(["fresh", which]) == 2
    said = capsys.readouterr().err
    assert "00_start, 01_first, 02_second" in said and len(said.splitlines()) == 1
    copies.fresh(which)
    assert "00_start, 01_first, 02_second" in capsys.readouterr().out
    assert shown(place) == before


def test_fresh_makes_what_was_never_made_or_was_deleted(checkout, capsys):
    assert __main__.main(["fresh", "1", "02"]) == 0
    assert shown(checkout / copies.FOLDER) == list(NAMES[1:])
    copies.update(checkout / copies.FOLDER)
    assert shown(checkout / copies.FOLDER) == [*NAMES, copies.START_PAGE]


def test_a_damaged_notebook_of_the_course_is_one_line(checkout, capsys):
    (checkout / "notebooks" / NAMES[1]).write_text("<<<<<<< HEAD")
    assert __main__.main(["copies"]) == 2
    said = capsys.readouterr().err
    assert NAMES[1] in said and len(said.splitlines()) == 1


def test_where_the_checkout_is_read_only_copies_lie_at_home(checkout, tmp_path, monkeypatch, capsys):
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: checkout not in Path(path, "x").parents and allowed(path, mode)
    )
    assert __main__.main(["copies"]) == 0
    at_home = tmp_path / "home" / copies.HOME_FOLDER
    assert capsys.readouterr().out == f"{at_home}\n" and shown(at_home) == [*NAMES, copies.START_PAGE]
    monkeypatch.chdir(at_home)
    monkeypatch.setattr(os, "access", allowed)
    assert copies.folder() == at_home  # where a kernel works in copies, they are meant


@pytest.mark.skipif(not shutil.which("git") or not shutil.which("make"), reason="needs git and make")
def test_answers_survive_git_and_make_clean(checkout, tmp_path):
    def git(*arguments: str, cwd: Path = checkout) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True)

    for name in (".gitignore", "Makefile"):
        shutil.copy(ROOT / name, checkout)
    git("init")
    git("add", ".")
    git("commit", "-m", "first edition")
    git("clone", str(checkout), str(tmp_path / "learner's clone"))
    clone = tmp_path / "learner's clone"
    place = clone / copies.FOLDER
    copies.update(place)
    answered = answer(place / NAMES[1])
    write_original(checkout, NAMES[1], "second")
    git("commit", "-am", "second edition")
    git("pull", cwd=clone)
    (clone / "notebooks" / NAMES[2]).write_text("broken")
    git("reset", "--hard", cwd=clone)
    git("clean", "-fd", cwd=clone)
    subprocess.run(["make", "clean"], cwd=clone, check=True, capture_output=True)
    assert "second edition" in (clone / "notebooks" / NAMES[1]).read_text()
    assert (place / NAMES[1]).read_bytes() == answered and shown(place) == [*NAMES, copies.START_PAGE]


@pytest.mark.skipif(sys.platform == "win32", reason="there JupyterLab is a process beside this one")
def test_lab_makes_the_copies_and_becomes_jupyterlab_there(checkout, monkeypatch, capsys):
    class Replaced(Exception):
        """This process, by another one."""

    def execve(*given):
        started.append(given)
        raise Replaced

    started = []
    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/theirs")
    with pytest.raises(Replaced):
        __main__.main(["lab", "--", "--no-browser"])
    ((python, command, environment),) = started
    place = checkout / copies.FOLDER
    assert shown(place) == [*NAMES, copies.START_PAGE] and str(place) in capsys.readouterr().out
    assert python == sys.executable and command[:3] == [python, "-m", "jupyterlab"] and command[-1] == "--no-browser"
    assert f"--ServerApp.root_dir={place}" in command
    assert (
        environment["JUPYTER_CONFIG_PATH"] == f"{copies.SETTINGS}:/theirs"
    )  # whose settings come first is tested below


def test_the_courses_own_notebooks_are_copied_whole(monkeypatch):
    """All of them, no link out of the folder left, and every link to a notebook leads to one that is there."""
    made = copies.originals()
    assert [*made] == [*(path.name for path in sorted((ROOT / "notebooks").glob("*.ipynb"))), copies.START_PAGE]
    for name, content in made.items():
        if name.endswith(".ipynb"):
            notebook = nbformat.reads(content.decode(), as_version=4)
            nbformat.validate(notebook)
            assert not any("](../" in cell.source for cell in notebook.cells), name
    assert made[copies.START_PAGE].decode().count(".ipynb)") == len(made) - 1


def test_settings_name_what_jupyterlab_has():
    """Each setting of the course is one of the installed JupyterLab's, with a value that its schema allows."""
    share = Path(sys.prefix, "share", "jupyter", "lab", "schemas")
    settings = json.loads((copies.SETTINGS / "labconfig" / "default_setting_overrides.json").read_bytes())
    for plugin, values in settings.items():
        package, _, name = plugin.partition(":")
        known = json.loads((share / package / f"{name}.json").read_bytes())["properties"]
        for key, value in values.items():
            assert key in known, f"{plugin} has no {key}"
            allowed = [choice["const"] for choice in known[key].get("oneOf", [])]
            assert not allowed or value in allowed
