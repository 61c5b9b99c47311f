"""Notebook 03, C8: five ways down from 28 by 28, on clean and on slightly deformed digits, over five seeds."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.data import Subset, TensorDataset
from tqdm import tqdm

from course_utils import ORIGINAL, count_parameters, evaluate, fit, load_mnist, make_loaders, perturb
from course_utils.data import ImageSet, Mnist
from course_utils.models import downsampled_cnn
from course_utils.training import Recipe, settings_of

IMAGES = 10_000
NETWORKS = ["max", "average", "stride", "late", "global"]
RATES = [1e-3, 3e-3, 1e-2, 3e-2]  # tried by each network on validation
TUNING_SEED, SEEDS = 0, [1, 2, 3, 4, 5]
EVERY = 2  # every second test image
WARPS = [1, 2, 3]  # pixels, root mean square
DEGREES, PIXELS = 15, 2
RECIPE = replace(
    ORIGINAL, name="pooling", train_on="train", watch="validation", epochs=3, schedule="one-cycle", log_every=10**6
)
SETTINGS = {
    "recipe": settings_of(RECIPE),
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
    bar = tqdm(total=len(NETWORKS) * (len(RATES) + len(SEEDS)), desc="runs")
    tried = []
    for network in NETWORKS:
        for rate in RATES:
            model = train(mnist, network, replace(RECIPE, learning_rate=rate), TUNING_SEED)
            tried.append({"network": network, "rate": rate, "validation_accuracy": evaluate(model, mnist.validation)})
            bar.update()
    tests = deformed(mnist.test)
    runs = []
    for seed in SEEDS:
        for network in NETWORKS:
            best = max((one for one in tried if one["network"] == network), key=lambda one: one["validation_accuracy"])
            model = train(mnist, network, replace(RECIPE, learning_rate=best["rate"]), seed)
            runs.append(
                {
                    "network": network,
                    "seed": seed,
                    "rate": best["rate"],
                    "parameters": count_parameters(model),
                    "train_accuracy": evaluate(model, Subset(mnist.train, range(IMAGES // 2))),
                    "test_accuracy": {name: evaluate(model, test) for name, test in tests.items()},
                }
            )
            bar.update()
    return {"tried": tried, "runs": runs}


def train(mnist: Mnist, network: str, recipe: Recipe, seed: int) -> nn.Module:
    """A new network, trained on the first images of the training split."""
    torch.manual_seed(seed)
    model = downsampled_cnn(network)
    watched = Subset(mnist.validation, range(500))
    fit(model, make_loaders(Subset(mnist.train, range(IMAGES)), watched, recipe.batch_size, seed), recipe, seed=seed)
    return model


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
