"""How little training reads 99 % of the test images? Chosen over several seeds on the validation images.

The rule: `ninety-nine` is the candidate that trains on the fewest images among those whose mean is at least 98.7 %; of
two with as many, the one with the larger batch, which makes fewer steps. The validation images are harder than the test
images: half an epoch at the rate of `modern`, which an earlier run of this experiment chose, read 98.7 % of them and
99.0 % of the others. Whether 99 % is reached there, seeds decide that were not used here. The rate was found in trials
on the validation images, between 0.005 and 0.015.
"""

import statistics
from dataclasses import replace

from tqdm import tqdm

from course_utils import ModernCNN, evaluate, load_mnist
from course_utils.recipes import NINETY_NINE, Experiment
from experiments._common import of_candidate, run_once

LEAST_ACCURACY = 0.987
CANDIDATES = [
    Experiment(
        replace(NINETY_NINE, name=f"{epochs} epochs, {size} a batch", batch_size=size, epochs=epochs),
        ModernCNN,
        train_on="train",
    )
    for epochs in (0.35, 0.4, 0.45, 0.5)
    for size in (48, 64)
]
SETTINGS = {
    "candidates": [candidate.settings() for candidate in CANDIDATES],
    "seeds": list(range(31, 39)),
    "least_accuracy": LEAST_ACCURACY,
}


def run() -> list[dict]:
    """For each seed and candidate the accuracy on the validation images."""
    mnist, results = load_mnist(), []
    for seed in tqdm(SETTINGS["seeds"], desc="seeds"):
        for candidate in CANDIDATES:
            model, _ = run_once(candidate, mnist, seed, device="cpu")
            accuracy = evaluate(model, mnist.validation)
            results.append({"candidate": candidate.recipe.name, "seed": seed, "validation_accuracy": accuracy})
    return results


def chosen(results: list[dict]) -> Experiment:
    """What the rule chooses."""

    def mean(candidate: Experiment) -> float:
        return statistics.mean(of_candidate(results, candidate, "validation_accuracy"))

    good = [candidate for candidate in CANDIDATES if mean(candidate) >= LEAST_ACCURACY]
    if not good:
        raise ValueError(f"no candidate reaches {LEAST_ACCURACY:.1%} on the validation images: add longer ones")
    return min(good, key=lambda candidate: (candidate.recipe.epochs, -candidate.recipe.batch_size))
