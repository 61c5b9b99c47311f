"""Through the course as a learner goes: each notebook opened by the link at the end of the one before, and run."""

from pathlib import Path

import pytest

from tests.browser.lab import NOTEBOOKS

NOTEBOOK_SECONDS = 600  # it only ends a hang: how long a notebook may take, the tests of all outputs say


def follow_link(lab, notebook: str) -> None:
    """Click the link to that notebook in the last cell of the one in front."""
    last = lab.cell(len(lab.cells()) - 1)
    last.locator(f"a[href*='{notebook}'], a[data-href*='{notebook}']").first.click()


@pytest.mark.parametrize("number", range(len(NOTEBOOKS)), ids=lambda number: NOTEBOOKS[number].stem)
def test_every_notebook_runs_without_an_error(lab, number):
    path = f"notebooks/{NOTEBOOKS[number].name}"
    if number == 0:
        lab.open(path)
    else:
        before = f"notebooks/{NOTEBOOKS[number - 1].name}"
        if lab.path() != before:  # this test runs alone, or the one before has failed
            lab.open(before)
        follow_link(lab, Path(path).name)
        lab.wait_until_open(path)
    cells = lab.run_all(NOTEBOOK_SECONDS)
    troubles = [trouble for cell in cells for trouble in cell.troubles()]
    assert not troubles, "\n".join(troubles)
    assert all(cell.count for cell in cells if cell.kind == "code" and cell.source.strip())
    assert_nothing_broken_on_screen(lab)
    lab.screenshot(f"walk-{Path(path).stem}")
    lab.shut_kernel_down()


def assert_nothing_broken_on_screen(lab) -> None:
    """The model may be whole and its rendering not: a widget that never loads, an error that only the page shows."""
    notebook = lab.page.locator(".jp-Notebook:visible")
    for broken in (
        "[data-mime-type='application/vnd.jupyter.error']",
        "[data-mime-type='application/vnd.jupyter.stderr']",
        ".jp-OutputArea-output:has-text('Error displaying widget')",
        ".jp-OutputArea-output:has-text('Loading widget')",
        ".jp-mod-error",
    ):
        assert notebook.locator(broken).count() == 0, broken
