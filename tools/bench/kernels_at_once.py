"""A notebook in one kernel, then in several at once: python -m tools.bench.kernels_at_once [COUNT] [NOTEBOOK].

Prints wall time, processor time and peak memory of each, the processes that its cells start included, and the
slowdown. Exit code 1 if a cell fails. Linux only.
"""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from threading import Event

import psutil
from jupyter_client.manager import KernelManager
from nbclient.exceptions import CellExecutionError

from tools.run_notebooks import NOTEBOOKS, fresh_kernel


def measure(path: Path) -> dict[str, float | str]:
    """Seconds, processor seconds and MB of a fresh kernel; and what failed, if a cell did."""
    start, failed = time.perf_counter(), ""
    with fresh_kernel(path) as (client, manager), ThreadPoolExecutor(1) as pool:
        ended = Event()
        memory = pool.submit(peak_of_all_mb, manager, ended)
        try:
            client.execute()
        except CellExecutionError as error:
            failed = str(error).splitlines()[-1]
        finally:
            ended.set()
        seconds = time.perf_counter() - start
        used = psutil.Process(manager.provisioner.pid).cpu_times()
        processor = used.user + used.system + used.children_user + used.children_system
        return {"seconds": seconds, "processor": processor, "memory": memory.result(), "failed": failed}


def peak_of_all_mb(manager: KernelManager, ended: Event) -> float:
    """The most that a kernel and the processes of its cells held together, looked at once a second, in MB.

    What several of them share is counted once: it is the sum of their PSS. Not more often, since a look at one process
    takes some 8 ms of a processor, and eight kernels would share what is left.
    """
    peak = 0.0
    while not ended.wait(1):
        if not manager.has_kernel:
            continue
        try:
            kernel = psutil.Process(manager.provisioner.pid)
            held = sum(each.memory_full_info().pss for each in (kernel, *kernel.children(recursive=True)))
        except psutil.NoSuchProcess:  # it ended while we looked
            continue
        peak = max(peak, held / 2**20)
    return peak


def report(name: str, runs: list[dict]) -> None:
    """One line for the kernels that ran at the same time: medians, and in brackets the largest."""
    parts = [
        f"{what} {median(run[key] for run in runs):,.0f} {unit} (at most {max(run[key] for run in runs):,.0f})"
        for what, key, unit in (("wall", "seconds", "s"), ("processor", "processor", "s"), ("memory", "memory", "MB"))
    ]
    print(f"{name:<18}", ", ".join(parts), flush=True)


def main(count: int = 8, name: str = "05_training") -> int:
    """Measure, print, and return the exit code."""
    path = NOTEBOOKS / f"{name}.ipynb"
    print(f"{name}, {os.cpu_count()} cores, load average before: {os.getloadavg()[0]:.1f}", flush=True)
    alone = [measure(path)]
    report("one kernel", alone)
    with ThreadPoolExecutor(count) as pool:
        together = list(pool.map(measure, [path] * count))
    report(f"{count} at once", together)
    print(f"slowdown: {max(each['seconds'] for each in together) / alone[0]['seconds']:.1f}")
    failed = [each["failed"] for each in alone + together if each["failed"]]
    print("\n".join(failed) or "no cell failed")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]) if sys.argv[1:] else main())
