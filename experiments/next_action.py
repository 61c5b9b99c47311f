"""Notebook 06: training on against a kind of mistake, and what that costs elsewhere, counted on validation images."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from tqdm import tqdm

from course_utils import MODERN, analysis, evidence, fit, load_checkpoint, load_mnist, perturb
from course_utils.recipes import settings_of
from experiments._common import images_of

RECIPE = replace(MODERN, name="trained on", learning_rate=5e-3)
COUNT = 9600  # images that a network is trained on with, every second of them changed
CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "nothing": Tensor.clone,  # the control: as many steps on the images as they are
    "gaps": lambda images: perturb.erase(images, 0.2),
    "thick pen": perturb.thicken,
}
NEIGHBOURS = [(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]

SETTINGS = {
    "recipe": settings_of(RECIPE),
    "model": "ModernCNN, as modern_network stored it",
    "train_on": "train",
    "images": COUNT,
    "changes": list(CHANGES),
    "seeds": [1, 2, 3, 4, 5],
}


def run() -> dict[str, Any]:
    """For each change and seed: mistakes cured and made, and the share right where all images are so changed.

    Besides, without any training, the mistakes cured and made by the mean of nine readings, one pixel apart.
    """
    mnist = load_mnist()
    images, labels = mnist.validation[:]
    stored = load_checkpoint(evidence.folder() / "modern_network.pt")
    right = analysis.logits_of(stored, images).argmax(dim=1) == labels

    def found(logits: Tensor) -> dict[str, int]:
        now = logits.argmax(dim=1) == labels
        return {"cured": (now & ~right).sum().item(), "made": (right & ~now).sum().item()}

    def changed(network: nn.Module) -> dict[str, float]:
        answers = {name: analysis.logits_of(network, change(images)).argmax(1) for name, change in CHANGES.items()}
        return {name: (given == labels).double().mean().item() for name, given in answers.items()}

    runs = []
    for seed in tqdm(SETTINGS["seeds"], desc="seeds"):
        for name, change in CHANGES.items():
            network = copy.deepcopy(stored)
            fit(network, _half_changed(images_of(seed, COUNT, mnist.train), change), RECIPE, seed=seed)
            outcome = {**found(analysis.logits_of(network, images)), "right": changed(network)}
            runs.append({"change": name, "seed": seed, **outcome})
    readings = [analysis.logits_of(stored, perturb.shift(images, *moved)).softmax(dim=1) for moved in NEIGHBOURS]
    return {
        "mistakes": (~right).sum().item(),
        "before": changed(stored),
        "runs": runs,
        "nine readings": found(torch.stack(readings).mean(dim=0)),
    }


def _half_changed(dataset: Any, change: Callable[[Tensor], Tensor]) -> TensorDataset:
    images, labels = dataset.dataset[list(dataset.indices)]
    images = images.clone()
    images[::2] = change(images[::2])
    return TensorDataset(images, labels)
