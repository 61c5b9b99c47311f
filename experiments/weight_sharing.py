"""Notebook 02, C4 and C5: dense, local and shared layers with the same outputs and head, on 300 to 10,000 images."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn
from torch.utils.data import Dataset, Subset
from tqdm import tqdm

from course_utils import ORIGINAL, evaluate, fit, load_mnist, make_loaders
from course_utils.models import LAYERS, with_head
from course_utils.training import History, settings_of

# More passes over fewer images: each run ends with its training images learned, or nearly.
EPOCHS = {300: 40, 1000: 15, 3000: 6, 10_000: 3}
SEEDS = [1, 2, 3]
TUNING_SEED = 4  # neither these training images nor these first weights occur in the experiments
RATES = {"dense": [3e-4, 1e-3, 3e-3], "local": [1e-3, 3e-3, 1e-2, 3e-2], "shared": [1e-3, 3e-3, 1e-2, 3e-2]}
LEARNED = 0.1  # a training loss, averaged over ten successive batches

RECIPE = replace(ORIGINAL, name="run", train_on="train", watch="validation", batch_size=100, schedule="one-cycle")
SETTINGS = {
    "recipe": settings_of(RECIPE),
    "epochs": {str(count): epochs for count, epochs in EPOCHS.items()},  # keys as JSON has them
    "seeds": SEEDS,
    "tuning_seed": TUNING_SEED,
    "rates": RATES,
    "learned": LEARNED,
}


def images_of(seed: int, count: int, dataset: Dataset) -> Subset:
    """The images of a seed: no two seeds train on the same ones."""
    return Subset(dataset, range((seed - 1) * count, seed * count))


def train(network: nn.Module, images: Dataset, learning_rate: float, epochs: int, seed: int) -> History:
    """Train with RECIPE; nothing is watched but some of the training images themselves."""
    recipe = replace(RECIPE, learning_rate=learning_rate, epochs=epochs)
    return fit(network, make_loaders(images, Subset(images, range(100)), recipe.batch_size, seed), recipe, seed=seed)


def tune(
    make: Callable[[], nn.Module], images: Dataset, validation: Dataset, rates: list[float], epochs: int
) -> dict[float, float]:
    """Accuracy on the validation images for each learning rate."""
    found = {}
    for rate in rates:
        torch.manual_seed(TUNING_SEED)
        network = make()
        train(network, images, rate, epochs, TUNING_SEED)
        found[rate] = evaluate(network, validation)
    return found


def updates_to_learn(history: History) -> int | None:
    """How many updates until the training loss, averaged over the last ten, is below LEARNED; None if it never is."""
    below = torch.tensor(history.step_loss).unfold(0, 10, 1).mean(1) < LEARNED
    return int(below.nonzero()[0]) + 10 if below.any() else None


def run() -> list[dict]:
    """For each number of images, layer and seed, with the best learning rate: accuracies, updates and seconds."""
    mnist = load_mnist()
    results = []
    for count, epochs in tqdm(EPOCHS.items(), desc="numbers of images"):
        tuned = {
            name: tune(
                lambda name=name: with_head(LAYERS[name]()),
                images_of(TUNING_SEED, count, mnist.train),
                mnist.validation,
                RATES[name],
                epochs,
            )
            for name in LAYERS
        }
        for seed, name in [(seed, name) for seed in SEEDS for name in LAYERS]:  # a slow minute hits all layers
            torch.manual_seed(seed)
            network = with_head(LAYERS[name]())
            images = images_of(seed, count, mnist.train)
            rate = max(tuned[name], key=tuned[name].get)
            history = train(network, images, rate, epochs, seed)
            results.append(
                {
                    "layer": name,
                    "images": count,
                    "seed": seed,
                    "tuning": tuned[name],
                    "rate": rate,
                    "train_accuracy": evaluate(network, images),
                    "test_accuracy": evaluate(network, mnist.test),
                    "updates": len(history.step_loss),
                    "updates_to_learn": updates_to_learn(history),
                    "seconds": round(history.total_seconds, 2),
                }
            )
    return results
