"""How little training reads 99 % of the test images? Chosen over several seeds on the validation images.

The rule: `ninety-nine` is the candidate that takes the least time, in the median, among those whose mean is at least
98.85 %. The validation images are harder than the test images: two earlier choices, the fewest images with 98.7 and
98.75 %, read 98.998 and 98.96 % of the others, in batches of 48, which cost a tenth more by the image than larger ones.
Whether 99 % is reached there, seeds decide that were not used here.
"""

from dataclasses import replace

from course_utils import load_mnist
from course_utils.recipes import EXPERIMENTS, NINETY_NINE, Experiment
from experiments._common import quickest, tried

THREADS = 2  # as in `make bench`
LEAST_ACCURACY = 0.9885
CANDIDATES = [
    replace(
        EXPERIMENTS["ninety-nine"],
        recipe=replace(
            NINETY_NINE,
            name=f"{epochs} epochs, {size} a batch, rate {rate}",
            batch_size=size,
            epochs=epochs,
            learning_rate=rate,
        ),
    )
    for size, lengths in ((64, (0.6, 0.7)), (96, (0.7, 0.8)))
    for epochs in lengths
    for rate in (0.01, 0.015)
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
    return quickest(CANDIDATES, results, LEAST_ACCURACY)
