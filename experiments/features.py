"""Notebook 07, C1: the tutorial's CNN with and without hand-made maps as further input channels, at three numbers.

The hand-made maps are the responses of twelve edge and line filters, negative ones cut to 0. A third arm is given the
maps of twelve random filters instead, as many weights and as little knowledge. Beside them, for orientation, logistic
regression on the pixels and on either kind of map.
"""

from functools import partial
from itertools import product
from typing import Any

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.utils.data import Dataset

from course_utils import CNN, count_parameters, evaluate
from course_utils.filters import hand_made_kernels
from course_utils.recipes import Recipe
from experiments._claims import DATA, PROTOCOL, SEEDS, TUNING_SEEDS, Arm, Kept, drawn, judged, search

CLAIM = "C1"
EPOCHS = {300: 40, 3000: 15, 30_000: 3}
FILTER_SEED = 0
FIRST_STRENGTHS = [3e-4, 1e-3, 3e-3, 1e-2]  # C of the logistic regression: where the search on validation begins
LINEAR_IMAGES, POOL = [300, 3000], 4
SETTINGS = {
    **PROTOCOL,
    "network": "CNN, with 1 or 13 input channels",
    "epochs": [[images, epochs] for images, epochs in EPOCHS.items()],
    "batch_size": 100,
    "schedule": "one-cycle",
    "filter_seed": FILTER_SEED,
    "logistic_regression": {"images": LINEAR_IMAGES, "first_strengths": FIRST_STRENGTHS, "pool": POOL},
}


def random_kernels() -> Tensor:
    """Twelve kernels (12, 3, 3) whose weights balance, as the hand-made ones' do, and are as large."""
    made = hand_made_kernels()
    kernels = torch.randn(made.shape, generator=torch.Generator().manual_seed(FILTER_SEED))
    kernels -= kernels.mean((1, 2), keepdim=True)
    return kernels * made.flatten(1).norm(dim=1)[:, None, None] / kernels.flatten(1).norm(dim=1)[:, None, None]


KERNELS = {"hand-made": hand_made_kernels, "random": random_kernels}


class Maps(nn.Module):
    """The responses of fixed 3x3 kernels (K, 3, 3) to images (N, 1, H, W), negative ones cut to 0: (N, K, H, W)."""

    def __init__(self, kernels: Tensor):
        super().__init__()
        self.register_buffer("kernels", kernels.unsqueeze(1))

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.conv2d(images, self.kernels, padding=1).relu()


class CNNWithMaps(nn.Module):
    """The tutorial's network, given fixed maps of the image beside the image."""

    def __init__(self, kernels: Tensor):
        super().__init__()
        self.maps = Maps(kernels)
        cnn = CNN()
        cnn.conv1[0] = nn.Conv2d(1 + len(kernels), 16, kernel_size=5, padding=2)
        self.layers = nn.Sequential(cnn.conv1, cnn.conv2, nn.Flatten(), cnn.out)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(torch.cat([images, self.maps(images)], dim=1))


ARMS = {
    "pixels": CNN,
    "pixels and hand-made maps": lambda: CNNWithMaps(hand_made_kernels()),
    "pixels and random maps": lambda: CNNWithMaps(random_kernels()),
}


def linear_accuracy(images: Any, features: str, count: int, seed: int, strength: float, split: str) -> float:
    """Of logistic regression on the pixels or on pooled maps, trained on the images that `seed` draws."""
    of = nn.Flatten() if features == "pixels" else pooled_maps(features)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300, tol=1e-3))
    (train, labels), (seen, wanted) = drawn(seed, count, images.train)[list(range(count))], getattr(images, split)[:]
    return float(model.fit(of(train), labels).score(of(seen), wanted))


def pooled_maps(kernels: str) -> nn.Module:
    return nn.Sequential(Maps(KERNELS[kernels]()), nn.AvgPool2d(POOL), nn.Flatten())


def linear(images: Any, kept: Kept) -> list[dict[str, Any]]:
    """Test accuracies of the logistic regressions, each with the strength that validation chose."""
    found = []
    for count, features in product(LINEAR_IMAGES, ("pixels", *KERNELS)):

        def accuracy(seed: int, strength: float, split: str, of: tuple = (features, count)) -> float:
            return kept.get([*of, seed, strength, split], linear_accuracy, images, *of, seed, strength, split)

        best, _ = search(FIRST_STRENGTHS, partial(accuracy, TUNING_SEEDS[0], split="validation"))
        found += [
            {
                "features": features,
                "images": count,
                "seed": seed,
                "strength": best,
                "test_accuracy": accuracy(seed, best, "test"),
            }
            for seed in SEEDS
        ]
    return found


def run(data: str = "mnist") -> dict[str, Any]:
    """For each arm, number of images and seed the test accuracy; and that of the linear models."""
    images, kept = DATA[data](), Kept(f"features-{data}", SETTINGS)

    def recipe(epochs: int, rate: float) -> Recipe:
        return Recipe("features", batch_size=100, learning_rate=rate, epochs=epochs, schedule="one-cycle")

    def accuracies(network: nn.Module, train: Dataset, losses: list[float]) -> dict[str, Any]:
        accuracy = {"train_accuracy": evaluate(network, train), "test_accuracy": evaluate(network, images.test)}
        return {"parameters": count_parameters(network), **accuracy}

    arms = [
        Arm({"arm": arm, "images": count}, make, count, partial(recipe, epochs))
        for (count, epochs), (arm, make) in product(EPOCHS.items(), ARMS.items())
    ]
    return {**judged(images, arms, kept, accuracies), "linear": linear(images, kept)}
