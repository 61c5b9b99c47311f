"""Peak resident memory of processes, in MB. Linux only: it is VmHWM in /proc/PID/status."""

import subprocess
import sys
from functools import cache
from pathlib import Path


def peak_mb(pid: int | str) -> float:
    """Largest resident memory that a process has had so far."""
    return _from_status(Path(f"/proc/{pid}/status").read_text())


@cache
def import_mb() -> float:
    """The same for a Python that has imported torch and torchvision, and nothing else."""
    code = "import torch, torchvision; print(open('/proc/self/status').read())"
    return _from_status(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def _from_status(status: str) -> float:
    return int(status.split("VmHWM:")[1].split()[0]) / 1024  # the file counts in KiB
