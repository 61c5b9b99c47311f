"""What experiments share: a network trained with a seed, a choice among candidates, and what those of 02 have alike."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import nn
from torch.utils.data import Dataset, Subset

from course_utils import ORIGINAL, evaluate, fit
from course_utils.data import Splits
from course_utils.recipes import Experiment, Recipe, settings_of
from course_utils.training import History

Candidate = TypeVar("Candidate")


def trained(
    make: Callable[[], nn.Module], train: Dataset, recipe: Recipe, seed: int, **options
) -> tuple[nn.Module, History]:
    """A new network after its training, and the history; `seed` fixes weights, batches and random changes."""
    torch.manual_seed(seed)
    network = make()
    return network, fit(network, train, recipe, seed=seed, **options)


def run_once(experiment: Experiment, mnist: Splits, seed: int, **options) -> tuple[nn.Module, History]:
    """The same for what an `Experiment` says; `options` go to `fit`."""
    watching = {"watch": experiment.watched(mnist), "look_every": experiment.look_every}
    return trained(experiment.model, experiment.train_set(mnist), experiment.recipe, seed, **watching, **options)


def tune(
    candidates: Sequence[Candidate], train: Callable[[Candidate], object], score: Callable[[object], float]
) -> tuple[Candidate, list[float]]:
    """The candidate whose model scores highest, the first of equals; and the scores of all, in their order.

    `train` makes a candidate's model, `score` measures it on images that are neither trained on nor tested.
    """
    scores = [score(train(candidate)) for candidate in candidates]
    return candidates[scores.index(max(scores))], scores


# --- notebook 02: layers with the same outputs, on 1,000 to 10,000 images ---------------------------------------------

# More passes over fewer images: each run ends with its training images learned, or nearly.
EPOCHS = {1000: 15, 3000: 6, 10_000: 3}
SEEDS = [1, 2, 3]
TUNING_SEED = 4  # neither these training images nor these first weights occur in the experiments
RECIPE = replace(ORIGINAL, name="run", batch_size=100, schedule="one-cycle")
SHARED_SETTINGS = {
    "recipe": settings_of(RECIPE, tuned=("learning_rate", "epochs")),
    "train_on": "train",
    "tuned_on": "validation",
    "seeds": SEEDS,
    "tuning_seed": TUNING_SEED,
}


def images_of(seed: int, count: int, dataset: Dataset) -> Subset:
    """The images of a seed: no two seeds train on the same ones."""
    return Subset(dataset, range((seed - 1) * count, seed * count))


def trained_layers(
    make: Callable[[], nn.Module], images: Dataset, rate: float, epochs: int, seed: int
) -> tuple[nn.Module, History]:
    """A network trained by RECIPE with this learning rate."""
    return trained(make, images, replace(RECIPE, learning_rate=rate, epochs=epochs), seed)


def tuned_rate(
    make: Callable[[], nn.Module], images: Dataset, validation: Dataset, rates: list[float], epochs: int
) -> dict:
    """The best learning rate, and under "tuning" the validation accuracy of each."""
    rate, scores = tune(
        rates,
        lambda rate: trained_layers(make, images, rate, epochs, TUNING_SEED)[0],
        lambda network: evaluate(network, validation),
    )
    return {"tuning": dict(zip(rates, scores, strict=True)), "rate": rate}
