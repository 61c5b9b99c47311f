"""What every notebook must be before a learner gets it: run, whole, readable, and true to the package."""

import ast
import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
import torch
from torch import nn

import course_utils

# The tools that write the notebooks and the README say what normalised means, and what a printed verdict is.
from tools.ledger import printed, rows_of
from tools.run_notebooks import normalised

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MARKDOWN = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "data" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]

IGNORED = "nbval-ignore-output"  # the tag
SPEAKS = re.compile(r"print|display|plots\.show|checks\.\w+|claims\.verdict")
ABSOLUTE_PATH = re.compile(r"(?<![\w/:.])(/(home|root|Users|tmp|work|mnt|opt)/|[A-Z]:\\)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
OPENING = ("**Question.**", "**Claims tested.**", "**Minutes.**", "**You need.**", "**Your guess, before you run")
CLOSING = ("## What you found", "**Verdicts.**", "**What surprised.**", "**Read more.**", "**Next.**")

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def speaks(source: str) -> bool:
    """Does the cell print or show something itself, and not only define what does?"""
    definitions = (ast.FunctionDef, ast.ClassDef)
    statements = [node for node in ast.parse(source).body if not isinstance(node, definitions)]
    calls = [node for statement in statements for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return any(SPEAKS.fullmatch(ast.unparse(call.func)) for call in calls)


def markdown_of(path: Path) -> str:
    return "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def pictures(notebook):
    return [out for cell in code_cells(notebook) for out in cell.outputs if "image/png" in out.get("data", {})]


@every_notebook
def test_was_run_from_a_fresh_kernel_and_kept_its_outputs(path):
    cells = code_cells(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        # nbval passes a cell without stored outputs, whatever it does.
        assert cell.outputs or not speaks(cell.source), f"no stored output: {cell.source}"
        for output in cell.outputs:
            assert output.output_type != "error", output
            assert output.get("name") != "stderr", output


@every_notebook
def test_is_stored_normalised_and_small(path):
    notebook = read(path)
    assert notebook == normalised(notebook), "run `make notebooks`"
    text = path.read_text(encoding="utf-8")
    assert "application/vnd.jupyter.widget" not in text
    assert not ABSOLUTE_PATH.search(re.sub(r'"image/png": "[^"]*"', "", text))
    assert path.stat().st_size < 1_000_000


def test_an_interactive_part_is_stored_as_its_sentence_only():
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "[A part. Run this cell.]"}
    output = nbformat.v4.new_output("execute_result", view, execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("part", outputs=[output])])
    (stored,) = normalised(notebook).cells[0].outputs
    assert stored.data == {"text/plain": "[A part. Run this cell.]"}


def test_a_collapsed_heading_is_stored_collapsed():
    metadata = {"jp-MarkdownHeadingCollapsed": True, "editable": True}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("## Deeper", metadata=metadata)])
    assert normalised(notebook).cells[0].metadata == {"jp-MarkdownHeadingCollapsed": True}


@every_notebook
def test_opens_and_closes_as_the_syllabus_says(path):
    notebook = read(path)
    first, last = notebook.cells[0], notebook.cells[-1]
    assert first.cell_type == last.cell_type == "markdown"
    assert first.source.startswith(f"# {path.stem[:2]} · ")
    for part in OPENING:
        assert part in first.source
    for part in CLOSING:
        assert part in last.source


@every_notebook
def test_chooses_its_threads_first(path):
    """Before anything is computed; without it a busy machine takes many times as long."""
    assert "\nthreads.choose()\n" in code_cells(read(path))[0].source


@every_notebook
def test_every_figure_has_alt_text(path):
    for output in pictures(read(path)):
        assert len(output.metadata["image/png"]["alt"].split()) >= 5


@every_notebook
def test_every_exercise_is_stub_check_and_folded_solution(path):
    cells = read(path).cells
    stubs = [index for index, cell in enumerate(cells) if "exercise" in cell.metadata.get("tags", [])]
    assert 2 <= len(stubs) <= 6
    for index in stubs:
        task, stub, check, solution = cells[index - 1 : index + 3]
        assert re.search(r"^### Exercise \d", task.source, re.M)
        assert "..." in stub.source
        (call,) = re.findall(r"checks\.(\w+)\(", check.source)
        assert printed(check).strip() == "not tried yet", f"{path.name}: {check.source} on the untouched stub"
        assert "solution" in solution.metadata["tags"] and solution.metadata["jupyter"]["source_hidden"]
        assert solution.source.startswith("# Solution: click the dots\n")  # a folded cell shows its first line
        assert f"checks.{call}(" in solution.source
        assert printed(solution).strip() in ("the solution: correct", "the solution: noted")


@every_notebook
def test_has_questions_with_folded_answers(path):
    prose = markdown_of(path)
    questions = len(re.findall(r"^\*\*Question [A-Z]\.\*\*", prose, re.M))
    assert questions >= 2
    assert prose.count("<details><summary>Answer</summary>") == prose.count("</details>") == questions


@every_notebook
def test_prints_the_verdicts_that_its_opening_names(path):
    notebook = read(path)
    opening = notebook.cells[0].source
    tested = re.search(r"\*\*Claims tested\.\*\*(.*?)\n\n", opening, re.S).group(1)
    for row in rows_of(path):
        assert row.claim in tested, f"{path.name} prints a verdict of {row.claim}, which its opening does not name"
    for cell in code_cells(notebook):
        if "claims.verdict(" in cell.source:
            assert IGNORED not in cell.metadata.get("tags", [])  # verdicts are what nbval compares


@pytest.mark.parametrize("path", NOTEBOOKS + MARKDOWN, ids=lambda path: path.name)
def test_every_internal_link_is_alive(path):
    is_notebook = path.suffix == ".ipynb"
    prose = (
        "\n".join(c.source for c in read(path).cells if c.cell_type == "markdown") if is_notebook else path.read_text()
    )
    for link in LINK.findall(prose):
        if re.match(r"(https?|mailto):", link):
            continue
        target, _, anchor = link.partition("#")
        there = (path.parent / unquote(target)) if target else path
        assert there.exists(), f"{path.name} links to {link}"
        if anchor and there.suffix == ".ipynb":
            ids = {cell.id for cell in read(there).cells}
            assert anchor.removeprefix("cell-id=") in ids, f"{path.name} links to {link}"


def test_one_notebook_leads_to_the_next():
    for path, following in pairwise(NOTEBOOKS):
        assert f"]({following.name})" in read(path).cells[-1].source


def definitions_in(stem: str, cell_id: str, **names) -> dict:
    """The names that one cell of a notebook defines; `names` are those that it needs."""
    (path,) = (path for path in NOTEBOOKS if path.stem == stem)
    (cell,) = (cell for cell in read(path).cells if cell.id == cell_id)
    names = {"nn": nn, "torch": torch, **vars(course_utils), **names}
    exec(cell.source, names)
    return names


def test_notebook_04_builds_the_packages_network():
    in_notebook = definitions_in("04_building_the_cnn", "network-class")["CNN"]()
    packaged = course_utils.CNN()
    in_notebook.load_state_dict(packaged.state_dict())  # same names, same shapes
    images = torch.rand(7, 1, 28, 28)
    assert torch.equal(in_notebook(images), packaged(images))


def test_notebook_05_trains_as_fit_does(capsys, mnist):
    names = definitions_in("05_training", "training-loop")
    names["mnist"] = mnist
    # Five steps: Adam divides by the gradient's size, so that rounding (fit uses another memory format) soon grows.
    few = torch.utils.data.Subset(mnist.full_train, range(250))
    torch.manual_seed(3)
    by_notebook, by_fit = course_utils.CNN(), course_utils.CNN()
    by_fit.load_state_dict(by_notebook.state_dict())
    optimizer = torch.optim.Adam(by_notebook.parameters(), lr=0.001)
    names["train"](by_notebook, enumerate(course_utils.in_batches(few, batch_size=50, seed=3)), optimizer)
    lines = []
    watch = ("test", mnist.test_first_2000)
    course_utils.fit(by_fit, few, course_utils.ORIGINAL, watch=watch, look_every=100, seed=3, log=lines.append)
    for one, other in zip(by_notebook.parameters(), by_fit.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    assert capsys.readouterr().out.split("|test")[0] == lines[0].split("|test")[0]
