"""Notebook 08: what a training step costs one process and two, and what it costs them to share a gradient."""

import importlib.util
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from course_utils import distributed

SCRIPT = Path(__file__).resolve().parent.parent / "notebooks" / "scripts" / "two_processes.py"
SETTINGS = {
    "batch": 64,
    "widths": {"convolutional": [4, 8, 16, 32, 64], "dense": [8, 32, 128, 512, 2048]},
    "launches": 4,
}


def run() -> dict:
    """Milliseconds: for each way to use two cores those of its fastest launch, for each network the shortest of all."""
    script = _imported()
    ways = {}
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        times = [script.step_times(SETTINGS["batch"]) for _ in range(SETTINGS["launches"])]
        ways[f"1 process, {threads} thread{'s'[: threads - 1]}"] = _fastest(times)
    torch.set_num_threads(before)
    launches = [_launch() for _ in range(SETTINGS["launches"])]
    ways["2 processes, 1 thread each"] = _fastest([launch["step times"] for launch in launches])
    costs = {
        kind: [_shortest(rows) for rows in zip(*(launch["costs"][kind] for launch in launches), strict=True)]
        for kind in SETTINGS["widths"]
    }
    return {"ways": ways, "costs": costs}


def _imported():
    spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert SETTINGS["widths"] == {kind: list(widths) for kind, widths in script.WIDTHS.items()}
    return script


def _launch() -> dict:
    with TemporaryDirectory() as folder:
        result = Path(folder, "result.pt")
        ended = distributed.torchrun([str(SCRIPT), str(result), "costs", "step times"])
        if ended.returncode:
            sys.exit(ended.stderr)
        return torch.load(result)


def _fastest(times: list[dict[str, float]]) -> dict[str, float]:
    """The times of one launch, since clock and processor time belong together."""
    return {name: round(value, 3) for name, value in min(times, key=lambda row: row["clock"]).items()}


def _shortest(times: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(min(row[name] for row in times), 3) for name in times[0]}
