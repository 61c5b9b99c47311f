"""Notebook 03, C6: local and shared filters, flattened and averaged, on digits moved by 0 to 8 pixels.

The four networks of three layers have the same poolings; what differs is sharing, or what the last layer reads. The
one-layer network with averages is trained longer, since it learns slowly. No digit loses anything up to 4 pixels:
each is moved to the side on which it has more room.
"""

from functools import partial
from itertools import product
from typing import Any

import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from course_utils import count_parameters, evaluate
from course_utils.models import LAYERS, LocallyConnected2d
from course_utils.recipes import Recipe
from experiments._claims import PROTOCOL, Arm, Kept, balanced, judged, moved_inside, with_room

CLAIM = "C6"
IMAGES, EACH_CLASS, PIXELS = 5000, 300, list(range(9))
EPOCHS = {  # arm, head
    **dict.fromkeys(product(("local", "shared"), ("flatten", "average")), 6),
    ("dense, one layer", "flatten"): 6,
    ("local, one layer", "flatten"): 6,
    ("shared, one layer", "flatten"): 6,
    ("shared, one layer", "average"): 30,
}
SETTINGS = {
    **PROTOCOL,
    "network": "16, 32, 64 local or shared 5x5 filters, the first two pooled; one layer: 16 filters",
    "arms": [[*key, epochs] for key, epochs in EPOCHS.items()],
    "images": IMAGES,
    "batch_size": 100,
    "schedule": "one-cycle",
    "test_images_of_each_class": EACH_CLASS,
    "pixels": PIXELS,
}
ADAPTED = {"pictures": "shrunk to 20 by 20 pixels in the middle, as MNIST's digits are"}  # on other data


def filters(arm: str, in_channels: int, out_channels: int, size: int) -> nn.Module:
    """5x5 filters that keep the size: the same at all positions, or at each position its own."""
    if arm == "shared":
        return nn.Conv2d(in_channels, out_channels, kernel_size=5, padding=2)
    return LocallyConnected2d(in_channels, out_channels, (size, size), kernel_size=5, padding=2)


def network(arm: str, head: str) -> nn.Module:
    """The last layer reads every number of all maps ("flatten"), or the mean of each ("average")."""
    kind, _, depth = arm.partition(", ")
    if depth:
        layers, channels, positions = [LAYERS[kind](), nn.ReLU()], 16, 28 * 28
    else:
        layers, channels, positions = [], 64, 7 * 7
        for size, in_channels, out_channels in ((28, 1, 16), (14, 16, 32), (7, 32, 64)):
            layers += [filters(kind, in_channels, out_channels, size), nn.ReLU(), nn.MaxPool2d(2)]
        del layers[-1]  # the last maps stay 7 by 7
    if head == "average":
        layers, positions = [*layers, nn.AdaptiveAvgPool2d(1)], 1
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * positions, 10))


def run(data: str = "mnist") -> dict[str, Any]:
    """For each arm, head and seed: accuracy on the moved digits, by pixels, along x and y together."""
    images, kept = with_room(data), Kept(f"translation-{data}", SETTINGS)
    places = balanced(images.test, torch.ones(len(images.test), dtype=torch.bool), EACH_CLASS)
    still, labels = images.test[places]
    moved = [TensorDataset(torch.cat(moved_inside(still, by)), labels.repeat(2)) for by in PIXELS]

    def by_pixels(network: nn.Module, train: Dataset, losses: list[float]) -> dict[str, Any]:
        found = {"parameters": count_parameters(network), "train_accuracy": evaluate(network, train)}
        return {**found, "accuracy": [evaluate(network, each) for each in moved]}

    def recipe(epochs: int, rate: float) -> Recipe:
        return Recipe("translation", batch_size=100, learning_rate=rate, epochs=epochs, schedule="one-cycle")

    arms = [
        Arm({"arm": arm, "head": head}, partial(network, arm, head), IMAGES, partial(recipe, epochs))
        for (arm, head), epochs in EPOCHS.items()
    ]
    test = {"images": len(places), "of_each_class": len(places) // 10, "most_frequent_class": 0.1}
    return {"test": test, **judged(images, arms, kept, by_pixels)}
