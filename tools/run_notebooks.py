"""Run notebooks in fresh kernels and write them back: python -m tools.run_notebooks [NOTEBOOK ...] (all if none).

Says how long each took. A notebook in which a cell fails is left as it was, and the exit code is 1.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"  # progress bars don't belong into stored outputs

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from course_utils.files import write_whole
from experiments._peak import peak_mb
from tools.bench.limits import HANG_SECONDS

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
KEPT_CELL_METADATA = ("tags", "jupyter", "jp-MarkdownHeadingCollapsed")
WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass
class Run:
    """A notebook after all its cells have run, and what that took."""

    notebook: NotebookNode
    seconds: float  # from the start of the kernel
    cell_seconds: list[float]  # of the code cells
    peak_mb: float | None  # resident memory of the kernel; None where there is no /proc


@contextmanager
def fresh_kernel(path: Path) -> Iterator[tuple[NotebookClient, KernelManager]]:
    """What runs a notebook from its own folder, and its kernel, which is there until the end."""
    manager = KernelManager(kernel_name="python3")  # of our own: the client would end its kernel with the last cell
    client = NotebookClient(
        nbformat.read(path, as_version=4),
        km=manager,
        timeout=HANG_SECONDS,
        startup_timeout=HANG_SECONDS,
        iopub_timeout=HANG_SECONDS,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        yield client, manager
    finally:
        manager.shutdown_kernel(now=True)


def run(path: Path) -> Run:
    """Run all cells of a notebook in a fresh kernel."""
    start = time.perf_counter()
    with fresh_kernel(path) as (client, manager):
        client.execute()
        seconds = time.perf_counter() - start
        memory = peak_mb(manager.provisioner.pid) if sys.platform == "linux" else None
    times = [cell.metadata.execution for cell in client.nb.cells if "execution" in cell.metadata]
    return Run(client.nb, seconds, [_seconds(time) for time in times], memory)


def _seconds(execution: dict[str, str]) -> float:
    """Between the moments that nbclient recorded for a cell."""
    start, end = (datetime.fromisoformat(execution[key]) for key in ("iopub.execute_input", "shell.execute_reply"))
    return (end - start).total_seconds()


def normalised(notebook: NotebookNode) -> NotebookNode:
    """A copy with nothing that depends on who ran it, or where, or how fast.

    A widget's view goes too: it points to a model that lived in the kernel only, so that a reader would see an error
    where now its text is seen.
    """
    notebook = nbformat.from_dict(notebook)
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    for cell in notebook.cells:
        cell.metadata = NotebookNode({key: cell.metadata[key] for key in KEPT_CELL_METADATA if key in cell.metadata})
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
    return notebook


def main(names: list[str]) -> int:
    """Run the named notebooks, or all, and return the exit code."""
    failed = 0
    for path in [Path(name) for name in names] or sorted(NOTEBOOKS.glob("*.ipynb")):
        print(f"{path.name} … ", end="", flush=True)
        try:
            done = run(path)
        except CellExecutionError as error:
            failed = 1
            print(f"failed, left as it was\n{error}")
            continue
        write_whole(path, nbformat.writes(normalised(done.notebook)) + "\n")
        print(f"{done.seconds:.0f} s")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
