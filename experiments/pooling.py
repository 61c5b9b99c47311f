"""Notebook 03, C8: five ways down from 28 by 28, on clean and on slightly deformed digits, over five seeds."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.data import Subset, TensorDataset
from tqdm import tqdm

from course_utils import ORIGINAL, count_parameters, evaluate, load_mnist, perturb
from course_utils.data import ImageSet, Mnist
from course_utils.models import downsampled_cnn
from course_utils.recipes import settings_of
from experiments._common import trained, tune

IMAGES = 10_000
NETWORKS = ["max", "average", "stride", "late", "global"]
RATES = [1e-3, 3e-3, 1e-2, 3e-2]  # tried by each network on validation
TUNING_SEED, SEEDS = 0, [1, 2, 3, 4, 5]
EVERY = 2  # every second test image
WARPS = [1, 2, 3]  # pixels, root mean square
DEGREES, PIXELS = 15, 2
RECIPE = replace(ORIGINAL, name="pooling", epochs=3, schedule="one-cycle")
SETTINGS = {
    "recipe": settings_of(RECIPE, tuned=("learning_rate",)),
    "train_on": "train",
    "tuned_on": "validation",
    "images": IMAGES,
    "networks": NETWORKS,
    "rates": RATES,
    "tuning_seed": TUNING_SEED,
    "seeds": SEEDS,
    "test_every": EVERY,
    "warps": WARPS,
    "degrees": DEGREES,
    "pixels": PIXELS,
}


def run() -> dict:
    """Each network's validation accuracy by learning rate; then, with the best rate, for each network and seed the
    accuracy on half of its training images, and on half of the test images, clean and in each deformation.
    """
    mnist = load_mnist()
    tried, best = [], {}
    for network in tqdm(NETWORKS, desc="tuning"):
        best[network], scores = tune(
            RATES,
            lambda rate, network=network: train(mnist, network, rate, TUNING_SEED),
            lambda model: evaluate(model, mnist.validation),
        )
        for rate, accuracy in zip(RATES, scores, strict=True):
            tried.append({"network": network, "rate": rate, "validation_accuracy": accuracy})
    tests = deformed(mnist.test)
    runs = []
    for seed, network in tqdm([(seed, network) for seed in SEEDS for network in NETWORKS], desc="runs"):
        model = train(mnist, network, best[network], seed)
        runs.append(
            {
                "network": network,
                "seed": seed,
                "rate": best[network],
                "parameters": count_parameters(model),
                "train_accuracy": evaluate(model, Subset(mnist.train, range(IMAGES // 2))),
                "test_accuracy": {name: evaluate(model, test) for name, test in tests.items()},
            }
        )
    return {"tried": tried, "runs": runs}


def train(mnist: Mnist, network: str, rate: float, seed: int) -> nn.Module:
    """A new network, trained on the first images of the training split."""
    images = Subset(mnist.train, range(IMAGES))
    return trained(lambda: downsampled_cnn(network), images, replace(RECIPE, learning_rate=rate), seed)[0]


def deformed(test: ImageSet) -> dict[str, TensorDataset]:
    """Every second test image, clean and in each deformation; those that have a direction take turns with it."""
    images, labels = test[::EVERY]
    return {
        "clean": TensorDataset(images, labels),
        **{f"warp {alpha} px": TensorDataset(perturb.elastic_warp(images, alpha), labels) for alpha in WARPS},
        f"rotation ±{DEGREES}°": taking_turns(
            test, [lambda part: perturb.rotate(part, DEGREES), lambda part: perturb.rotate(part, -DEGREES)]
        ),
        f"shift ±{PIXELS} px": taking_turns(
            test,
            [
                lambda part: perturb.shift(part, PIXELS, 0),
                lambda part: perturb.shift(part, -PIXELS, 0),
                lambda part: perturb.shift(part, 0, PIXELS),
                lambda part: perturb.shift(part, 0, -PIXELS),
            ],
        ),
    }


def taking_turns(test: ImageSet, changes: list) -> TensorDataset:
    """Every second test image, the first of them changed by the first of `changes`, and so on round and round."""
    parts: list[Tensor] = []
    labels: list[Tensor] = []
    for start, change in enumerate(changes):
        part, its_labels = test[start * EVERY :: len(changes) * EVERY]
        parts.append(change(part))
        labels.append(its_labels)
    return TensorDataset(torch.cat(parts), torch.cat(labels))
