"""What `make bench` measured, in short: the tutorial's script as reference, and the course's recipes beside it."""

import statistics
from itertools import cycle

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from course_utils.recipes import REFERENCE


def summary(runs: list[dict]) -> dict[str, dict]:
    """For each recipe the median of seconds, memory and speed, the mean accuracy, and lowest and highest of each.

    `runs` are the results stored as evidence "recipes". `ratio` is the median, over the seeds, of a run's seconds to
    those of the reference with the same seed, which ran in the same minutes. `share` is the speed of a run's arithmetic
    as a part of that of a large matrix product, a yardstick that it may exceed.
    """
    by_name = _by_recipe(runs)
    reference = {run["seed"]: run["seconds"] for run in by_name[REFERENCE]}
    table = {}
    for name, its_runs in by_name.items():
        columns = {
            "seconds": [run["seconds"] for run in its_runs],
            "ratio": [run["seconds"] / reference[run["seed"]] for run in its_runs],
            "test_accuracy": [run["test_accuracy"] for run in its_runs],
            "share": [run["flop"] / run["seconds"] / run["matrix_flop_per_second"] for run in its_runs],
        }
        if all(run["peak_mb"] for run in its_runs):
            columns["peak_mb"] = [run["peak_mb"] for run in its_runs]
        row = {"parameters": its_runs[0]["parameters"]}
        for column, values in columns.items():
            middle = statistics.mean if column == "test_accuracy" else statistics.median
            row[column] = (middle(values), min(values), max(values))
        table[name] = row
    return table


def figure(runs: list[dict]) -> Figure:
    """Accuracy on all 10,000 test images against seconds, a mark for each run."""
    drawing, axes = plt.subplots(figsize=(8, 4))
    for (name, its_runs), marker in zip(_by_recipe(runs).items(), cycle("osD^v"), strict=False):
        seconds, accuracy = [run["seconds"] for run in its_runs], [100 * run["test_accuracy"] for run in its_runs]
        axes.plot(seconds, accuracy, marker, alpha=0.7)
        axes.annotate(
            name, (statistics.median(seconds), max(accuracy)), (0, 7), textcoords="offset points", ha="center"
        )
    threads = runs[0]["threads"]
    axes.set(xscale="log", xlabel=f"seconds of training, PyTorch threads: {threads}", ylabel="test accuracy, %")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.15, y=0.2)
    return drawing


def _by_recipe(runs: list[dict]) -> dict[str, list[dict]]:
    by_name = {}
    for run in runs:
        by_name.setdefault(run["recipe"], []).append(run)
    return by_name
