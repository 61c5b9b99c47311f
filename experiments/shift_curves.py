"""Notebook 02, C6: accuracy on digits moved by 0 to 8 pixels, for seven networks trained on centred digits."""

import torch
from torch import nn
from torch.utils.data import TensorDataset
from tqdm import tqdm

from course_utils import count_parameters, evaluate, load_mnist
from course_utils.models import LAYERS, with_head
from course_utils.perturb import pixels_lost, shift
from experiments._common import EPOCHS, SEEDS, SHARED_SETTINGS, TUNING_SEED, images_of, trained_layers, tuned_rate

IMAGES = 10_000
SHIFTS = list(range(9))  # pixels
DIRECTIONS = {"right": (1, 0), "left": (-1, 0), "down": (0, 1), "up": (0, -1)}
WHOLE_TO = 4  # pixels: only digits that lose nothing when moved this far, in any direction, are used


def conv_pool_flatten() -> nn.Module:
    return nn.Sequential(LAYERS["shared"](), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 14 * 14, 10))


def conv_global() -> nn.Module:
    return nn.Sequential(LAYERS["shared"](), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))


def three_convs() -> tuple[nn.Module, ...]:
    """Three convolutions, the first two followed by pooling: (N, 1, 28, 28) to (N, 64, 7, 7)."""
    return (
        *(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 5, padding=2), nn.ReLU()),
    )


def three_convs_flatten() -> nn.Module:
    return nn.Sequential(*three_convs(), nn.Flatten(), nn.Linear(64 * 7 * 7, 10))


def three_convs_global() -> nn.Module:
    return nn.Sequential(*three_convs(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


NETWORKS = {
    "dense": lambda: with_head(LAYERS["dense"]()),
    "local": lambda: with_head(LAYERS["local"]()),
    "conv + flatten": lambda: with_head(LAYERS["shared"]()),
    "conv + pool + flatten": conv_pool_flatten,
    "conv + global": conv_global,
    "3 convs + flatten": three_convs_flatten,
    "3 convs + global": three_convs_global,
}
RATES = {
    "dense": [3e-4, 1e-3, 3e-3],
    "local": [3e-3, 1e-2, 3e-2],
    "conv + flatten": [3e-3, 1e-2, 3e-2],
    "conv + pool + flatten": [3e-3, 1e-2, 3e-2],
    "conv + global": [1e-2, 3e-2, 1e-1],
    "3 convs + flatten": [1e-3, 3e-3, 1e-2],
    "3 convs + global": [1e-3, 3e-3, 1e-2],
}
SETTINGS = {
    **SHARED_SETTINGS,
    "networks": list(NETWORKS),
    "images": IMAGES,
    "epochs": EPOCHS[IMAGES],
    "rates": RATES,
    "shifts": SHIFTS,
    "whole_to": WHOLE_TO,
}


def run() -> list[dict]:
    """For each network and seed: accuracy on the whole digits of the test set at each shift in each direction."""
    mnist = load_mnist()
    images, labels = mnist.test[:]
    lost = [pixels_lost(images, WHOLE_TO * dx, WHOLE_TO * dy) for dx, dy in DIRECTIONS.values()]
    whole = torch.stack(lost).sum(0) == 0
    images, labels = images[whole], labels[whole]
    tuning_images = images_of(TUNING_SEED, IMAGES, mnist.train)
    tuned = {
        name: tuned_rate(make, tuning_images, mnist.validation, RATES[name], EPOCHS[IMAGES])
        for name, make in tqdm(NETWORKS.items(), desc="tuning")
    }
    results = []
    for seed, name in tqdm([(seed, name) for seed in SEEDS for name in NETWORKS], desc="runs"):
        images_seen = images_of(seed, IMAGES, mnist.train)
        network, history = trained_layers(NETWORKS[name], images_seen, tuned[name]["rate"], EPOCHS[IMAGES], seed)
        curves = {
            direction: [
                evaluate(network, TensorDataset(shift(images, step * dx, step * dy), labels)) for step in SHIFTS
            ]
            for direction, (dx, dy) in DIRECTIONS.items()
        }
        results.append(
            {
                "network": name,
                "seed": seed,
                **tuned[name],
                "parameters": count_parameters(network),
                "accuracy": curves,
                "seconds": round(history.total_seconds, 1),
            }
        )
    return results
