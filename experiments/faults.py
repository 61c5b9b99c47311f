"""Notebook 04: what the two faults cost that let the network run, each alone, by the tutorial's recipe."""

from itertools import product
from typing import Any

from torch import nn
from tqdm import tqdm

from course_utils import CNN, ORIGINAL, evaluate, load_mnist
from course_utils.recipes import settings_of
from experiments._claims import SEEDS, Kept
from experiments._common import trained

SETTINGS = {
    "recipe": settings_of(ORIGINAL),
    "model": "CNN, with one fault or none",
    "train_on": "train",
    "seeds": SEEDS,
}


def without_second_relu() -> nn.Module:
    network = CNN()
    network.conv2[1] = nn.Identity()
    return network


def with_second_softmax() -> nn.Module:
    return nn.Sequential(CNN(), nn.Softmax(dim=1))  # cross_entropy has one already


FAULTS = {"none": CNN, "no second ReLU": without_second_relu, "a second softmax": with_second_softmax}


def run() -> dict[str, Any]:
    """For each fault and seed the accuracy on the validation images: no choice is made by it."""
    images, kept = load_mnist(), Kept("faults", SETTINGS)

    def accuracy(fault: str, seed: int) -> float:
        network, _ = trained(FAULTS[fault], images.train, ORIGINAL, seed)
        return evaluate(network, images.validation)

    pairs = tqdm(list(product(SEEDS, FAULTS)), desc="networks")
    runs = [
        {"fault": fault, "seed": seed, "accuracy": kept.get([fault, seed], accuracy, fault, seed)}
        for seed, fault in pairs
    ]
    return {"runs": runs}
