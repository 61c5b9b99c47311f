"""Peak resident memory of the JupyterLab server, used as a learner's browser uses it. Linux only."""

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from experiments._peak import peak_mb
from tools.bench.limits import HANG_SECONDS
from tools.run_notebooks import NOTEBOOKS


def lab_peak() -> float:
    """The JupyterLab server, without its kernels, after a learner opened the first notebook and its kernel started."""
    token = secrets.token_hex()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as settings:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"],
            cwd=NOTEBOOKS.parent,
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

    deadline = time.monotonic() + HANG_SECONDS
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
