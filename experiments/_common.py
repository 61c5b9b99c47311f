"""What experiments share: a network trained with a seed, the images of a seed, a choice among candidates."""

from collections.abc import Callable, Sequence
from statistics import mean, median
from typing import TypeVar

import torch
from torch import nn
from torch.utils.data import Dataset, Subset
from tqdm import tqdm

from course_utils import evaluate, fit
from course_utils.data import Splits
from course_utils.recipes import Experiment, Recipe
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
    said = experiment.options(mnist)
    return trained(experiment.model, experiment.train_set(mnist), experiment.recipe, seed, **said, **options)


def tried(candidates: Sequence[Experiment], seeds: Sequence[int], mnist: Splits) -> list[dict]:
    """Of each seed and candidate the accuracy on the validation images, and the seconds of training.

    Seed by seed, so that a slow minute hits all candidates alike.
    """
    runs = []
    for seed in tqdm(seeds, desc="seeds"):
        for candidate in candidates:
            model, history = run_once(candidate, mnist, seed, device="cpu")
            accuracy, seconds = evaluate(model, mnist.validation), history.total_seconds
            runs.append(
                {"candidate": candidate.recipe.name, "seed": seed, "validation_accuracy": accuracy, "seconds": seconds}
            )
    return runs


def mean_accuracy(runs: list[dict], candidate: Experiment) -> float:
    """On the validation images, over the candidate's seeds."""
    return mean(of_candidate(runs, candidate, "validation_accuracy"))


def quickest(candidates: Sequence[Experiment], runs: list[dict], least_accuracy: float) -> Experiment:
    """Of the candidates whose mean accuracy is good enough, the one whose median time is the least."""
    good = [candidate for candidate in candidates if mean_accuracy(runs, candidate) >= least_accuracy]
    if not good:
        raise ValueError(
            f"no candidate reaches {least_accuracy:.2%} on the validation images: add longer ones, or lengthen these"
        )
    return min(good, key=lambda candidate: median(of_candidate(runs, candidate, "seconds")))


def of_candidate(runs: list[dict], candidate: Experiment, value: str) -> list[float]:
    """`value` of the candidate's runs, among those of all."""
    return [run[value] for run in runs if run["candidate"] == candidate.recipe.name]


def tune(
    candidates: Sequence[Candidate], train: Callable[[Candidate], object], score: Callable[[object], float]
) -> tuple[Candidate, list[float]]:
    """The candidate whose model scores highest, the first of equals; and the scores of all, in their order.

    `train` makes a candidate's model, `score` measures it on images that are neither trained on nor tested.
    """
    scores = [score(train(candidate)) for candidate in candidates]
    return candidates[scores.index(max(scores))], scores


def images_of(seed: int, count: int, dataset: Dataset) -> Subset:
    """The images of a seed: no two seeds train on the same ones."""
    return Subset(dataset, range((seed - 1) * count, seed * count))
