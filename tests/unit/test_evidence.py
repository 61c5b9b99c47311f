"""Stored results: what is written comes back, with how it was made."""

import datetime
import json
import os
import platform
import re
import subprocess

import pytest
import torch
import torchvision

from course_utils import evidence, files


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "folder", lambda: tmp_path)
    return tmp_path


def test_round_trip():
    settings = {"recipe": "original", "seeds": [1, 2, 3]}
    results = {"accuracy": [0.9765, 0.1 + 0.2], "nothing": None, "deep": {"a": [{"b": -1e-30}]}}
    evidence.store("seeds", settings, results, seconds=61.7)
    loaded = evidence.load("seeds")
    assert loaded.keys() == {"made", "settings", "results"}
    assert loaded["settings"] == settings
    assert loaded["results"] == results  # to the last bit


def test_how_it_was_made():
    before = datetime.date.today().isoformat()
    evidence.store("seeds", {}, [], seconds=61.7)
    made = evidence.load("seeds")["made"]
    assert before <= made["date"] <= datetime.date.today().isoformat()
    assert made["seconds"] == 62
    assert made["versions"] == {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
    }
    assert platform.machine() in made["machine"]
    assert f"{os.cpu_count()} cores" in made["machine"]
    assert platform.node() not in made["machine"]  # which would name the owner's computer
    assert made["threads"] == torch.get_num_threads()


def test_code_outside_a_repository_has_no_version():
    evidence.store("seeds", {}, [], seconds=1)
    assert evidence.load("seeds")["made"]["code"] == "unknown"


def test_code_version_is_the_commit_and_says_if_files_were_changed(folder):
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
        command = ["git", "-C", str(folder), *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "--quiet")
    (folder / "code.py").write_text("1", encoding="utf-8")
    git("add", "code.py")
    git("commit", "--quiet", "--message=first")
    evidence.store("seeds", {}, [], seconds=1)
    version = evidence.load("seeds")["made"]["code"]
    assert re.fullmatch("[0-9a-f]{7,}", version)
    assert git("rev-parse", "HEAD").startswith(version)
    (folder / "code.py").write_text("2", encoding="utf-8")
    evidence.store("seeds", {}, [], seconds=1)
    assert evidence.load("seeds")["made"]["code"] == f"{version}+changes"


def test_line_for_the_notebook():
    evidence.store("seeds", {}, [], seconds=61.7)
    loaded = evidence.load("seeds")
    line = evidence.how_made(loaded)
    assert "\n" not in line
    for said in (loaded["made"]["date"], "62 s", f"torch {torch.__version__}", loaded["made"]["machine"], "threads"):
        assert said in line


def test_file_is_text_that_git_can_compare(folder):
    evidence.store("seeds", {"b": 1, "a": 2}, [1, 2], seconds=1)
    text = (folder / "seeds.json").read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert len(text.splitlines()) > 10
    assert json.loads(text)["settings"] == {"b": 1, "a": 2}
    assert [path.name for path in folder.iterdir()] == ["seeds.json"]


def test_missing_file_says_how_to_make_it(folder):
    with pytest.raises(FileNotFoundError) as caught:
        evidence.load("nowhere")
    for said in (str(folder / "nowhere.json"), "git checkout -- experiments/results", "make evidence"):
        assert said in str(caught.value)


def test_storing_again_replaces(folder):
    for value in (1, 2):
        evidence.store("seeds", {}, value, seconds=1)
    assert evidence.load("seeds")["results"] == 2


def test_what_can_not_be_stored_leaves_the_old_file():
    evidence.store("seeds", {}, 1, seconds=1)
    with pytest.raises(TypeError):
        evidence.store("seeds", {}, torch.ones(2), seconds=1)
    assert evidence.load("seeds")["results"] == 1


def test_write_cut_short_leaves_the_old_file(folder, monkeypatch):
    evidence.store("seeds", {}, 1, seconds=1)

    def cut_short(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files.os, "replace", cut_short)
        with pytest.raises(OSError, match="no space"):
            evidence.store("seeds", {}, 2, seconds=1)
    assert evidence.load("seeds")["results"] == 1
