"""Notebook 07, C3: digits shifted, turned and shrunk by equal displacement at a digit's edge, and over a whole range.

The same digits for all three, as many of each class, chosen so that no change up to 4 pixels takes ink away: each is
shifted to the sides on which it has room, and scale means smaller, since a larger digit leaves the frame.
"""

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset
from tqdm import tqdm

from course_utils import CNN, MODERN, ORIGINAL, ModernCNN, evaluate, fit
from course_utils.perturb import rotate, scale
from course_utils.recipes import UNCHANGED
from experiments._claims import SEEDS, Kept, balanced, moved_inside, with_room

CLAIM = "C3"
RADIUS = 10  # pixels from the centre to a digit's edge: MNIST's digits fill 20 by 20
PIXELS = [0, 1, 2, 3, 4]
RANGE = {"shift": list(range(9)), "turn": list(range(0, 181, 15)), "scale": [1.5, 1.25, 1.0, 0.75, 0.5, 0.25]}
EACH_CLASS = 200
# The tutorial's network and recipe; and the modern one without what changes images while it trains.
NETWORKS = {
    "tutorial": (CNN, ORIGINAL),
    "modern, unchanged images": (ModernCNN, replace(MODERN, name="plain", epochs=2, label_smoothing=0, **UNCHANGED)),
}
SETTINGS = {
    "networks": {name: [make.__name__, recipe.name] for name, (make, recipe) in NETWORKS.items()},
    "train_on": "train",
    "seeds": SEEDS,
    "radius": RADIUS,
    "pixels": PIXELS,
    "range": RANGE,
    "test_images_of_each_class": EACH_CLASS,
}
ADAPTED = {"pictures": "shrunk to 20 by 20 pixels in the middle, as MNIST's digits are"}  # on other data


def shifted(images: Tensor, pixels: int) -> list[Tensor]:
    return moved_inside(images, pixels)


def turned(images: Tensor, degrees: float) -> list[Tensor]:
    return [rotate(images, degrees), rotate(images, -degrees)]


def scaled(images: Tensor, factor: float) -> list[Tensor]:
    return [scale(images, factor)]


CHANGES = {"shift": shifted, "turn": turned, "scale": scaled}


def amount(kind: str, pixels: int) -> float:
    """What moves a digit's edge by `pixels`: pixels, degrees, or a factor below 1."""
    return {"shift": pixels, "turn": math.degrees(pixels / RADIUS), "scale": 1 - pixels / RADIUS}[kind]


def keeps_its_ink(images: Tensor) -> Tensor:
    """Which images (N,) lose nothing when they are turned as far as PIXELS go; the other two changes take nothing."""
    larger = F.pad(images, [RADIUS] * 4)
    outside = torch.ones_like(larger[:1])
    outside[..., RADIUS:-RADIUS, RADIUS:-RADIUS] = 0
    lost = [(each * outside).sum((1, 2, 3)) for each in turned(larger, amount("turn", PIXELS[-1]))]
    return torch.stack(lost).amax(0) < 1e-3 * images.sum((1, 2, 3))


def run(data: str = "mnist") -> dict[str, Any]:
    """For each network and seed: accuracy by kind and pixels, and over the range of each kind."""
    images, kept = with_room(data), Kept(f"invariance-{data}", SETTINGS)
    places = balanced(images.test, keeps_its_ink(images.test.images), EACH_CLASS)
    still, labels = images.test[places]

    def accuracy(network: nn.Module, kind: str, value: float) -> float:
        changed = CHANGES[kind](still, value)
        return evaluate(network, TensorDataset(torch.cat(changed), labels.repeat(len(changed))))

    def measured(make: type, recipe: Any, seed: int) -> dict[str, Any]:
        torch.manual_seed(seed)
        network = make()
        fit(network, images.train, recipe, seed=seed)
        by_pixels = {kind: [accuracy(network, kind, amount(kind, by)) for by in PIXELS] for kind in CHANGES}
        over_range = {kind: [accuracy(network, kind, value) for value in RANGE[kind]] for kind in CHANGES}
        return {"accuracy": by_pixels, "over_range": over_range}

    pairs = [(name, seed) for seed in SEEDS for name in NETWORKS]
    runs = [
        {"arm": name, "seed": seed, **kept.get([name, seed], measured, *NETWORKS[name], seed)}
        for name, seed in tqdm(pairs, desc="networks")
    ]
    return {
        "test": {"images": len(places), "of_each_class": len(places) // 10, "most_frequent_class": 0.1},
        "runs": runs,
    }
