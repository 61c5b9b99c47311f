"""Notebook 02, C5: local and shared layers once more, under a head with a sixteenth of the weights."""

import torch
from tqdm import tqdm

from course_utils import evaluate, load_mnist
from course_utils.models import LAYERS, with_small_head
from course_utils.training import settings_of
from experiments.weight_sharing import EPOCHS, RECIPE, SEEDS, TUNING_SEED, images_of, train, tune

RATES = {"local": [1e-2, 3e-2, 1e-1], "shared": [1e-2, 3e-2, 1e-1]}
SETTINGS = {
    "recipe": settings_of(RECIPE),
    "epochs": {str(count): epochs for count, epochs in EPOCHS.items()},  # keys as JSON has them
    "seeds": SEEDS,
    "tuning_seed": TUNING_SEED,
    "rates": RATES,
}


def run() -> list[dict]:
    """For each number of images, layer and seed, with the best learning rate: accuracy in training and test."""
    mnist = load_mnist()
    results = []
    for count, name in tqdm([(count, name) for count in EPOCHS for name in RATES], desc="numbers and layers"):
        tuned = tune(
            lambda name=name: with_small_head(LAYERS[name]()),
            images_of(TUNING_SEED, count, mnist.train),
            mnist.validation,
            RATES[name],
            EPOCHS[count],
        )
        rate = max(tuned, key=tuned.get)
        for seed in SEEDS:
            torch.manual_seed(seed)
            network = with_small_head(LAYERS[name]())
            images = images_of(seed, count, mnist.train)
            train(network, images, rate, EPOCHS[count], seed)
            results.append(
                {
                    "layer": name,
                    "images": count,
                    "seed": seed,
                    "tuning": tuned,
                    "rate": rate,
                    "train_accuracy": evaluate(network, images),
                    "test_accuracy": evaluate(network, mnist.test),
                }
            )
    return results
