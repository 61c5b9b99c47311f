"""What the course takes on this machine: python -m tools.bench.course. Exit code 1 above a limit.

Every notebook in a real kernel: wall time, slowest cell, peak memory; JupyterLab's memory; and what importing
course_utils adds to importing torch and torchvision. Limits are those of the tests, in limits.py.
"""

import os
import platform
import statistics
import subprocess
import sys

import torch

from experiments._peak import import_mb
from tools.bench.limits import (
    CELL_SECONDS,
    COURSE_SECONDS,
    IMPORT_SHARE,
    KERNEL_MB_ABOVE_IMPORT,
    LAB_MB,
    NOTEBOOK_SECONDS,
)
from tools.bench.server_memory import lab_peak
from tools.run_notebooks import NOTEBOOKS, Run, run


def import_shares(repeats: int) -> list[float]:
    """Seconds that `import course_utils` takes after torch and torchvision, as a part of theirs."""
    code = (
        "import time; a = time.perf_counter(); import torch, torchvision; b = time.perf_counter(); "
        "import course_utils; print((time.perf_counter() - b) / (b - a))"
    )
    command = [sys.executable, "-c", code]
    return [float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout) for _ in range(repeats)]


def row(name: str, done: Run, base_mb: float | None) -> str:
    """A line of the README's table."""
    memory = f"{done.peak_mb - base_mb:.0f} MB" if base_mb else "not measured"
    return f"| {name} | {done.seconds:.0f} s | {max(done.cell_seconds, default=0):.1f} s | {memory} |"


def beyond(name: str, done: Run, base_mb: float | None) -> list[str]:
    """A line for each limit that a notebook breaks."""
    measured = [
        ("seconds", done.seconds, NOTEBOOK_SECONDS),
        ("seconds in one cell", max(done.cell_seconds, default=0), CELL_SECONDS),
        ("MB above the import", done.peak_mb - base_mb if base_mb else 0, KERNEL_MB_ABOVE_IMPORT),
    ]
    return [f"{name}: {value:.0f} {what}; the limit is {limit}" for what, value, limit in measured if value > limit]


def main() -> int:
    """Measure, print the table line by line, and return the exit code."""
    linux = sys.platform == "linux"  # memory is read from /proc
    base_mb = import_mb() if linux else None
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, PyTorch {torch.__version__}, ", end="")
    print(f"{torch.get_num_threads()} threads\n\n| Notebook | Time | Slowest cell | Memory above the import |")
    print("|---|--:|--:|--:|", flush=True)
    problems, total = [], 0.0
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        done = run(path)
        total += done.seconds
        problems += beyond(path.stem, done, base_mb)
        print(row(path.stem[:2], done, base_mb), flush=True)
    print(f"| all | {total:.0f} s | | |\n")
    if total > COURSE_SECONDS:
        problems.append(f"all notebooks: {total:.0f} seconds; the limit is {COURSE_SECONDS}")
    share = statistics.median(import_shares(5))
    print(f"import course_utils adds {share:.1%} to the time of import torch, torchvision")
    if share > IMPORT_SHARE:
        problems.append(f"import course_utils adds {share:.1%}; the limit is {IMPORT_SHARE:.0%}")
    if linux:
        lab_mb = lab_peak()
        print(f"memory: import torch, torchvision {base_mb:.0f} MB; JupyterLab without kernels {lab_mb:.0f} MB")
        if lab_mb > LAB_MB:
            problems.append(f"JupyterLab: {lab_mb:.0f} MB; the limit is {LAB_MB}")
    print("\n".join(problems or ["within all limits"]))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
