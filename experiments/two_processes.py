"""Notebook 10: what a training step costs one process and two, and what it costs them to share a gradient."""

import torch

from course_utils import step_costs

ONE_PROCESS = {1: "1 process, 1 thread", 2: "1 process, 2 threads"}
TWO_PROCESSES = "2 processes, 1 thread each"
SETTINGS = {
    "batch": 64,
    "widths": {"convolutional": [4, 8, 16, 32, 64], "dense": [8, 32, 128, 512, 2048]},
    "rounds": 7,
}


def run() -> dict:
    """Milliseconds: for each way to use two cores those of every round, for each network the shortest of all rounds."""
    assert SETTINGS["widths"] == {kind: list(widths) for kind, widths in step_costs.WIDTHS.items()}
    ways = {name: [] for name in (*ONE_PROCESS.values(), TWO_PROCESSES)}
    costs = []
    before = torch.get_num_threads()
    for _ in range(SETTINGS["rounds"]):  # interleaved, so that a slow minute hits all ways alike
        for threads, name in ONE_PROCESS.items():
            torch.set_num_threads(threads)
            ways[name].append(_rounded(step_costs.step_times(SETTINGS["batch"])))
        measured = step_costs.in_two_processes("costs", "step times")
        ways[TWO_PROCESSES].append(_rounded(measured["step times"]))
        costs.append(measured["costs"])
    torch.set_num_threads(before)
    shortest = {
        kind: [_shortest(rows) for rows in zip(*(measured[kind] for measured in costs), strict=True)]
        for kind in SETTINGS["widths"]
    }
    return {"ways": ways, "costs": shortest}


def _rounded(times: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in times.items()}


def _shortest(times: list[dict[str, float]]) -> dict[str, float]:
    return _rounded({name: min(row[name] for row in times) for name in times[0]})
