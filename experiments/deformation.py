"""Notebook 03, C8: five ways down from 28 by 28, on clean digits and on digits whose ink is bent by 1 and 2 pixels.

All keep 7 by 7 positions of 32 maps for the last layer, but for a widened stride: it does as many multiply-adds as
max-pooling, which computes four times as many positions first. A stride in place of pooling: Springenberg and others,
2015, arXiv:1412.6806.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from course_utils import count_parameters, evaluate
from course_utils.models import downsampled_cnn
from course_utils.perturb import elastic_warp
from course_utils.recipes import Recipe
from experiments._claims import DATA, PROTOCOL, Arm, Kept, judged

CLAIM = "C8"
IMAGES, EPOCHS = 10_000, 4
PIXELS = [1, 2]  # mean displacement of the ink, over all test images
WIDE = 33  # filters in the first layer of the widened stride, twice as many in its second
SETTINGS = {
    **PROTOCOL,
    "arms": ["max", "average", "stride", "stride, as many multiply-adds", "late"],
    "images": IMAGES,
    "epochs": EPOCHS,
    "batch_size": 50,
    "schedule": "one-cycle",
    "pixels": PIXELS,
    "wide": WIDE,
}


def network(arm: str) -> nn.Module:
    if arm != "stride, as many multiply-adds":
        return downsampled_cnn(arm)
    return nn.Sequential(
        *(nn.Conv2d(1, WIDE, kernel_size=5, stride=2, padding=2), nn.ReLU()),
        *(nn.Conv2d(WIDE, 2 * WIDE, kernel_size=5, stride=2, padding=2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(2 * WIDE * 7 * 7, 10)),
    )


def multiply_adds(model: nn.Module) -> int:
    """Of the convolutions and the last layer, for one image."""
    counts = []

    def count(layer: nn.Module, _: Any, output: Tensor) -> None:
        counts.append(layer.weight[0].numel() * output[0].numel())

    hooks = [
        layer.register_forward_hook(count) for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    model(torch.zeros(1, 1, 28, 28))
    for hook in hooks:
        hook.remove()
    return sum(counts)


def ink_displacement(images: Tensor) -> float:
    """Pixels by which `elastic_warp(images, 1)` moves the ink in the mean, seen in what it does to the coordinates."""
    size = images.shape[-1]
    across = torch.arange(size, dtype=torch.float32).expand(images.shape)
    moves = [elastic_warp(each, 1) - each for each in (across, across.mT.contiguous())]
    length = torch.stack(moves).square().sum(0).sqrt()
    return ((length * images).sum() / images.sum()).item()


def run(data: str = "mnist") -> dict[str, Any]:
    """For each arm and seed: accuracy in training, and on the test images, clean and bent."""
    images, kept = DATA[data](), Kept(f"deformation-{data}", SETTINGS)
    test, labels = images.test[:]
    per_alpha = ink_displacement(test)
    tests = {"clean": TensorDataset(test, labels)}
    for pixels in PIXELS:
        tests[f"{pixels} px"] = TensorDataset(elastic_warp(test, pixels / per_alpha), labels)

    def accuracies(network: nn.Module, train: Dataset, losses: list[float]) -> dict[str, Any]:
        tested = {name: evaluate(network, seen) for name, seen in tests.items()}
        sizes = {"parameters": count_parameters(network), "multiply_adds": multiply_adds(network)}
        return {**sizes, "train_accuracy": evaluate(network, train), "test_accuracy": tested}

    def recipe(rate: float) -> Recipe:
        return Recipe("deformation", batch_size=50, learning_rate=rate, epochs=EPOCHS, schedule="one-cycle")

    arms = [Arm({"arm": arm}, partial(network, arm), IMAGES, recipe) for arm in SETTINGS["arms"]]
    return {"ink_displacement_per_alpha": per_alpha, **judged(images, arms, kept, accuracies)}
