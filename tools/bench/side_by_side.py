"""The tutorial's script and PyTorch's example against the course's recipes: python -m tools.bench.side_by_side

A quarter of an hour on two cores. Runs experiments/recipes.py, which stores its results, prints their table as
docs/benchmarks.md has it, and adds the run to those of the same recipes before it. The exit code is 1 if a target was
missed.
"""

import json
import statistics
import sys

from course_utils import evidence
from course_utils.recipes import REFERENCE
from experiments.__main__ import main as run_experiments

# At most this part of the reference's time, at least this mean accuracy, at most so many parameters.
TARGETS = {
    "original": (0.44, 0.977, 28_938),
    "modern": (0.36, 0.993, 30_000),
    "quick": (0.04, 0.977, 30_000),
    "ninety-nine": (0.18, 0.99, 30_000),
    "best": (1.8, 0.996, 100_000),
}
PASSED = "bench_runs"  # the file that keeps what each run came to
COLUMNS = (
    "Recipe",
    "Trained in",
    "Seconds",
    "Of the reference's time",
    "Test accuracy, %",
    "Parameters",
    "Peak memory, MB",
    "GFLOP/s",
)


def main() -> int:
    """Measure, store, print, and return the exit code."""
    if failed := run_experiments(["recipes"]):
        return failed
    stored = evidence.load("recipes")
    results = stored["results"]
    rows = summary(results)
    keep(stored, rows)
    sentences = reference_time(results), machine_speed(results), at_best(results)
    print(evidence.how_made(stored), "", *table(rows), "", *sentences, sep="\n")
    print(*(missed(rows) or ["all targets reached"]), sep="\n")
    return int(bool(missed(rows)))


def keep(stored: dict, rows: dict[str, dict]) -> None:
    """Add a run and its summary to those before it; to none, where recipes or targets were others."""
    settings = json.loads(json.dumps({"targets": TARGETS, "experiments": stored["settings"]["experiments"]}))
    reached = {
        name: {"ratio": rows[name]["ratio"][0], "test_accuracy": rows[name]["test_accuracy"][0]} for name in TARGETS
    }
    run = {
        "date": stored["made"]["date"],
        "seeds": stored["settings"]["seeds"],
        "reached": reached,
        "missed": missed(rows),
    }
    try:
        before = evidence.load(PASSED)
    except FileNotFoundError:
        before = {"settings": None}
    earlier = before["results"] if before["settings"] == settings else []
    evidence.store(PASSED, settings, [*earlier, run], stored["made"]["seconds"], stored["made"]["code"])


def last_runs(runs: list[dict], count: int = 3) -> list[str]:
    """A Markdown table of the last runs, and a line for each target that one of them missed."""
    lines = [f"| Date | Seeds | {' | '.join(TARGETS)} |", "|---|---" + "|--:" * len(TARGETS) + "|"]
    wrong = []
    for run in runs[-count:]:
        seeds = f"{min(run['seeds'])}-{max(run['seeds'])}"
        cells = [f"{row['ratio']:.3f}, {100 * row['test_accuracy']:.2f} %" for row in map(run["reached"].get, TARGETS)]
        lines.append(f"| {run['date']} | {seeds} | {' | '.join(cells)} |")
        wrong += [f"- Seeds {seeds}: {line}" for line in run["missed"]]
    return [*lines, "", *(wrong or ["In each of them all targets were reached."])]


def summary(runs: list[dict]) -> dict[str, dict]:
    """For each recipe the median of seconds, memory and speed, the mean accuracy, and lowest and highest of each.

    `ratio` is the median, over the seeds, of a run's seconds to those of the reference with the same seed, which ran in
    the same minutes. `speed` is how many multiplications and additions a second its convolutions and matrix products
    made, over all of its seconds.
    """
    reference = {run["seed"]: run["seconds"] for run in runs if run["recipe"] == REFERENCE}
    rows = {}
    for name in dict.fromkeys(run["recipe"] for run in runs):
        its_runs = [run for run in runs if run["recipe"] == name]
        accuracy = [run["test_accuracy"] for run in its_runs]
        memory = [run["peak_mb"] for run in its_runs]
        rows[name] = {
            "arithmetic": its_runs[0]["arithmetic"],
            "seconds": _middle([run["seconds"] for run in its_runs]),
            "ratio": _middle([run["seconds"] / reference[run["seed"]] for run in its_runs]),
            "test_accuracy": (statistics.mean(accuracy), min(accuracy), max(accuracy)),
            "parameters": its_runs[0]["parameters"],
            "peak_mb": _middle(memory) if all(memory) else None,
            "speed": _middle([run["flop"] / run["seconds"] for run in its_runs]),
        }
    return rows


def _middle(values: list[float]) -> tuple[float, float, float]:
    """Median, lowest and highest."""
    return statistics.median(values), min(values), max(values)


def table(rows: dict[str, dict]) -> list[str]:
    """The summary as lines of a Markdown table: middle value, and lowest to highest in brackets."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|---" + "|--:" * (len(COLUMNS) - 2) + "|"]
    for name, row in rows.items():
        cells = [
            name,
            row["arithmetic"],
            "{:.1f} ({:.1f}-{:.1f})".format(*row["seconds"]),
            "{:.3f} ({:.2f}-{:.2f})".format(*row["ratio"]),
            "{:.2f} ({:.2f}-{:.2f})".format(*(100 * value for value in row["test_accuracy"])),
            f"{row['parameters']:,}",
            "not measured" if row["peak_mb"] is None else f"{row['peak_mb'][0]:.0f}",
            f"{row['speed'][0] / 1e9:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def missed(rows: dict[str, dict]) -> list[str]:
    """A line for each target that was not reached."""
    lines = []
    for name, (most_time, least_accuracy, most_parameters) in TARGETS.items():
        row = rows[name]
        ratio, accuracy, parameters = row["ratio"][0], row["test_accuracy"][0], row["parameters"]
        if ratio > most_time:
            lines.append(f"{name}: {ratio:.3f} of the reference's time; the target is at most {most_time:g}")
        if accuracy < least_accuracy:
            lines.append(f"{name}: {accuracy:.3%} accuracy; the target is at least {least_accuracy:.2%}")
        if parameters > most_parameters:
            lines.append(f"{name}: {parameters:,} parameters; the target is at most {most_parameters:,}")
    return lines


def reference_time(runs: list[dict]) -> str:
    """A sentence with the median, over the seeds, of each part of the reference's seconds."""
    parts = [run["parts"] for run in runs if run["recipe"] == REFERENCE]
    load, learn, watch = (statistics.median(seconds[part] for seconds in parts) for part in ("load", "learn", "watch"))
    return f"The reference's time: {load:.1f} s to load, {learn:.1f} s to learn, {watch:.1f} s to watch."


def machine_speed(runs: list[dict]) -> str:
    """A sentence with the speeds at which this machine multiplies large matrices, to hold the last column against."""
    speeds = {
        arithmetic: "{:.0f} GFLOP/s ({:.0f}-{:.0f})".format(*(value / 1e9 for value in speed))
        for arithmetic, speed in _matrix_speeds(runs).items()
    }
    return (
        "After each run the same process multiplied two large matrices of the numbers that it had trained in: "
        f"{', '.join(f'{arithmetic} at {speed}' for arithmetic, speed in speeds.items())}."
    )


def at_best(runs: list[dict]) -> str:
    """A sentence with what part of the reference's time the counted operations would take at that speed throughout."""
    speeds = {arithmetic: speed[0] for arithmetic, speed in _matrix_speeds(runs).items()}
    rows = {name: row for name, row in summary(runs).items() if name in TARGETS}
    parts = [
        f"{name} {row['ratio'][0] * row['speed'][0] / speeds[row['arithmetic']]:.2f}" for name, row in rows.items()
    ]
    return (
        "If it made its convolutions and matrix products at that speed, and nothing else, a recipe would take, of the "
        f"reference's time: {', '.join(parts)}."
    )


def _matrix_speeds(runs: list[dict]) -> dict[str, tuple[float, float, float]]:
    """For each kind of numbers median, lowest and highest of the runs that trained in it."""
    kinds = dict.fromkeys(run["arithmetic"] for run in runs)
    return {
        kind: _middle([run["matrix_flop_per_second"] for run in runs if run["arithmetic"] == kind]) for kind in kinds
    }


if __name__ == "__main__":
    sys.exit(main())
