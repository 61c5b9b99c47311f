"""The README says what the notebooks and the stored results say; python -m tools.readme writes it."""

import pytest

from tools import ledger, readme


def test_everything_is_as_the_tool_writes_it():
    assert readme.main(["--check"]) == 0, "run `make readme`"


def test_every_claim_has_a_verdict_and_its_figures():
    assert all(row.figures and row.outcome != "open" for row in ledger.rows())


def test_a_block_is_filled_between_its_markers_and_nowhere_else(monkeypatch):
    monkeypatch.setattr(readme, "BLOCKS", {"one": lambda: ["1", "2"], "none": lambda: []})
    text = "a\n<!-- begin: one -->\nold\n<!-- end: one -->\nb\n<!-- begin: none -->\n<!-- end: none -->\nold\n"
    assert readme.filled(text) == text.replace("old\n", "1\n2\n", 1)
    assert readme.filled(readme.filled(text)) == readme.filled(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!-- begin: one -->\n",
        "<!-- end: one -->\n<!-- begin: one -->\n",
        2 * "<!-- begin: one -->\n<!-- end: one -->\n",
    ],
)
def test_a_block_that_is_not_there_once(text, monkeypatch):
    monkeypatch.setattr(readme, "BLOCKS", {"one": lambda: []})
    with pytest.raises(ValueError, match="<!-- begin: one -->"):
        readme.filled(text)
