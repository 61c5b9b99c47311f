"""Notebook 05, C11: the tutorial's recipe with ten seeds, its log, and what choosing by that log would have gained."""

from typing import Any

import torch
from torch import nn
from torch.utils.data import Subset
from tqdm import tqdm

from course_utils import CNN, ORIGINAL, evaluate, fit, load_mnist

CLAIM = "C11"
SEEDS = list(range(1, 11))
LOOK_EVERY = 100
SETTINGS = {
    "recipe": "original",
    "model": "CNN",
    "train_on": "full_train",
    "seeds": SEEDS,
    "look_every": LOOK_EVERY,
    "watched": "test images 0 to 1,999",
}


def run() -> dict[str, Any]:
    """For each seed the accuracy on the first 2,000 test images and on the other 8,000, at each line of the log."""
    images = load_mnist()
    first, others = Subset(images.test, range(2000)), Subset(images.test, range(2000, 10_000))
    runs = []
    for seed in tqdm(SEEDS, desc="seeds"):
        torch.manual_seed(seed)
        network, other_accuracy = CNN(), []

        def look(line: str, network: nn.Module = network, seen: list[float] = other_accuracy) -> None:
            seen.append(evaluate(network, others))

        history = fit(
            network,
            images.full_train,
            ORIGINAL,
            watch=("test", first),
            look_every=LOOK_EVERY,
            seed=seed,
            log=look,
        )
        runs.append(
            {
                "seed": seed,
                "steps": history.steps,
                "watched_accuracy": history.accuracy,
                "other_accuracy": other_accuracy,
                "test_accuracy": evaluate(network, images.test),
                "first_2000_accuracy": evaluate(network, first),
            }
        )
    return {"runs": runs}
