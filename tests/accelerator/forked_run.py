"""Stands in for torchrun: the processes are forks of one that has imported PyTorch, and are there at once.

That torchrun itself starts them, and what it says and does when one dies, the tests of the outputs show, and
tests/unit/test_distributed.py.
"""

import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

START = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
PRELOADED = ["torch._dynamo", "course_utils"]


def torchrun(arguments: list[str], processes: int = 2) -> subprocess.CompletedProcess:
    """As `course_utils.distributed.torchrun`. Each process has the environment of the first run's caller."""
    START.set_forkserver_preload(PRELOADED)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with TemporaryDirectory() as folder:
        ranks = [
            START.Process(target=_run, args=(arguments, rank, processes, port, Path(folder)))
            for rank in range(processes)
        ]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join()
        written = (sorted(Path(folder).glob(f"{name}*")) for name in ("out", "err"))
        out, err = ("".join(path.read_text() for path in paths) for paths in written)
    return subprocess.CompletedProcess(arguments, max(abs(process.exitcode) for process in ranks), out, err)


def write_to(out: Path, err: Path) -> None:
    """From now on, what this process says goes into these files, which may be one, whoever in it writes."""
    for path, stream in ((out, sys.__stdout__), (err, sys.__stderr__)):
        with path.open("ab") as file:
            os.dup2(file.fileno(), stream.fileno())
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def _run(arguments: list[str], rank: int, processes: int, port: int, folder: Path) -> None:
    write_to(folder / f"out{rank}", folder / f"err{rank}")
    ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    os.environ |= {name: str(value) for name, value in ranks.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "forked"}
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(sys.argv[0], run_name="__main__")
