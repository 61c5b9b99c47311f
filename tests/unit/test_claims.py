"""The ledger and the line that states a verdict."""

import pytest

from course_utils.claims import CLAIMS, VERDICTS, empty_ledger, verdict


@pytest.mark.parametrize("outcome", ["holds", "holds partly", "fails"])
@pytest.mark.parametrize("claim", ["C1", "C11", "C12"])
def test_verdict_is_one_line_of_exactly_this_form(claim, outcome, capsys):
    assert verdict(claim, outcome) is None
    assert capsys.readouterr().out == f"{claim}: {outcome}\n"


@pytest.mark.parametrize("claim", ["C13", "C0", "c1", "1", "", None])
def test_a_claim_that_does_not_exist(claim, capsys):
    with pytest.raises(ValueError) as caught:
        verdict(claim, "holds")
    assert f"there is no claim {claim!r}" in str(caught.value)
    assert "C1, C2, " in str(caught.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("outcome", ["Holds", "true", "partly", "", True, "holds\nC12: holds"])
def test_a_verdict_that_is_none(outcome, capsys):
    with pytest.raises(ValueError) as caught:
        verdict("C1", outcome)
    assert f"{outcome!r} is not a verdict" in str(caught.value)
    assert "holds, holds partly, fails" in str(caught.value)
    assert capsys.readouterr().out == ""


def test_twelve_claims():
    assert list(CLAIMS) == [f"C{number}" for number in range(1, 13)]
    assert VERDICTS == ("holds", "holds partly", "fails")
    for claim in CLAIMS.values():
        assert claim.text
        for notebook in claim.notebooks.split(", "):
            assert notebook in {f"{number:02}" for number in range(9)}


def test_empty_ledger_is_a_markdown_table():
    header, rule, *rows = empty_ledger().splitlines()
    assert len(rows) == 12
    assert {line.replace("\\|", "").count("|") for line in (header, rule, *rows)} == {5}  # four columns
    for row, (name, claim) in zip(rows, CLAIMS.items(), strict=True):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells == [name, claim.text, claim.notebooks, ""]
