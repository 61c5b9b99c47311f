"""Notebook 01, C1: raw pixels or hand-made filters, at three numbers of training images."""

from functools import partial

import torch
from torch import nn
from torch.utils.data import Subset
from tqdm import tqdm

from course_utils import CNN, count_parameters, evaluate, fit, load_mnist, make_loaders
from course_utils.data import Mnist
from course_utils.filters import linear_on_hand_made_features, linear_on_pixels
from course_utils.training import Recipe

# Several ways to pool the hand-made responses are tried, and the best on validation is the one compared.
CANDIDATES = {
    "linear, raw pixels": [linear_on_pixels],
    "linear, hand-made filters": [partial(linear_on_hand_made_features, pool) for pool in (2, 4)],
    "CNN, raw pixels": [CNN],
}
SETTINGS = {
    "learning_rates": [1e-3, 3e-3, 1e-2],
    "choice": {"images": 3_000, "epochs": 10, "seed": 0},  # of learning rate and pooling, on validation
    "comparisons": [
        {"images": 300, "epochs": 40, "seeds": [1, 2, 3, 4, 5]},
        {"images": 3_000, "epochs": 10, "seeds": [1, 2, 3, 4, 5]},
        {"images": 30_000, "epochs": 3, "seeds": [1, 2, 3]},
    ],
    "batch_size": 50,
    "pools": [2, 4],
}


def train(make_model, mnist: Mnist, images: int, epochs: int, seed: int, learning_rate: float) -> nn.Module:
    """A model trained on `images` images of train, drawn by `seed`, which also fixes weights and batches."""
    chosen = torch.randperm(len(mnist.train), generator=torch.Generator().manual_seed(seed))[:images]
    watched = Subset(mnist.validation, range(500))
    loaders = make_loaders(Subset(mnist.train, chosen), watched, SETTINGS["batch_size"], seed)
    torch.manual_seed(seed)
    model = make_model()
    recipe = Recipe(
        "raw_pixels", make_model, "train", "validation", learning_rate=learning_rate, epochs=epochs, log_every=10**6
    )
    fit(model, loaders, recipe, seed=seed)
    return model


def run() -> dict:
    """What validation chose for each kind, and for each kind, number of images and seed the test accuracy."""
    mnist = load_mnist()
    choices = {}
    for kind, makers in CANDIDATES.items():
        tried = []
        for maker in makers:
            for learning_rate in tqdm(SETTINGS["learning_rates"], desc=f"choose: {kind}"):
                model = train(maker, mnist, **SETTINGS["choice"], learning_rate=learning_rate)
                pool = maker.args[0] if isinstance(maker, partial) else None
                tried.append(
                    {"learning_rate": learning_rate, "pool": pool, "validation": evaluate(model, mnist.validation)}
                )
        best = max(range(len(tried)), key=lambda index: tried[index]["validation"])
        maker = makers[best // len(SETTINGS["learning_rates"])]
        choices[kind] = {
            "maker": maker,
            "learning_rate": tried[best]["learning_rate"],
            "tried": tried,
            "parameters": count_parameters(maker()),
        }
    runs = [
        (kind, comparison["images"], comparison["epochs"], seed)
        for comparison in SETTINGS["comparisons"]
        for seed in comparison["seeds"]
        for kind in CANDIDATES
    ]
    tests = []
    for kind, images, epochs, seed in tqdm(runs, desc="compare"):
        choice = choices[kind]
        model = train(choice["maker"], mnist, images, epochs, seed, choice["learning_rate"])
        tests.append({"kind": kind, "images": images, "seed": seed, "test_accuracy": evaluate(model, mnist.test)})
    for choice in choices.values():
        del choice["maker"]
    return {"choices": choices, "tests": tests}
