"""Recipes, which are optimisation and nothing else, and what the command line and the bench train by them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from torch import nn
from torch.utils.data import Dataset

from course_utils import validate
from course_utils.data import Splits
from course_utils.models import ModernCNN, NineViewCNN, NineViewModernCNN, PooledFirstCNN

SCHEDULES = ("constant", "one-cycle")
AFFINE = ("max_shift", "max_rotation", "max_scale", "max_shear")
UNCHANGED = dict.fromkeys(AFFINE, 0)  # replace(MODERN, **UNCHANGED) trains on the images as they are


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. Change one value with `dataclasses.replace(ORIGINAL, learning_rate=1e-2)`.

    `schedule` is "constant", or "one-cycle": the learning rate rises to `learning_rate` and falls to nearly nothing
    (Smith and Topin, 2018, arXiv:1708.07120). `epochs` may be a part of one. Each training image is turned, scaled,
    slanted and moved by random amounts, each time anew, up to `max_rotation` degrees, `max_scale`, `max_shear` and
    `max_shift` pixels: see `perturb.random_affine`. `label_smoothing` is the share of the target taken from the right
    class and spread over all ten (Szegedy et al., 2016, arXiv:1512.00567).
    """

    name: str
    batch_size: int = 50
    learning_rate: float = 1e-3
    epochs: float = 1
    schedule: str = "constant"
    max_shift: float = 0
    max_rotation: float = 0
    max_scale: float = 0
    max_shear: float = 0
    label_smoothing: float = 0

    def __post_init__(self):
        validate.whole_number("batch_size", self.batch_size, at_least=1)
        for name in ("learning_rate", "epochs"):
            validate.number(name, getattr(self, name), above=0)
        for name in ("max_shift", "max_rotation", "max_shear"):
            validate.number(name, getattr(self, name), at_least=0)
        for name in ("max_scale", "label_smoothing"):
            validate.number(name, getattr(self, name), at_least=0, below=1)
        validate.one_of("schedule", self.schedule, SCHEDULES)


ORIGINAL = Recipe("original")
MODERN = Recipe(
    "modern",
    batch_size=64,
    learning_rate=2e-2,
    schedule="one-cycle",
    max_shift=1,
    max_rotation=10,
    max_scale=0.1,
    max_shear=0.1,
    label_smoothing=0.1,
)
# The batches of QUICK and BEST, how long the one trains and at which rate the other, were chosen by
# experiments/choices.py; the rest in trials on validation. A part of an epoch needs no changed images: it sees none of
# them twice.
QUICK = replace(MODERN, name="quick", batch_size=48, epochs=0.1, label_smoothing=0.2, **UNCHANGED)
# To read 99 % of the test images in little time, chosen by experiments/ninety_nine.py.
NINETY_NINE = replace(MODERN, name="ninety-nine", learning_rate=1.5e-2, epochs=0.5, **UNCHANGED)
BEST = replace(MODERN, name="best", batch_size=128, learning_rate=1.4e-2, epochs=4.3, label_smoothing=0.05)


def settings_of(recipe: Recipe, *, tuned: tuple[str, ...] = ()) -> dict[str, Any]:
    """The recipe's values as they are stored beside a result, without those that were `tuned` and so differ by run."""
    return {name: value for name, value in asdict(recipe).items() if name not in tuned}


@dataclass(frozen=True)
class Experiment:
    """What is trained by a recipe: the network, the split of `Splits` it learns, what is watched, how often, and how.

    `look_every` counts steps; None never looks. A look changes no weight, but it takes time. `mixed_precision` is that
    of `fit`: less time where the processor has instructions for bfloat16.
    """

    recipe: Recipe
    model: Callable[[], nn.Module]
    train_on: str
    watch: str | None = None
    look_every: int | None = None
    mixed_precision: bool = False

    def train_set(self, mnist: Splits) -> Dataset:
        """The images to train on."""
        return getattr(mnist, self.train_on)

    def options(self, mnist: Splits) -> dict[str, Any]:
        """What `fit` is told besides the network, its images and the recipe."""
        looks = {"watch": self.watched(mnist), "look_every": self.look_every}
        return {**looks, "mixed_precision": self.mixed_precision}

    def watched(self, mnist: Splits) -> tuple[str, Dataset] | None:
        """The `watch` of `fit`. The tutorial calls its part of the test images "test" in its log."""
        return (self.watch.removesuffix("_first_2000"), getattr(mnist, self.watch)) if self.watch else None

    def settings(self) -> dict[str, Any]:
        """All of it as it is stored beside a result, the network by its name; of looks, where there are any."""
        looks = {"watch": self.watch, "look_every": self.look_every} if self.watch else {}
        ran = {"model": _name(self.model), "train_on": self.train_on}
        precision = {"mixed_precision": True} if self.mixed_precision else {}
        return {**ran, **looks, **precision, "recipe": settings_of(self.recipe)}


def _name(model: Callable[[], nn.Module]) -> str:
    """What builds the network, as one would call it."""
    if not isinstance(model, partial):
        return getattr(model, "__name__", repr(model))
    values = [*map(repr, model.args), *(f"{name}={value!r}" for name, value in model.keywords.items())]
    return f"{_name(model.func)}({', '.join(values)})"


EXPERIMENTS = {
    "original": Experiment(
        ORIGINAL,
        PooledFirstCNN,
        train_on="full_train",
        watch="test_first_2000",
        look_every=100,
        mixed_precision=True,
    ),
    # 860 steps. Each look at 5,000 validation images takes the time of some thirty of them: so there are two.
    "modern": Experiment(MODERN, ModernCNN, train_on="train", watch="validation", look_every=430, mixed_precision=True),
    # The next two are over before they could be watched.
    "quick": Experiment(QUICK, ModernCNN, train_on="train", mixed_precision=True),
    "ninety-nine": Experiment(NINETY_NINE, NineViewModernCNN, train_on="train", mixed_precision=True),
    # Looked at once an epoch.
    "best": Experiment(BEST, NineViewCNN, train_on="train", watch="validation", look_every=430, mixed_precision=True),
}
# Beside them in `make bench`: the tutorial's own script, and PyTorch's MNIST example.
REFERENCE, PEER = "reference", "pytorch/examples"
