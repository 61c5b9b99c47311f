"""A progress bar is shown, or is silent, in a notebook as in a terminal."""

import sys

import pytest
import tqdm
import tqdm.notebook

from course_utils import progress as module
from course_utils.progress import progress, say


@pytest.mark.parametrize("bar", [tqdm.tqdm, tqdm.notebook.tqdm], ids=["terminal", "notebook"])
def test_tqdm_disable_silences_the_bar(bar, monkeypatch, capsys):
    monkeypatch.setattr(module, "tqdm", bar)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert list(progress(range(3))) == [0, 1, 2]
    printed = capsys.readouterr()
    assert printed.out == printed.err == ""


def test_without_it_the_bar_is_drawn(monkeypatch, capsys):
    monkeypatch.setattr(module, "tqdm", tqdm.std.tqdm)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    assert list(progress(range(3), desc="three")) == [0, 1, 2]
    assert "three" in capsys.readouterr().err


def test_without_streams_nothing_fails(monkeypatch):
    """As under pythonw."""
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert list(progress(range(3))) == [0, 1, 2]
    say("to nobody")
