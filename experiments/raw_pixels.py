"""Notebook 07, C1: raw pixels or hand-made filters, at three numbers of training images."""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.utils.data import Subset
from tqdm import tqdm

from course_utils import CNN, count_parameters, evaluate, load_mnist
from course_utils.data import Splits
from course_utils.filters import linear_on_hand_made_features, linear_on_pixels
from course_utils.recipes import Recipe, settings_of
from experiments._common import trained, tune

SETTINGS = {
    # The learning rate, and how the hand-made responses are pooled: the best on validation, for each number of images.
    "learning_rates": [1e-3, 3e-3, 1e-2],
    "pools": [2, 4],
    "choice_seed": 0,
    "comparisons": [
        {"images": 300, "epochs": 40, "seeds": [1, 2, 3, 4, 5]},
        {"images": 3_000, "epochs": 10, "seeds": [1, 2, 3, 4, 5]},
        {"images": 30_000, "epochs": 3, "seeds": [1, 2, 3]},
    ],
    "recipe": settings_of(Recipe("raw_pixels"), tuned=("learning_rate", "epochs")),
    "train_on": "train",
    "tuned_on": "validation",
    "kinds": ["linear, raw pixels", "linear, hand-made filters", "CNN, raw pixels"],
}
KINDS = {
    "linear, raw pixels": {"pixels": linear_on_pixels},
    "linear, hand-made filters": {
        f"pooled {pool} by {pool}": partial(linear_on_hand_made_features, pool) for pool in SETTINGS["pools"]
    },
    "CNN, raw pixels": {"pixels": CNN},
}


def run() -> dict[str, list[dict]]:
    """For each number of images and kind: what validation chose, and the test accuracy of each seed."""
    mnist = load_mnist()
    choices, tests = [], []
    pairs = [(comparison, kind) for comparison in SETTINGS["comparisons"] for kind in KINDS]
    for comparison, kind in tqdm(pairs, desc="images and kinds"):
        choice = choose(kind, mnist, comparison["images"], comparison["epochs"])
        choices.append(choice)
        for seed in comparison["seeds"]:
            make_model = KINDS[kind][choice["variant"]]
            model = train(make_model, mnist, comparison["images"], comparison["epochs"], seed, choice["learning_rate"])
            tests.append(
                {
                    "kind": kind,
                    "images": comparison["images"],
                    "seed": seed,
                    "test_accuracy": evaluate(model, mnist.test),
                }
            )
    return {"choices": choices, "tests": tests}


def choose(kind: str, mnist: Splits, images: int, epochs: int) -> dict:
    """The variant of this kind and the learning rate with the best validation accuracy."""
    candidates = [(variant, rate) for variant in KINDS[kind] for rate in SETTINGS["learning_rates"]]
    (variant, rate), scores = tune(
        candidates,
        lambda tried: train(KINDS[kind][tried[0]], mnist, images, epochs, SETTINGS["choice_seed"], tried[1]),
        lambda model: evaluate(model, mnist.validation),
    )
    return {
        "kind": kind,
        "images": images,
        "variant": variant,
        "learning_rate": rate,
        "parameters": count_parameters(KINDS[kind][variant]()),
        "validation_accuracy": max(scores),
    }


def train(
    make_model: Callable[[], nn.Module], mnist: Splits, images: int, epochs: int, seed: int, learning_rate: float
) -> nn.Module:
    """A model trained on images of `mnist.train` drawn by `seed`, which also fixes weights and batches."""
    drawn = torch.randperm(len(mnist.train), generator=torch.Generator().manual_seed(seed))[:images]
    recipe = Recipe("raw_pixels", learning_rate=learning_rate, epochs=epochs)
    return trained(make_model, Subset(mnist.train, drawn), recipe, seed)[0]
