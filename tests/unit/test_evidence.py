"""Stored results come back with how they were made; what a result needs is found out before the work."""

import datetime
import json
import os
import platform
import subprocess
from types import SimpleNamespace

import pytest
import torch

from course_utils import evidence, repository
from experiments import __main__ as experiments


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """A folder in the place of the checkout; nothing above it is one."""
    root = tmp_path / "course"
    (root / "experiments" / "results").mkdir(parents=True)
    (root / "code.py").write_text("1", encoding="utf-8")
    monkeypatch.setattr(repository, "root", lambda: root)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return root


def git(folder, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@b.c", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def committed(root):
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message=first")
    return root


def test_round_trip(root):
    settings = {"recipe": "original", "seeds": [1, 2, 3]}
    results = {"accuracy": [0.9765, 0.1 + 0.2], "nothing": None, "deep": {"a": [{"b": -1e-30}]}}
    before = datetime.date.today().isoformat()
    evidence.store("seeds", settings, results, seconds=61.7, code="abc")
    loaded = evidence.load("seeds")
    assert loaded.keys() == {"made", "settings", "results"}
    assert (loaded["settings"], loaded["results"]) == (settings, results)  # to the last bit
    made = loaded["made"]
    assert before <= made["date"] <= datetime.date.today().isoformat()
    assert (made["seconds"], made["code"], made["threads"]) == (62, "abc", torch.get_num_threads())
    assert made["versions"].keys() == {"python", "torch", "torchvision"}
    assert platform.machine() in made["machine"] and f"{os.cpu_count()} cores" in made["machine"]
    assert platform.node() not in made["machine"]  # which would name the owner's computer
    line = evidence.how_made(loaded)
    assert "\n" not in line
    for said in (made["date"], "62 s", f"torch {torch.__version__}", made["machine"], "threads"):
        assert said in line
    text = (root / "experiments" / "results" / "seeds.json").read_text(encoding="utf-8")
    assert text.endswith("\n") and len(text.splitlines()) > 10  # lines that git can compare


def test_missing_file_says_how_to_make_it():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json is missing.*git checkout.*make evidence"):
        evidence.load("nowhere")


def test_what_can_not_be_stored_leaves_the_old_file():
    evidence.store("seeds", {}, 1, seconds=1)
    with pytest.raises(TypeError):
        evidence.store("seeds", {}, torch.ones(2), seconds=1)
    assert evidence.load("seeds")["results"] == 1


# --- the commit -------------------------------------------------------------------------------------------------


def test_the_commit_and_results_that_the_run_itself_writes(committed):
    version = evidence.code_version()
    assert git(committed, "rev-parse", "HEAD").startswith(version) and len(version) >= 7
    for value in (1, 2):
        evidence.store("seeds", {}, value, seconds=1)
        assert evidence.load("seeds")["made"]["code"] == version
    (committed / "notes.txt").write_text("beside the code", encoding="utf-8")
    assert evidence.code_version() == version


@pytest.mark.parametrize("change", ["edited", "staged", "deleted", "new experiment"])
def test_a_dirty_tree_is_refused(committed, change):
    changed = committed / ("experiments/mine.py" if change == "new experiment" else "code.py")
    if change == "deleted":
        changed.unlink()
    else:
        changed.write_text("2", encoding="utf-8")
    if change == "staged":
        git(committed, "add", ".")
    for ask in (evidence.code_version, lambda: evidence.store("seeds", {}, 1, seconds=1)):
        with pytest.raises(evidence.UncommittedChanges, match=f"{changed.name}.*Commit"):
            ask()
    assert not list((committed / "experiments" / "results").iterdir())


@pytest.mark.parametrize("kind", ["no repository", "somebody's repository", "no git"])
def test_without_a_commit_the_label_says_so(root, kind, monkeypatch):
    if kind == "somebody's repository":  # with the downloaded course unpacked in it
        git(root.parent, "init", "--quiet")
        git(root.parent, "commit", "--quiet", "--allow-empty", "--message=first")
    if kind == "no git":
        monkeypatch.setenv("PATH", str(root))
    evidence.store("seeds", {}, 1, seconds=1)
    expected = "unknown: no git" if kind == "no git" else "unknown: not a git repository"
    assert evidence.load("seeds")["made"]["code"] == expected


# --- python -m experiments --------------------------------------------------------------------------------------


@pytest.fixture
def fake(monkeypatch):
    """Experiments that return their number, and count how often they ran."""
    ran = []

    def load(name: str) -> SimpleNamespace:
        return SimpleNamespace(__doc__="One.", SETTINGS={"n": 1}, run=lambda: ran.append(name) or len(ran))

    monkeypatch.setattr(experiments, "EXPERIMENTS", ["a", "b", "c"])
    monkeypatch.setattr(experiments.importlib, "import_module", load)
    return ran


def test_all_are_run_and_stored_with_the_commit(committed, fake):
    assert experiments.main([]) == 0
    assert fake == ["experiments.a", "experiments.b", "experiments.c"]
    assert evidence.load("c")["results"] == 3
    assert evidence.load("c")["made"]["code"] == evidence.code_version()


def test_a_dirty_tree_stops_them_before_the_work(committed, fake, capsys):
    (committed / "code.py").write_text("2", encoding="utf-8")
    assert experiments.main(["a"]) == 2
    assert fake == []
    assert "code.py" in capsys.readouterr().err


def test_a_download_is_told_before_the_work(root, fake, capsys):
    assert experiments.main(["a"]) == 0
    assert "unknown: not a git repository" in capsys.readouterr().out.splitlines()[0]
    assert evidence.load("a")["made"]["code"] == "unknown: not a git repository"


def test_a_result_that_can_not_be_written_is_printed(committed, fake, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(evidence, "write_whole", full)
    assert experiments.main(["a", "b"]) == 1
    said = capsys.readouterr()
    assert fake == ["experiments.a", "experiments.b"]
    assert [json.loads(line) for line in said.out.splitlines() if line.isdigit()] == [1, 2]
    assert "No space left" in said.err


def test_an_interrupt_names_the_rest(committed, fake, capsys, monkeypatch):
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    store = evidence.store
    monkeypatch.setattr(evidence, "store", lambda name, *rest: store(name, *rest) if name == "a" else interrupted(1))
    assert experiments.main([]) == 130
    assert "python -m experiments b c" in capsys.readouterr().err


def test_unknown_names(fake, capsys):
    assert experiments.main(["a", "x"]) == 2
    assert fake == [] and "x" in capsys.readouterr().err
