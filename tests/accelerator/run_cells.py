"""Runs a notebook's cells in this process: python -m tests.accelerator.run_cells NOTEBOOK. Stops at the first error.

A cell that took little time is run a second time at once, as learners do.
"""

import sys
import time

import nbformat
from ipykernel.inprocess.manager import InProcessKernelManager

AGAIN = 2  # seconds below which a cell is run twice


def main(notebook: str) -> int:
    """The exit code: 1 where a cell fails."""
    manager = InProcessKernelManager()
    manager.start_kernel()
    shell = manager.kernel.shell
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "code":
            start = time.perf_counter()
            done = shell.run_cell(cell.source)
            if done.success and time.perf_counter() - start < AGAIN:
                done = shell.run_cell(cell.source)
            if not done.success:
                print(cell.source, file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
