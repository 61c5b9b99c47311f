"""Through the course as a learner goes: from the start page, each notebook by the link at the end of the one before.

Each is a copy without outputs, with a kernel. In the first they run the cells down to the interactive part and to the
exercise, and solve it. That the cells of all notebooks run and print what is stored, the tests of the outputs say; that
JupyterLab shows it, the last one; and how parts are operated, the other files here.
"""

import ast
import json
import re
import shutil

import pytest

from course_utils import copies, records, widgets
from tests.browser import scratch
from tests.browser.lab import NOTEBOOKS

PART = re.compile(rf"\b({'|'.join(widgets.__all__)})\(")
STORED = "stored"
TESTS_OWN = {scratch.NAME, "sick.ipynb", STORED}  # what other tests have put into the folder


def test_the_start_page_opens_rendered_and_the_browser_shows_only_the_copies(lab):
    """And nothing asks anything."""
    lab.go(copies.START_PAGE)
    page = lab.page.locator(".jp-MarkdownViewer")
    page.get_by_role("heading", name="Convolutional networks").wait_for()
    listed = lab.page.locator(".jp-DirListing-itemText")
    listed.first.wait_for()
    assert {*listed.all_inner_texts()} - TESTS_OWN == {*(path.name for path in NOTEBOOKS), copies.START_PAGE}
    lab.page.wait_for_timeout(3000)  # JupyterLab asks about its news once all is there
    assert lab.page.locator(".Toastify__toast, .jp-Dialog").count() == 0
    lab.screenshot("walk-start")
    page.get_by_role("link", name="Start here").click()
    lab.wait_until_open(NOTEBOOKS[0].name)


def follow_link(lab, notebook: str) -> None:
    """Click the link to that notebook in the last cell of the one in front."""
    last = lab.cell(len(lab.cells()) - 1)
    last.locator(f"a[href*='{notebook}'], a[data-href*='{notebook}']").first.click()


@pytest.mark.parametrize("number", range(len(NOTEBOOKS)), ids=lambda number: NOTEBOOKS[number].stem)
def test_every_notebook_opens_from_the_one_before_and_works(lab, number):
    path = NOTEBOOKS[number].name
    if number > 0:
        before = NOTEBOOKS[number - 1].name
        if lab.path() != before:  # this test runs alone, or the one before has failed
            lab.open(before)
            lab.save()  # opened, it counts as changed, and closing it would ask
        follow_link(lab, path)
        lab.wait_until_open(path)
        lab.close(before)
    elif lab.path() != path:
        lab.open(path)
    assert not any(cell.outputs or cell.count for cell in lab.cells())
    if number == 0:
        use(lab, first_part(lab), first_exercise(lab))
    lab.screenshot(f"walk-{NOTEBOOKS[number].stem}")
    lab.save()
    if number == len(NOTEBOOKS) - 1:
        lab.close(path)


def use(lab, part: int, stub: int) -> None:
    """Run the cells down to the part and the exercise; the part is there, and the exercise can be solved."""
    troubles = [trouble for cell in lab.run_to(max(part, stub)) for trouble in cell.troubles()]
    assert not troubles, "\n".join(troubles)
    root = lab.cell(part).locator(".course-widget")
    root.wait_for()
    assert root.get_attribute("data-kernel") == "live"
    solve(lab, stub)


def first_part(lab) -> int:
    """Index of the first interactive part."""
    return next(cell.index for cell in lab.cells() if PART.search(cell.source))


def first_exercise(lab) -> int:
    """Index of the first stub; its check and its solution are the next cells."""
    return next(cell.index for cell in lab.cells() if "exercise" in cell.tags)


def solve(lab, stub: int) -> None:
    """Run the check of an untouched exercise, type the solution in, and see it accepted and kept."""
    assert lab.run(stub + 1).text().strip() == "not tried yet"
    lab.write(stub, answer(lab.cells()[stub + 2].source))
    lab.run(stub)
    check = lab.run(stub + 1)
    assert check.text().split()[-1] in ("correct", "noted")  # noted: there is no right answer
    kept = json.loads((lab.server.root / records.NAME).read_bytes())["solved"]
    number, name = lab.path()[:2], re.search(r"checks\.(\w+)", check.source)[1]
    assert f"{number} {name}" in kept


def answer(solution: str) -> str:
    """What a learner would type: the solution under the names of the stub, without its check."""
    tree = ast.parse(solution)
    tree.body = [statement for statement in tree.body if "checks." not in ast.unparse(statement)]
    return re.sub(r"_solution\b", "", ast.unparse(tree))


@pytest.fixture(scope="module")
def stored(server, lab) -> str:
    """A folder with the course's own notebooks, outputs and all, and JupyterLab's window."""
    shutil.copytree(NOTEBOOKS[0].parent, server.root / STORED, ignore=shutil.ignore_patterns(".*"))
    lab.go(copies.START_PAGE)
    lab.page.locator(".jp-MarkdownViewer h1").wait_for()
    return STORED


@pytest.mark.parametrize("name", [path.name for path in NOTEBOOKS])
def test_every_stored_output_is_shown(lab, stored, name):
    lab.show(f"{stored}/{name}")
    assert lab.broken() == []
    lab.close(f"{stored}/{name}")
