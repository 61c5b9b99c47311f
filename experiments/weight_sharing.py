"""Notebook 02, C4 and C5: dense, local and shared layers with the same outputs and head, on 300 to 10,000 images."""

import torch
from tqdm import tqdm

from course_utils import evaluate, load_mnist
from course_utils.models import LAYERS, with_head
from course_utils.training import History
from experiments._common import EPOCHS, SEEDS, SHARED_SETTINGS, TUNING_SEED, images_of, trained_layers, tuned_rate

RATES = {"dense": [3e-4, 1e-3, 3e-3], "local": [1e-3, 3e-3, 1e-2, 3e-2], "shared": [1e-3, 3e-3, 1e-2, 3e-2]}
NETWORKS = {name: lambda layer=layer: with_head(layer()) for name, layer in LAYERS.items()}
LEARNED = 0.1  # a training loss, averaged over ten successive batches
SETTINGS = {
    **SHARED_SETTINGS,
    "networks": list(NETWORKS),
    "epochs": {str(count): epochs for count, epochs in EPOCHS.items()},  # keys as JSON has them
    "rates": RATES,
    "learned": LEARNED,
}


def updates_to_learn(history: History) -> int | None:
    """How many updates until the training loss, averaged over the last ten, is below LEARNED; None if it never is."""
    below = torch.tensor(history.step_loss).unfold(0, 10, 1).mean(1) < LEARNED
    return int(below.nonzero()[0]) + 10 if below.any() else None


def run() -> list[dict]:
    """For each number of images, layer and seed, with the best learning rate: accuracies, updates and seconds."""
    mnist = load_mnist()
    results = []
    for count, epochs in tqdm(EPOCHS.items(), desc="numbers of images"):
        tuning_images = images_of(TUNING_SEED, count, mnist.train)
        tuned = {
            name: tuned_rate(make, tuning_images, mnist.validation, RATES[name], epochs)
            for name, make in NETWORKS.items()
        }
        for seed, name in [(seed, name) for seed in SEEDS for name in NETWORKS]:  # a slow minute hits all layers
            images = images_of(seed, count, mnist.train)
            network, history = trained_layers(NETWORKS[name], images, tuned[name]["rate"], epochs, seed)
            results.append(
                {
                    "layer": name,
                    "images": count,
                    "seed": seed,
                    **tuned[name],
                    "train_accuracy": evaluate(network, images),
                    "test_accuracy": evaluate(network, mnist.test),
                    "updates": len(history.step_loss),
                    "updates_to_learn": updates_to_learn(history),
                    "seconds": round(history.total_seconds, 2),
                }
            )
    return results
