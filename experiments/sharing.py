"""Notebook 02, C5: local and shared filters, under three heads, on 300 to 3,000 images.

What differs between "local" and "shared" is sharing alone. The heads "every 4th" and "largest of 4 by 4" have as many
weights and differ in pooling alone; "all positions" reads 16 times as many numbers.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from course_utils import count_parameters, evaluate
from course_utils.models import LAYERS
from course_utils.recipes import Recipe
from experiments._claims import DATA, PROTOCOL, Arm, Kept, judged

CLAIM = "C5"
EPOCHS = {  # by number of images: digits end with their training images learned; clothes take longer, see notebook 09
    "mnist": {300: 30, 1000: 15, 3000: 8},
    "fashion": {300: 60, 1000: 45, 3000: 30},
}
LEARNED = 0.1  # a training loss, averaged over ten steps: "easier" is counted in the updates that lead to it
SETTINGS = {
    **PROTOCOL,
    "network": "16 local or shared 5x5 filters, ReLU, head",
    "heads": ["every 4th", "largest of 4 by 4", "all positions"],
    "epochs": [[images, epochs] for images, epochs in EPOCHS["mnist"].items()],
    "batch_size": 100,
    "schedule": {"accuracy": "one-cycle", "updates": "constant"},
    "learned": LEARNED,
}
ADAPTED = {"epochs": [[images, epochs] for images, epochs in EPOCHS["fashion"].items()]}


class Every4th(nn.Module):
    """Every 4th position, down and across, of maps (N, C, H, W): as many as the largest of 4 by 4."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps[..., 2::4, 2::4]


HEADS: dict[str, tuple[Callable[[], nn.Module], int]] = {  # what becomes of the maps, and the positions that are left
    "every 4th": (Every4th, 7 * 7),
    "largest of 4 by 4": (lambda: nn.MaxPool2d(4), 7 * 7),
    "all positions": (nn.Identity, 28 * 28),
}


def network(arm: str, head: str) -> nn.Module:
    reduce, positions = HEADS[head]
    return nn.Sequential(LAYERS[arm](), nn.ReLU(), reduce(), nn.Flatten(), nn.Linear(16 * positions, 10))


def arms(data: str, schedule: str) -> list[Arm]:
    epochs = EPOCHS[data]

    def recipe(images: int, rate: float) -> Recipe:
        return Recipe("sharing", batch_size=100, learning_rate=rate, epochs=epochs[images], schedule=schedule)

    return [
        Arm({"arm": arm, "head": head, "images": images}, partial(network, arm, head), images, partial(recipe, images))
        for images, head, arm in product(epochs, HEADS, ("local", "shared"))
    ]


def updates_to_learn(losses: list[float]) -> int:
    """Updates until the loss of the last ten, averaged, is below LEARNED; all of them if it never is."""
    below = torch.tensor(losses).unfold(0, 10, 1).mean(1) < LEARNED
    return int(below.nonzero()[0]) + 10 if below.any() else len(losses)


def run(data: str = "mnist") -> dict[str, Any]:
    """Accuracies with the rate that is best for them, and updates with the rate that needs the fewest."""
    images, kept = DATA[data](), Kept(f"sharing-{data}", SETTINGS)

    def accuracies(network: nn.Module, train: Dataset, losses: list[float]) -> dict[str, Any]:
        accuracy = {"train_accuracy": evaluate(network, train), "test_accuracy": evaluate(network, images.test)}
        return {"parameters": count_parameters(network), **accuracy}

    def few_updates(network: nn.Module, train: Dataset, losses: list[float]) -> dict[str, Any]:
        return {"score": -updates_to_learn(losses)}

    accurate = judged(images, arms(data, "one-cycle"), kept, accuracies)
    quick = judged(images, arms(data, "constant"), kept, few_updates, few_updates)
    runs = [
        {**one, "updates": -other["score"], "rate_for_updates": other["rate"]}
        for one, other in zip(accurate["runs"], quick["runs"], strict=True)
    ]
    return {"chosen": accurate["chosen"], "chosen_for_updates": quick["chosen"], "runs": runs}
