"""How little training reads 99 % of the test images? Chosen over several seeds on the validation images.

The rule: `ninety-nine` is the candidate that takes the least time, in the median, among those whose mean is at least
98.87 %. All answer with the mean of nine views. The validation images are harder than the test images: earlier choices,
of one view, with 98.70, 98.75, 98.84 and 98.88 % of them, read 98.998, 98.96, 99.05 and 99.21 % of the others; the
first two missed the 99 % that `make bench` asks for, the others its time. A first choice of nine views, in batches of
64, was 0.55 epochs, by a limit of 98.85 %: too near to its time again, so that larger batches are tried here. Whether
99 % is reached there, seeds decide that were not used here.
"""

from dataclasses import replace

from course_utils import load_mnist
from course_utils.recipes import EXPERIMENTS, NINETY_NINE, Experiment
from experiments._common import quickest, tried

THREADS = 2  # as in `make bench`
LEAST_ACCURACY = 0.9887
CANDIDATES = [
    replace(
        EXPERIMENTS["ninety-nine"],
        recipe=replace(
            NINETY_NINE,
            name=f"{epochs} epochs, {size} a batch",
            epochs=epochs,
            batch_size=size,
            learning_rate=rate,
        ),
    )
    for size, rate in ((64, 0.015), (96, 0.02), (128, 0.025))
    for epochs in (0.5, 0.55, 0.6)
]
SETTINGS = {
    "candidates": [candidate.settings() for candidate in CANDIDATES],
    "seeds": list(range(83, 95)),
    "least_accuracy": LEAST_ACCURACY,
}


def run() -> list[dict]:
    """For each candidate and seed validation accuracy and seconds."""
    return tried(CANDIDATES, SETTINGS["seeds"], load_mnist())


def chosen(results: list[dict]) -> Experiment:
    """What the rule chooses."""
    return quickest(CANDIDATES, results, LEAST_ACCURACY)
