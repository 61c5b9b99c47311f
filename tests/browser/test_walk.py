"""Through the course as a learner goes: each notebook opened by the link at the end of the one before.

That all cells run and print what is stored, the tests of the outputs say. Only here is seen that JupyterLab follows the
links, shows every stored output, and that an interactive part comes alive in its notebook.
"""

import re

import pytest

from course_utils import widgets
from tests.browser.lab import NOTEBOOKS

PART = re.compile(rf"\b({'|'.join(widgets.__all__)})\(")


def follow_link(lab, notebook: str) -> None:
    """Click the link to that notebook in the last cell of the one in front."""
    last = lab.cell(len(lab.cells()) - 1)
    last.locator(f"a[href*='{notebook}'], a[data-href*='{notebook}']").first.click()


@pytest.mark.parametrize("number", range(len(NOTEBOOKS)), ids=lambda number: NOTEBOOKS[number].stem)
def test_every_notebook_opens_from_the_one_before_and_shows_what_is_stored(lab, number):
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
    run_to_first_part(lab)
    lab.shut_kernel_down()


def run_to_first_part(lab) -> None:
    """Run the notebook down to its first interactive part, if that comes before half of its cells."""
    code = [cell for cell in lab.cells() if cell.kind == "code"]
    part = next((cell.index for cell in code[: len(code) // 2] if PART.search(cell.source)), None)
    if part is None:
        return
    troubles = [trouble for cell in lab.run_to(part) for trouble in cell.troubles()]
    assert not troubles, "\n".join(troubles)
    root = lab.cell(part).locator(".course-widget")
    root.wait_for()
    assert root.get_attribute("data-kernel") == "live"
