"""What the course takes on this machine: python -m tools.bench.course. Exit code 1 above a limit of limits.py.

Every notebook in a real kernel: wall time, first and slowest cell, peak memory; JupyterLab's memory; and what importing
course_utils adds to importing torch and torchvision. Stored as evidence "course", of which the README's table is made.
"""

import statistics
import subprocess
import sys
import time
from typing import Any

from course_utils import evidence, threads
from experiments._peak import import_mb
from tools.bench import limits
from tools.bench.server_memory import lab_peak
from tools.run_notebooks import NOTEBOOKS, Run, run

COLUMNS = ("Notebook", "Time", "First cell", "Slowest cell", "Memory above the import")


def main() -> int:
    """Measure, store, print the table, and return the exit code."""
    threads.choose()
    code = evidence.code_version()
    start = time.perf_counter()
    measured = measure()
    evidence.store("course", {}, measured, time.perf_counter() - start, code)
    print(*table(measured), "", *(problems(measured) or ["within all limits"]), sep="\n")
    return int(bool(problems(measured)))


def measure() -> dict[str, Any]:
    """Seconds, those of two cells, and MB of each notebook, and what else has a limit; MB are None off Linux."""
    linux = sys.platform == "linux"  # memory is read from /proc
    base_mb = import_mb() if linux else None
    return {
        "notebooks": {path.stem: row(run(path), base_mb) for path in sorted(NOTEBOOKS.glob("*.ipynb"))},
        "import_share": round(statistics.median(import_shares(5)), 3),
        "import_mb": base_mb and round(base_mb),
        "lab_mb": round(lab_peak()) if linux else None,
    }


def row(done: Run, base_mb: float | None) -> dict[str, float | None]:
    """What is stored of a notebook's run."""
    return {
        "seconds": round(done.seconds, 1),
        "first_cell": round(done.cell_seconds[0], 1),
        "slowest_cell": round(max(done.cell_seconds), 1),
        "mb_above_import": None if base_mb is None or done.peak_mb is None else round(done.peak_mb - base_mb),
    }


def import_shares(repeats: int) -> list[float]:
    """Seconds that `import course_utils` takes after torch and torchvision, as a part of theirs."""
    code = (
        "import time; a = time.perf_counter(); import torch, torchvision; b = time.perf_counter(); "
        "import course_utils; print((time.perf_counter() - b) / (b - a))"
    )
    command = [sys.executable, "-c", code]
    return [float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout) for _ in range(repeats)]


def table(measured: dict[str, Any]) -> list[str]:
    """The notebooks as lines of a Markdown table."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" + "|--:" * (len(COLUMNS) - 1) + "|"]
    for name, took in measured["notebooks"].items():
        memory = "not measured" if took["mb_above_import"] is None else f"{took['mb_above_import']} MB"
        cells = f"{took['first_cell']:.1f} s | {took['slowest_cell']:.1f} s"
        lines.append(f"| {name[:2]} | {took['seconds']:.0f} s | {cells} | {memory} |")
    return [*lines, f"| all | {total_seconds(measured):.0f} s | | | |"]


def total_seconds(measured: dict[str, Any]) -> float:
    return sum(took["seconds"] for took in measured["notebooks"].values())


def problems(measured: dict[str, Any]) -> list[str]:
    """A line for each limit that is broken; what was not measured breaks none."""
    values = [
        ("all notebooks: {:.0f} seconds", total_seconds(measured), limits.COURSE_SECONDS),
        ("JupyterLab: {} MB", measured["lab_mb"], limits.LAB_MB),
        ("import course_utils adds a share of {}", measured["import_share"], limits.IMPORT_SHARE),
    ]
    for name, took in measured["notebooks"].items():
        values += [
            (f"{name}: {{:.0f}} seconds", took["seconds"], limits.NOTEBOOK_SECONDS),
            (f"{name}: {{:.1f}} seconds in its first cell", took["first_cell"], limits.FIRST_CELL_SECONDS),
            (f"{name}: {{:.0f}} seconds in one cell", took["slowest_cell"], limits.CELL_SECONDS),
            (f"{name}: {{}} MB above the import", took["mb_above_import"], limits.KERNEL_MB_ABOVE_IMPORT),
        ]
    return [f"{what.format(value)}; the limit is {limit:g}" for what, value, limit in values if (value or 0) > limit]


if __name__ == "__main__":
    sys.exit(main())
