"""Peak resident memory of a kernel after each notebook, and of the JupyterLab server. Exit code 1 above a limit.

Linux only: the peak is VmHWM in /proc/PID/status. Unit and kernel limit are those of the tests, in conftest.py.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import nbformat
import torch
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
from conftest import KERNEL_MB_ABOVE_IMPORT, import_mb, peak_mb  # noqa: E402

LAB_LIMIT = 250  # MB; Binder gives the server and one kernel 2 GB together


def kernel_peak(path: Path) -> float:
    """A fresh kernel that has run all cells of a notebook."""
    manager = KernelManager(kernel_name="python3")  # a manager of our own, so that the kernel is still there afterwards
    resources = {"metadata": {"path": str(path.parent)}}
    try:
        NotebookClient(nbformat.read(path, as_version=4), km=manager, timeout=600, resources=resources).execute()
        return peak_mb(manager.provisioner.pid)
    finally:
        manager.shutdown_kernel(now=True)


def lab_peak() -> float:
    """The JupyterLab server, without its kernels, after a learner opened the first notebook and its kernel started."""
    token = secrets.token_hex()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as settings:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"],
            cwd=ROOT,
            env={**os.environ, "JUPYTER_TOKEN": token, "JUPYTER_CONFIG_DIR": settings, "JUPYTER_RUNTIME_DIR": settings},
            stderr=subprocess.DEVNULL,
        )
        try:
            return _peak_in_use(server, f"http://127.0.0.1:{port}", token)
        finally:
            server.terminate()
            server.wait(timeout=30)


def _peak_in_use(server: subprocess.Popen, url: str, token: str) -> float:
    def ask(path: str, method: str = "GET", body: dict | None = None) -> bytes:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url + path, content, headers, method=method)) as answer:
            return answer.read()

    deadline = time.monotonic() + 60
    while True:
        try:
            ask("/api/status")
            break
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    first = "notebooks/00_start_here.ipynb"
    # What a browser asks for when it opens JupyterLab on a notebook.
    for path in (f"/lab/tree/{first}", "/lab/api/settings", "/lab/api/translations", "/api/kernelspecs"):
        ask(path)
    ask("/api/contents/notebooks?content=1")
    ask(f"/api/contents/{first}?content=1")
    kernel = json.loads(ask("/api/kernels", "POST", {"name": "python3"}))["id"]
    time.sleep(5)  # until the kernel is up and the server has dealt with it
    memory = peak_mb(server.pid)
    ask(f"/api/kernels/{kernel}", "DELETE")
    return memory


def main() -> int:
    """Measure, print a line for each process, and return the exit code."""
    if sys.platform != "linux":
        print("memory.py reads /proc, which only Linux has: nothing measured")
        return 0
    base = import_mb()
    print(f"peak resident memory, MB\n{'import torch, torchvision':<44} {base:5.0f}   torch {torch.__version__}")
    above = False
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        extra = kernel_peak(path) - base
        above |= extra > KERNEL_MB_ABOVE_IMPORT
        print(
            f"{path.name:<44} {base + extra:5.0f}   {extra:.0f} above the import; limit {KERNEL_MB_ABOVE_IMPORT}",
            flush=True,
        )
    lab = lab_peak()
    print(f"{'JupyterLab server, without kernels':<44} {lab:5.0f}   limit {LAB_LIMIT}")
    return int(above or lab > LAB_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
