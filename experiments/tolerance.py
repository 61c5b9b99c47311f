"""Notebook 07, C3: accuracy on images moved, turned, scaled, noisy, blurred; networks trained with such or not."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset
from tqdm import tqdm

from course_utils import CNN, MODERN, ORIGINAL, ModernCNN, evaluate, load_mnist
from course_utils.data import ImageSet, Splits
from course_utils.perturb import blur, noise, pixels_lost, rotate, scale, shift
from course_utils.recipes import UNCHANGED, Experiment
from experiments._common import run_once, trained

TUTORIAL = Experiment(ORIGINAL, CNN, train_on="train")
# Without anything in the modern recipe that changes images, or that the tolerance could come from.
PLAIN = Experiment(replace(MODERN, name="plain", epochs=2, label_smoothing=0, **UNCHANGED), ModernCNN, train_on="train")
SEEDS = [1, 2, 3, 4, 5]
WHOLE_TO = 4  # pixels: shifts are measured on digits that lose nothing when moved this far, in any direction
EVERY = 2  # every second test image is used, to halve the time
DIRECTIONS = {"right": (1, 0), "left": (-1, 0), "down": (0, 1), "up": (0, -1)}
VALUES = {
    **{name: list(range(9)) for name in DIRECTIONS},  # pixels
    "rotation": list(range(-90, 91, 15)),  # degrees, counter-clockwise
    "scale": [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5],
    "noise": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5],  # standard deviation in grey levels, black to white being 1
    "blur": [0.0, 0.5, 1.0, 1.5, 2.0],  # standard deviation in pixels
}
APPLY: dict[str, Callable[[Tensor, float, int], Tensor]] = {  # images, value, seed
    **{name: lambda images, by, _, x=x, y=y: shift(images, by * x, by * y) for name, (x, y) in DIRECTIONS.items()},
    "rotation": lambda images, degrees, _: rotate(images, degrees),
    "scale": lambda images, factor, _: scale(images, factor),
    "noise": noise,
    "blur": lambda images, sigma, _: blur(images, sigma),
}
TEST_SEED = 1  # of the noise on the test images
# What a network is trained with, beside the images as they are: nothing else, turned ones, or all kinds.
TRAINED_WITH = {"plain": [], "turned": ["rotation"], "all kinds": list(VALUES)}
SETTINGS = {
    "tutorial": TUTORIAL.settings(),
    "plain": PLAIN.settings(),
    "seeds": SEEDS,
    "whole_to": WHOLE_TO,
    "every": EVERY,
    "values": VALUES,
    "test_seed": TEST_SEED,
    "trained_with": TRAINED_WITH,
}


class Changed(Dataset):
    """Images in batches cut into equal parts: one stays as it is, the others are changed, a kind each."""

    def __init__(self, images: ImageSet, kinds: list[str], seed: int):
        self.images, self.kinds = images, kinds
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: list[int]) -> tuple[Tensor, Tensor]:
        pixels, labels = self.images[index]
        parts = list(pixels.tensor_split(len(self.kinds) + 1))
        for place, kind in enumerate(self.kinds, start=1):
            lowest, highest = VALUES[kind][0], VALUES[kind][-1]
            drawn = lowest + (highest - lowest) * torch.rand(1, generator=self.generator).item()
            value = round(drawn) if kind in DIRECTIONS else drawn
            noise_seed = int(torch.randint(2**31, (1,), generator=self.generator))
            parts[place] = APPLY[kind](parts[place], value, noise_seed)
        return torch.cat(parts), labels


def train(name: str, seed: int, mnist: Splits) -> nn.Module:
    if name == "tutorial":
        return run_once(TUTORIAL, mnist, seed)[0]
    changed = Changed(PLAIN.train_set(mnist), TRAINED_WITH[name], seed)
    return trained(PLAIN.model, changed, PLAIN.recipe, seed)[0]


def run() -> list[dict]:
    """For each network and seed: accuracy at each value of each kind."""
    mnist = load_mnist()
    runs = [(name, seed) for name in ("tutorial", *TRAINED_WITH) for seed in SEEDS]
    networks = [train(name, seed, mnist) for name, seed in tqdm(runs, desc="networks")]
    results = [{"network": name, "seed": seed, "accuracy": {kind: [] for kind in VALUES}} for name, seed in runs]
    images, labels = mnist.test[::EVERY]
    lost = [pixels_lost(images, WHOLE_TO * dx, WHOLE_TO * dy) for dx, dy in DIRECTIONS.values()]
    whole = torch.stack(lost).sum(0) == 0
    conditions = [(kind, value) for kind, values in VALUES.items() for value in values]
    for kind, value in tqdm(conditions, desc="conditions"):
        chosen = whole if kind in DIRECTIONS else torch.ones_like(whole)
        seen = TensorDataset(APPLY[kind](images[chosen], value, TEST_SEED), labels[chosen])
        for network, result in zip(networks, results, strict=True):
            result["accuracy"][kind].append(evaluate(network, seen))
    return results
