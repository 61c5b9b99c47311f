"""Notebook 05: from the tutorial's recipe to the modern one, one ingredient at a time, over five seeds."""

from dataclasses import replace

from torch import nn
from tqdm import tqdm

from course_utils import CNN, MODERN, ORIGINAL, ModernCNN, count_parameters, evaluate, load_mnist
from course_utils.recipes import Experiment
from experiments._common import run_once


def without_batch_norm() -> ModernCNN:
    """The modern network with a bias in each convolution where its batch normalisation was."""
    model = ModernCNN()
    for index, layer in enumerate(model.blocks):
        if isinstance(layer, nn.Conv2d):
            model.blocks[index] = nn.Conv2d(layer.in_channels, layer.out_channels, kernel_size=3, padding=1)
        elif isinstance(layer, nn.BatchNorm2d):
            model.blocks[index] = nn.Identity()
    return model


# Each step keeps what the steps before it changed.
BASE = replace(ORIGINAL, name="tutorial's recipe, on 55,000 images")
SCHEDULE = replace(BASE, name="+ one-cycle learning rate", schedule="one-cycle", learning_rate=3e-3)
LAYERS = replace(SCHEDULE, name="+ three 3x3 layers for two 5x5")
NORM = replace(LAYERS, name="+ batch normalisation, batches of 64", batch_size=64, learning_rate=2e-2)
SHIFT = replace(NORM, name="+ each image moved by up to a pixel", max_shift=1)
WARP = replace(SHIFT, name="+ each turned, scaled and slanted", max_rotation=10, max_scale=0.1, max_shear=0.1)
SMOOTH = replace(MODERN, name="+ smoothed labels = modern")
NETWORKS = {BASE: CNN, SCHEDULE: CNN, LAYERS: without_batch_norm}
STEPS = [
    Experiment(recipe, NETWORKS.get(recipe, ModernCNN), train_on="train")
    for recipe in (BASE, SCHEDULE, LAYERS, NORM, SHIFT, WARP, SMOOTH)
]

SETTINGS = {"experiments": [step.settings() for step in STEPS], "seeds": [1, 2, 3, 4, 5]}


def run() -> list[dict]:
    """For each step and seed: validation accuracy; for the first and the last step also the test accuracy.

    The test set is read for the two ends only, after the modern recipe was chosen on validation.
    """
    mnist = load_mnist()
    runs = [(step, seed) for seed in SETTINGS["seeds"] for step in STEPS]  # interleaved: a slow minute hits all
    results = []
    for step, seed in tqdm(runs, desc="runs"):
        model, history = run_once(step, mnist, seed)
        at_an_end = step in (STEPS[0], STEPS[-1])
        results.append(
            {
                "recipe": step.recipe.name,
                "seed": seed,
                "parameters": count_parameters(model),
                "validation_accuracy": evaluate(model, mnist.validation),
                "test_accuracy": evaluate(model, mnist.test) if at_an_end else None,
                "seconds": round(history.total_seconds, 1),
            }
        )
    return results
