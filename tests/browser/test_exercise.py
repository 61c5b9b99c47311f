"""An exercise of notebook 03 as a learner does it: not tried, wrong, right, and a look at the solution."""

import pytest

NOTEBOOK = "03_pooling.ipynb"
WRONG = "def unchanged_share(before, after):\n    return (before == after).float().mean()"
RIGHT = (
    "def unchanged_share(before, after):\n    ink = (before != 0) | (after != 0)\n"
    "    return (before[ink] == after[ink]).float().mean()"
)


@pytest.fixture(scope="module")
def stub(lab) -> int:
    """Index of the stub in the opened notebook, with its imports run. Its check and its solution are the next cells."""
    lab.open(NOTEBOOK)
    cells = lab.cells()
    imports = next(cell.index for cell in cells if cell.kind == "code")
    assert not lab.run(imports).troubles()
    return next(cell.index for cell in cells if "exercise" in cell.tags and "def unchanged_share(" in cell.source)


@pytest.mark.parametrize(
    ("answer", "says"),
    [(None, "not tried yet"), (WRONG, "that counts the background"), (RIGHT, "correct")],
    ids=["stub", "wrong", "right"],
)
def test_check_answers(lab, stub, answer, says):
    if answer:
        lab.write(stub, answer)
    lab.run(stub)
    lab.run(stub + 1)
    output = lab.cell(stub + 1).locator(".jp-OutputArea-output")
    assert says in output.inner_text()
    lab.screenshot(f"exercise-{says.split()[0]}")


def test_solution_unfolds(lab, stub):
    solution = lab.cell(stub + 2)
    assert solution.locator(".cm-content:visible").count() == 0, "the solution is not folded"
    solution.locator(".jp-InputPlaceholder").click()
    assert "def unchanged_share_solution" in solution.locator(".cm-content").inner_text()
    lab.screenshot("exercise-solution")
