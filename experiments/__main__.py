"""Repeat the experiments of this folder and store their results: python -m experiments [NAME ...] (all if none).

Each NAME.py here holds one experiment: `SETTINGS`, all that decides its result, and `run()`, which returns what goes
into results/NAME.json beside them; `THREADS` where it needs more than one. A test fails when the SETTINGS in code and
file differ.
"""

import importlib
import sys
import time
from pathlib import Path

from course_utils import evidence, threads

EXPERIMENTS = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


def main(names: list[str]) -> int:
    """Run the named experiments, or all, and return the exit code."""
    if unknown := sorted(set(names) - set(EXPERIMENTS)):
        print(f"no experiment named {', '.join(unknown)}; there are {', '.join(EXPERIMENTS)}", file=sys.stderr)
        return 2
    for name in names or EXPERIMENTS:
        experiment = importlib.import_module(f"experiments.{name}")
        print(f"{name}: {experiment.__doc__.splitlines()[0]}", flush=True)
        threads.choose(getattr(experiment, "THREADS", 1))
        start = time.perf_counter()
        results = experiment.run()
        evidence.store(name, experiment.SETTINGS, results, time.perf_counter() - start)
        print(f"{name}: stored after {time.perf_counter() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
