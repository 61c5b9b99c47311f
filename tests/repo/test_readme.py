"""README, docs/ and notebook 00 say what notebooks, stored results and the repository's address say: tools.readme."""

import re
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tools import address, ledger, readme

ROOT = Path(__file__).resolve().parents[2]


def test_everything_is_as_the_tool_writes_it():
    assert readme.main(["--check"]) == 0, "run `make readme`"


def test_the_readme_is_one_page():
    assert len(readme.README.read_text(encoding="utf-8").splitlines()) <= 70


def test_every_claim_has_a_verdict_and_its_figures():
    assert all(row.figures and row.outcome != "open" for row in ledger.rows())


def test_a_block_is_filled_between_its_markers_and_nowhere_else():
    blocks = {"one": lambda: ["1", "2"], "none": lambda: []}
    text = "a\n<!-- begin: one -->\nold\n<!-- end: one -->\nb\n<!-- begin: none -->\n<!-- end: none -->\nold\n"
    assert readme.filled(text, blocks) == text.replace("old\n", "1\n2\n", 1)
    assert readme.filled(readme.filled(text, blocks), blocks) == readme.filled(text, blocks)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!-- begin: one -->\n",
        "<!-- end: one -->\n<!-- begin: one -->\n",
        2 * "<!-- begin: one -->\n<!-- end: one -->\n",
    ],
)
def test_a_block_that_is_not_there_once(text):
    with pytest.raises(ValueError, match="<!-- begin: one -->"):
        readme.filled(text, {"one": list})


def test_another_address_in_pyproject_is_the_address_everywhere(monkeypatch):
    monkeypatch.setattr(address, "repository", lambda: "https://github.com/someone/cnn")
    texts = readme.should_be()
    assert texts.keys() == {*readme.PAGES, readme.START}
    for path, text in texts.items():
        assert address.PLACEHOLDER not in text and "OWNER" not in text, path
        assert path.name == "benchmarks.md" or "someone" in text, path


def git(folder: Path, *arguments: str) -> str:
    """Run git there, with no settings but our own; return what it printed."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pull_as_nbgitpuller_does(clone: Path, branch: str) -> None:
    """Fetch; keep what the learner changed, as a commit; merge, and where both changed the same lines, the learner's
    stay."""
    git(clone, "fetch", "origin")
    git(clone, "log", f"..origin/{branch}")
    git(clone, "commit", "--all", "--allow-empty", "--message", "the learner's")
    git(clone, "merge", "-Xours", f"origin/{branch}")


def test_the_hubs_link_can_be_clicked_twice_with_an_edit_in_between(tmp_path):
    asked = {name: value for name, (value,) in parse_qs(urlsplit(address.hub_link()).query).items()}
    assert asked["repo"] == address.repository()
    assert re.fullmatch(r"lab/tree/[\w-]+/notebooks/00_start_here.ipynb", asked["urlpath"])
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    origin.mkdir()
    git(origin, "init")
    task, text = origin / "task.py", origin / "text.md"
    task.write_text("answer = ...\n")
    text.write_text("a mistake\n")
    git(origin, "add", ".")
    git(origin, "commit", "--message", "the course")
    git(origin, "tag", "v1")
    git(tmp_path, "clone", "--branch", asked["branch"], str(origin), str(clone))
    (clone / "task.py").write_text("answer = 42\n")
    for correction in ("corrected\n", "corrected again\n"):
        text.write_text(correction)
        task.write_text(f"answer = ...  # {correction}")
        git(origin, "commit", "--all", "--message", "a correction")
        pull_as_nbgitpuller_does(clone, asked["branch"])
        assert (clone / "text.md").read_text() == correction
        assert (clone / "task.py").read_text() == "answer = 42\n"
    with pytest.raises(AssertionError, match="ambiguous argument"):  # why the link names no tag
        pull_as_nbgitpuller_does(clone, "v1")
