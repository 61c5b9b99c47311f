"""Repeat the experiments of this folder and store their results: python -m experiments [NAME ...] (all if none).

Each NAME.py here holds one experiment: `SETTINGS`, all that decides its result, and `run()`, which returns what goes
into results/NAME.json beside them; `THREADS` where it needs more than one. A test fails when the SETTINGS in code and
file differ. Those that judge a claim on a second data set too are named after it there: sharing-fashion. What a result
needs is found out before the work: a commit that made it, and a place to write it to.
"""

import importlib
import json
import sys
import time
from pathlib import Path

from course_utils import claims, evidence, threads
from course_utils.files import check_writable
from course_utils.streams import unfailing_output
from experiments._claims import TRAVELLING, settings_of

SECOND = "fashion"  # the data set that TRAVELLING experiments run on besides MNIST, as NAME-fashion
EXPERIMENTS = sorted(
    [path.stem for path in Path(__file__).parent.glob("[!_]*.py")] + [f"{name}-{SECOND}" for name in TRAVELLING]
)
BAD_USE, FAILED, INTERRUPTED = 2, 1, 130  # exit codes


def main(names: list[str]) -> int:
    """Run the named experiments, or all, and return the exit code."""
    if unknown := sorted(set(names) - set(EXPERIMENTS)):
        print(f"no experiment named {', '.join(unknown)}; there are {', '.join(EXPERIMENTS)}", file=sys.stderr)
        return BAD_USE
    names = names or EXPERIMENTS
    try:
        code = evidence.code_version()
        for name in names:
            check_writable(evidence.folder() / f"{name}.json")
    except (evidence.UncommittedChanges, OSError) as error:
        print(f"nothing was run: {error}", file=sys.stderr)
        return BAD_USE
    if code.startswith("unknown"):
        print(f"The results will not name the commit that made them, but say {code!r}.", flush=True)
    return _run_all(names, code)


def _run_all(names: list[str], code: str) -> int:
    stored = []
    for place, name in enumerate(names):
        try:
            stored.append(_run(name, code))
        except KeyboardInterrupt:
            print(f"Interrupted. The rest: python -m experiments {' '.join(names[place:])}", file=sys.stderr)
            return INTERRUPTED
    return 0 if all(stored) else FAILED


def _run(name: str, code: str) -> bool:
    """Run one and store it; where that fails, print what was computed. Was it stored?"""
    stem, _, data = name.partition("-")
    experiment = importlib.import_module(f"experiments.{stem}")
    print(f"{name}: {experiment.__doc__.splitlines()[0]}", flush=True)
    threads.choose(getattr(experiment, "THREADS", 1))
    rule = claims.rule_hash(experiment.CLAIM) if hasattr(experiment, "CLAIM") else None
    start = time.perf_counter()
    results = experiment.run(data) if data else experiment.run()
    seconds = time.perf_counter() - start
    try:
        evidence.store(name, settings_of(experiment, data or "mnist"), results, seconds, code, rule)
    except OSError as error:
        print(json.dumps(results))
        print(f"{name}: not stored ({error}); the results are printed above", file=sys.stderr)
        return False
    print(f"{name}: stored after {seconds:.0f} s", flush=True)
    return True


if __name__ == "__main__":
    with unfailing_output():
        code = main(sys.argv[1:])
    sys.exit(code)
