"""Through the course as a learner goes: each notebook opened by the link at the end of the one before.

That all cells run and print what is stored, the tests of the outputs say. Only here is seen that JupyterLab follows the
links, shows every stored output, and runs a notebook from its first cell to its first interactive part.
"""

import re

import pytest

from tests.browser.lab import NOTEBOOKS

PART = re.compile(r"\b(KernelPlayground|WeightSharing|ShiftExplorer|DrawDigit|BlindLabels)\(")


def follow_link(lab, notebook: str) -> None:
    """Click the link to that notebook in the last cell of the one in front."""
    last = lab.cell(len(lab.cells()) - 1)
    last.locator(f"a[href*='{notebook}'], a[data-href*='{notebook}']").first.click()


@pytest.mark.parametrize("number", range(len(NOTEBOOKS)), ids=lambda number: NOTEBOOKS[number].stem)
def test_every_notebook_opens_from_the_one_before_and_begins(lab, number):
    path = f"notebooks/{NOTEBOOKS[number].name}"
    if number == 0:
        lab.open(path)
    else:
        before = f"notebooks/{NOTEBOOKS[number - 1].name}"
        if lab.path() != before:  # this test runs alone, or the one before has failed
            lab.open(before)
        follow_link(lab, NOTEBOOKS[number].name)
        lab.wait_until_open(path)
    assert lab.broken() == []
    lab.screenshot(f"walk-{NOTEBOOKS[number].stem}")
    begin(lab)
    lab.shut_kernel_down()


def begin(lab) -> None:
    """Run the notebook to its first interactive part, or, where that comes late or never, its first code cell only."""
    cells = lab.cells()
    code = [cell for cell in cells if cell.kind == "code"]
    early = [cell for cell in code[: len(code) // 2] if PART.search(cell.source)]
    run = lab.run_to((early or code)[0].index)
    troubles = [trouble for cell in run for trouble in cell.troubles()]
    assert not troubles, "\n".join(troubles)
    if early:
        part = lab.cell(early[0].index).locator(".course-widget")
        part.wait_for()
        assert part.get_attribute("data-kernel") == "live"
