"""What the experiments that judge claims share: arms, seeds, tuned learning rates, runs kept as they come.

An arm is a network and how it is trained. All arms of an experiment train with the same seeds, which draw their images,
the order of these and the first weights; the seeds that choose a learning rate are others.
"""

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset, Subset
from tqdm import tqdm

from course_utils import evaluate, evidence, fit, load_fashion_mnist, load_mnist
from course_utils.data import ImageSet, Splits
from course_utils.perturb import shift
from course_utils.recipes import Recipe

DATA: dict[str, Callable[[], Splits]] = {"mnist": load_mnist, "fashion": load_fashion_mnist}
SEEDS = [1, 2, 3, 4, 5]
TUNING_SEEDS = [101]
FIRST_RATES = [3e-3, 1e-2, 3e-2]  # where the search for a learning rate begins
TRAVELLING = ["features", "layers", "invariance", "sharing", "translation", "deformation"]  # run on each data set
PROTOCOL = {"seeds": SEEDS, "tuning_seeds": TUNING_SEEDS, "first_rates": FIRST_RATES}  # part of all settings


def settings_of(experiment: Any, data: str) -> dict[str, Any]:
    """All that decides the result of an experiment on a data set: its SETTINGS, and what is ADAPTED elsewhere."""
    if data == "mnist":
        return experiment.SETTINGS
    return {**experiment.SETTINGS, "data": data, **getattr(experiment, "ADAPTED", {})}


def with_room(data: str) -> Splits:
    """A data set whose pictures can move by 4 pixels and be turned without losing anything.

    MNIST is so as published: its digits fill 20 by 20 pixels. Clothes fill all 28, so they are shrunk to 20 by 20.
    """
    splits = DATA[data]()
    if data == "mnist":
        return splits
    return Splits(*map(_framed, (splits.train, splits.validation, splits.test, splits.full_train)))


def _framed(images: ImageSet) -> ImageSet:
    """Pictures shrunk to 20 by 20 pixels, with 4 black ones on each side."""
    small = [F.interpolate(chunk, 20, mode="bilinear", antialias=True) for chunk in images.images.split(1000)]
    return ImageSet(F.pad(torch.cat(small), [4] * 4)[:, 0].mul(255).round().byte(), images.labels)


class Arm(NamedTuple):
    """A network, the number of its training images, its recipe at a learning rate; `key` names it in the results."""

    key: dict[str, Any]
    make: Callable[[], nn.Module]
    images: int
    recipe: Callable[[float], Recipe]

    def run(self, data: Any, rate: float, seed: int, measure: "Measure") -> dict[str, Any]:
        """What `measure` finds in the network that `seed` gives."""
        images = drawn(seed, self.images, data.train)
        torch.manual_seed(seed)
        network = self.make()
        losses = fit(network, images, self.recipe(rate), seed=seed).step_loss
        return measure(network, images, losses)


Measure = Callable[[nn.Module, Dataset, list[float]], dict[str, Any]]  # of a network, its images, the loss of each step


class Kept:
    """Runs kept in a file as they come, so that an experiment that was stopped goes on where it was.

    The file belongs to one experiment, its settings and its data; with other settings it begins anew.
    """

    def __init__(self, name: str, settings: dict[str, Any]):
        self.path = Path(evidence.folder(), "partial", f"{name}.jsonl")
        self.path.parent.mkdir(exist_ok=True)
        head = json.dumps(settings)
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        if lines[:1] != [head]:
            lines = [head]
            self.path.write_text(head + "\n", encoding="utf-8")
        self.runs = dict(json.loads(line) for line in lines[1:])

    def get(self, key: Any, make: Callable[..., Any], *arguments: Any) -> Any:
        """The run with this key: from the file, or made now by `make(*arguments)` and added to it."""
        name = json.dumps(key)
        if name not in self.runs:
            self.runs[name] = made = make(*arguments)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, made]) + "\n")
        return self.runs[name]


def judged(data: Any, arms: list[Arm], kept: Kept, measure: Measure, score: Measure | None = None) -> dict[str, list]:
    """For each arm the learning rate with the highest score; then what `measure` finds in the network of each seed.

    The score is the accuracy on the validation images, unless `score` returns another, as {"score": …}.
    """

    def by_validation(network: nn.Module, images: Dataset, losses: list[float]) -> dict[str, float]:
        return {"score": evaluate(network, data.validation)}

    chosen, runs = [], []
    for arm in tqdm(arms, desc="arms"):
        choice = {**arm.key, **tuned(arm, data, kept, score or by_validation)}
        chosen.append(choice)
        for seed in SEEDS:
            key = [arm.key, seed, measure.__name__]
            found = kept.get(key, arm.run, data, choice["rate"], seed, measure)
            runs.append({**arm.key, "seed": seed, "rate": choice["rate"], **found})
    return {"chosen": chosen, "runs": runs}


def tuned(arm: Arm, data: Any, kept: Kept, score: Measure) -> dict[str, Any]:
    """The learning rate of the highest mean score over the tuning seeds, and all that were tried."""

    def mean_score(rate: float) -> float:
        keys = [([arm.key, rate, seed, score.__name__], seed) for seed in TUNING_SEEDS]
        return statistics.mean(kept.get(key, arm.run, data, rate, seed, score)["score"] for key, seed in keys)

    rate, tried = search(FIRST_RATES, mean_score)
    return {"rate": rate, "tried": tried}


def search(first: list[float], score: Callable[[float], float]) -> tuple[float, list[list[float]]]:
    """The value with the highest score, and all values tried with theirs.

    The grid grows on the side of the best value, a factor of about 3 at a time, until that lies at no edge.
    """
    grid, scores = list(first), {}
    while True:
        scores |= {value: score(value) for value in grid if value not in scores}
        best = max(grid, key=scores.__getitem__)
        if best not in (grid[0], grid[-1]):
            return best, [[value, scores[value]] for value in grid]
        grid = [_beside(best, -1), *grid] if best == grid[0] else [*grid, _beside(best, 1)]


def _beside(value: float, step: int) -> float:
    """The value `step` places further on in … 1e-3, 3e-3, 1e-2, 3e-2 …"""
    mantissa, exponent = f"{value:.0e}".split("e")
    place = 2 * int(exponent) + (mantissa == "3") + step
    return float(f"{'13'[place % 2]}e{place // 2}")


def drawn(seed: int, count: int, data: Dataset) -> Subset:
    """`count` images of `data` in an order that `seed` draws."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    return Subset(data, order[:count].tolist())


def balanced(images: ImageSet, chosen: Tensor, most: int) -> Tensor:
    """Places of `most` images of each class, or of as many as the rarest class has among `chosen` (N,), bool."""
    places = [(chosen & (images.labels == label)).nonzero().squeeze(1) for label in images.labels.unique()]
    count = min(most, *map(len, places))
    return torch.cat([each[:count] for each in places])


def moved_inside(images: Tensor, pixels: int) -> list[Tensor]:
    """Images (N, 1, H, W) moved along x, and along y, each to the side on which it has more room.

    An MNIST digit, 20 pixels at most, can go 4 pixels that way and lose nothing.
    """
    moved = []
    for axis, (dx, dy) in ((3, (pixels, 0)), (2, (0, pixels))):
        ink = images.sum(1).amax(4 - axis) > 0  # (N, size): where along this axis there is any
        before, after = ink.float().argmax(1), ink.flip(1).float().argmax(1)
        onward = (after >= before)[:, None, None, None]
        moved.append(torch.where(onward, shift(images, dx, dy), shift(images, -dx, -dy)))
    return moved
