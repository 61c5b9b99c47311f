"""The original tutorial's script against the course's recipes: python tests/benchmarks/side_by_side.py

Six minutes on two cores. Runs evidence/recipes.py, which writes evidence/recipes.json, prints its table, and
draws docs/recipes.png: accuracy against time.
"""

import statistics
import sys
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from course_utils import evidence, plots

ROOT = Path(__file__).resolve().parent.parent.parent
FIGURE = ROOT / "docs" / "recipes.png"
REFERENCE = "reference"
# At most this part of the reference's time, at least this mean accuracy, at most so many parameters.
TARGETS = {
    "original": (0.45, 0.977, 28_938),
    "modern": (0.40, 0.993, 30_000),
    "quick": (0.05, 0.977, 30_000),
    "best": (2.0, 0.996, 100_000),
}


def summary(results: list[dict]) -> dict[str, dict]:
    """For each recipe the median of seconds, memory and speed, the mean accuracy, and lowest and highest of each.

    `ratio` is the median, over the seeds, of a run's seconds to those of the reference with the same seed, which ran
    in the same minutes. `share` is how much of the speed of a large matrix product training reached, 0..1.
    """
    by_name: dict[str, list[dict]] = {}
    for run in results:
        by_name.setdefault(run["recipe"], []).append(run)
    reference = {run["seed"]: run["seconds"] for run in by_name[REFERENCE]}
    table = {}
    for name, runs in by_name.items():
        columns = {
            "seconds": [run["seconds"] for run in runs],
            "ratio": [run["seconds"] / reference[run["seed"]] for run in runs],
            "test_accuracy": [run["test_accuracy"] for run in runs],
            "share": [run["flop"] / run["seconds"] / run["matrix_flop_per_second"] for run in runs],
        }
        if all(run["peak_mb"] for run in runs):
            columns["peak_mb"] = [run["peak_mb"] for run in runs]
        row = {"parameters": runs[0]["parameters"], "seeds": len(runs)}
        for column, values in columns.items():
            middle = statistics.mean if column == "test_accuracy" else statistics.median
            row[column] = (middle(values), min(values), max(values))
        table[name] = row
    return table


def missed(table: dict[str, dict]) -> list[str]:
    """A line for each target that was not reached."""
    lines = []
    for name, (ratio, accuracy, parameters) in TARGETS.items():
        row = table[name]
        if row["ratio"][0] > ratio:
            lines.append(f"{name}: {row['ratio'][0]:.2f} of the reference's time; the target is at most {ratio:g}")
        if row["test_accuracy"][0] < accuracy:
            lines.append(f"{name}: {row['test_accuracy'][0]:.2%} accuracy; the target is at least {accuracy:.2%}")
        if row["parameters"] > parameters:
            lines.append(f"{name}: {row['parameters']:,} parameters; the target is at most {parameters:,}")
    return lines


def report(table: dict[str, dict]) -> str:
    """The summary as lines: middle value, and lowest to highest in brackets."""
    lines = [f"{'':<10}{'seconds':>22}{'of reference':>20}{'accuracy, %':>24}{'parameters':>12}{'MB':>7}{'share':>7}"]
    for name, row in table.items():
        seconds, ratio, accuracy = row["seconds"], row["ratio"], [100 * value for value in row["test_accuracy"]]
        memory = f"{row['peak_mb'][0]:.0f}" if "peak_mb" in row else "?"
        lines.append(
            f"{name:<10}"
            + f"{seconds[0]:.1f} ({seconds[1]:.1f} to {seconds[2]:.1f})".rjust(22)
            + f"{ratio[0]:.3f} ({ratio[1]:.2f}-{ratio[2]:.2f})".rjust(20)
            + f"{accuracy[0]:.2f} ({accuracy[1]:.2f} to {accuracy[2]:.2f})".rjust(24)
            + f"{row['parameters']:,}".rjust(12)
            + memory.rjust(7)
            + f"{row['share'][0]:.0%}".rjust(7)
        )
    return "\n".join(lines)


def figure(results: list[dict]) -> Figure:
    """Accuracy on all 10,000 test images against seconds, a dot for each run."""
    plots.use_style()
    drawing, axes = plt.subplots(figsize=(8, 4))
    for number, name in enumerate(dict.fromkeys(run["recipe"] for run in results)):
        runs = [run for run in results if run["recipe"] == name]
        seconds, accuracy = [run["seconds"] for run in runs], [100 * run["test_accuracy"] for run in runs]
        axes.plot(seconds, accuracy, "osD^v"[number], alpha=0.7, label=name)
        axes.annotate(
            name, (statistics.median(seconds), max(accuracy)), (0, 7), textcoords="offset points", ha="center"
        )
    threads = results[0]["threads"]
    axes.set(xscale="log", xlabel=f"seconds of training, PyTorch threads: {threads}", ylabel="test accuracy, %")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.15, y=0.2)
    return drawing


def main() -> int:
    """Measure, store, print and draw; the exit code is 1 if a target was missed."""
    sys.path.insert(0, str(evidence.FOLDER))
    from make_evidence import main as make_evidence

    make_evidence(["recipes"])
    stored = evidence.load("recipes")
    table = summary(stored["results"])
    print(evidence.how_made(stored), report(table), *(missed(table) or ["all targets reached"]), sep="\n")
    figure(stored["results"]).savefig(FIGURE, bbox_inches="tight")
    return int(bool(missed(table)))


if __name__ == "__main__":
    sys.exit(main())
