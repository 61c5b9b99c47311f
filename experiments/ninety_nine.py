"""How little training reads 99 % of the test images? Chosen over several seeds on the validation images.

The rule: `ninety-nine` is the candidate that trains on the fewest images among those whose mean is at least 98.75 %; of
two with as many, the one with the larger batch, which makes fewer steps. The validation images are harder than the test
images: 0.45 of an epoch in float32, which an earlier run of this experiment chose with 98.7 %, read 98.998 % of the
others. Whether 99 % is reached there, seeds decide that were not used here. The rate was found in trials on the
validation images, between 0.005 and 0.015.
"""

from dataclasses import replace

from course_utils import load_mnist
from course_utils.recipes import EXPERIMENTS, NINETY_NINE, Experiment
from experiments._common import mean_accuracy, tried

LEAST_ACCURACY = 0.9875
CANDIDATES = [
    replace(
        EXPERIMENTS["ninety-nine"],
        recipe=replace(NINETY_NINE, name=f"{epochs} epochs, {size} a batch", batch_size=size, epochs=epochs),
    )
    for epochs in (0.45, 0.5, 0.55, 0.6)
    for size in (48, 64)
]
SETTINGS = {
    "candidates": [candidate.settings() for candidate in CANDIDATES],
    "seeds": list(range(31, 39)),
    "least_accuracy": LEAST_ACCURACY,
}


def run() -> list[dict]:
    """For each candidate and seed validation accuracy and seconds."""
    return tried(CANDIDATES, SETTINGS["seeds"], load_mnist())


def chosen(results: list[dict]) -> Experiment:
    """What the rule chooses."""
    good = [candidate for candidate in CANDIDATES if mean_accuracy(results, candidate) >= LEAST_ACCURACY]
    if not good:
        raise ValueError(f"no candidate reaches {LEAST_ACCURACY:.1%} on the validation images: add longer ones")
    return min(good, key=lambda candidate: (candidate.recipe.epochs, -candidate.recipe.batch_size))
