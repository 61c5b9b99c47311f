"""The original tutorial's script against the course's recipes: python -m tools.bench.side_by_side

Some minutes on two cores. Runs experiments/recipes.py, which stores its results, prints their table as the README has
it, and draws docs/recipes.png: accuracy against time.
"""

import statistics
import sys
from pathlib import Path

from course_utils import evidence, plots
from course_utils.bench import figure, summary
from course_utils.recipes import REFERENCE
from experiments.__main__ import main as run_experiments

ROOT = Path(__file__).resolve().parent.parent.parent
FIGURE = ROOT / "docs" / "recipes.png"
# At most this part of the reference's time, at least this mean accuracy, at most so many parameters.
TARGETS = {
    "original": (0.45, 0.977, 28_938),
    "modern": (0.40, 0.993, 30_000),
    "quick": (0.05, 0.977, 30_000),
    "best": (2.0, 0.996, 100_000),
}
COLUMNS = ("Recipe", "Seconds", "Of the reference's time", "Test accuracy, %", "Parameters", "Peak memory, MB", "Share")


def missed(table: dict[str, dict]) -> list[str]:
    """A line for each target that was not reached."""
    lines = []
    for name, (ratio, accuracy, parameters) in TARGETS.items():
        row = table[name]
        if row["ratio"][0] > ratio:
            lines.append(f"{name}: {row['ratio'][0]:.3f} of the reference's time; the target is at most {ratio:g}")
        if row["test_accuracy"][0] < accuracy:
            lines.append(f"{name}: {row['test_accuracy'][0]:.2%} accuracy; the target is at least {accuracy:.2%}")
        if row["parameters"] > parameters:
            lines.append(f"{name}: {row['parameters']:,} parameters; the target is at most {parameters:,}")
    return lines


def report(table: dict[str, dict]) -> list[str]:
    """The summary as lines of a Markdown table: middle value, and lowest to highest in brackets."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" + "|--:" * (len(COLUMNS) - 1) + "|"]
    for name, row in table.items():
        cells = [
            name,
            "{:.1f} ({:.1f}-{:.1f})".format(*row["seconds"]),
            "{:.3f} ({:.2f}-{:.2f})".format(*row["ratio"]),
            "{:.2f} ({:.2f}-{:.2f})".format(*(100 * value for value in row["test_accuracy"])),
            f"{row['parameters']:,}",
            f"{row['peak_mb'][0]:.0f}" if "peak_mb" in row else "not measured",
            f"{row['share'][0]:.0%}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def where_the_references_time_went(runs: list[dict]) -> str:
    """A sentence with the median, over the seeds, of each part of the reference's seconds."""
    parts = [run["parts"] for run in runs if run["recipe"] == REFERENCE]
    load, learn, watch = (statistics.median(seconds[part] for seconds in parts) for part in ("load", "learn", "watch"))
    return f"The reference's time: {load:.1f} s to load, {learn:.1f} s to learn, {watch:.1f} s to watch."


def main() -> int:
    """Measure, store, print and draw; the exit code is 1 if a target was missed."""
    if failed := run_experiments(["recipes"]):
        return failed
    stored = evidence.load("recipes")
    table = summary(stored["results"])
    print(evidence.how_made(stored), "", *report(table), "", sep="\n")
    print(where_the_references_time_went(stored["results"]))
    print(*(missed(table) or ["all targets reached"]), sep="\n")
    plots.use_style()
    figure(stored["results"]).savefig(FIGURE, bbox_inches="tight")
    return int(bool(missed(table)))


if __name__ == "__main__":
    sys.exit(main())
