"""How `best` changes its images and at which rate it trains, and in which batches and how long `quick`.

Chosen on validation images. The rules: `best` is the candidate with the highest mean accuracy. All train for four
epochs, in batches of 192, which cost least by the image here, and answer with the mean of nine views. (An earlier
`best`, of one view, trained for four and a half, and read 99.58 % of the test images where `make bench` asks for 99.60,
in 1.6 times the time of the tutorial's script of 1.8.) `quick` is the candidate that takes the least time, in the
median, among those whose mean accuracy is at least 97.35 %. The validation images are harder than the test images: an
earlier `quick` read 97.55 % of them and 98.0 % of the others. The candidates lie around what trials on the validation
images found.
"""

from dataclasses import replace

from course_utils import load_mnist
from course_utils.recipes import BEST, EXPERIMENTS, QUICK, Experiment
from experiments._common import mean_accuracy, quickest, tried

THREADS = 2  # as in `make bench`
LEAST_ACCURACY = 0.9735
STRENGTHS = {
    "as modern": {},
    "half as much again": {"max_rotation": 15, "max_scale": 0.15, "max_shear": 0.15, "max_shift": 1.5},
}
BEST_CANDIDATES = [
    replace(
        EXPERIMENTS["best"],
        recipe=replace(BEST, name=f"rate {rate}, changed {how}", epochs=4, learning_rate=rate, **strength),
        watch=None,
        look_every=None,
    )
    for rate in (0.01, 0.014)
    for how, strength in STRENGTHS.items()
]
QUICK_CANDIDATES = [
    replace(
        EXPERIMENTS["quick"],
        recipe=replace(QUICK, name=f"{epochs} epochs, {size} a batch", batch_size=size, epochs=epochs),
    )
    for epochs in (0.08, 0.09, 0.1)
    for size in (24, 32, 48)
]
SETTINGS = {
    "best": [candidate.settings() for candidate in BEST_CANDIDATES],
    "best_seeds": [51, 52, 53, 54, 55],
    "quick": [candidate.settings() for candidate in QUICK_CANDIDATES],
    "quick_seeds": list(range(51, 61)),
    "least_accuracy": LEAST_ACCURACY,
}


def run() -> dict[str, list[dict]]:
    """For each candidate and seed validation accuracy and seconds."""
    mnist = load_mnist()
    return {
        "quick": tried(QUICK_CANDIDATES, SETTINGS["quick_seeds"], mnist),
        "best": tried(BEST_CANDIDATES, SETTINGS["best_seeds"], mnist),
    }


def chosen(results: dict[str, list[dict]]) -> dict[str, Experiment]:
    """What the two rules above choose."""
    return {
        "best": max(BEST_CANDIDATES, key=lambda one: mean_accuracy(results["best"], one)),
        "quick": quickest(QUICK_CANDIDATES, results["quick"], LEAST_ACCURACY),
    }
