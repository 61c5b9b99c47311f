"""Notebook 09: the tutorial's network and recipe on Fashion-MNIST, for orientation beside published figures.

One epoch as in the tutorial, and ten, since the published figures come from longer training; and a linear layer alone.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn
from tqdm import tqdm

from course_utils import CNN, ORIGINAL, count_parameters, evaluate, load_fashion_mnist
from experiments._common import trained

SEEDS = [1, 2, 3]
ARMS: dict[str, tuple[Callable[[], nn.Module], int]] = {  # and epochs
    "tutorial's network, one epoch": (CNN, 1),
    "tutorial's network, ten epochs": (CNN, 10),
    "a linear layer, ten epochs": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), 10),
}
SETTINGS = {
    "recipe": "original",
    "data": "fashion",
    "train_on": "full_train",
    "networks": [[name, epochs] for name, (_, epochs) in ARMS.items()],
    "seeds": SEEDS,
}


def run() -> dict[str, Any]:
    """For each arm and seed the test accuracy after the last epoch; nothing is chosen by it."""
    images, runs = load_fashion_mnist(), []
    for seed in tqdm(SEEDS, desc="seeds"):
        for arm, (make, epochs) in ARMS.items():
            network, _ = trained(make, images.full_train, replace(ORIGINAL, epochs=epochs), seed)
            accuracy = evaluate(network, images.test)
            runs.append({"arm": arm, "seed": seed, "parameters": count_parameters(network), "test_accuracy": accuracy})
    return {"runs": runs}
