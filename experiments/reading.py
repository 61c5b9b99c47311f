"""Notebook 06: how sure the network must be to be believed, and what it reads on pages made by code and elsewhere.

The rule: the *lowest threshold* of the confidence at which at most one in a thousand of the validation digits that are
kept is wrong; the confidence after temperature scaling, fitted on the same digits. How `course_utils.photo` looks for
digits was settled on pages of validation digits; those of test digits were looked at once.
"""

from dataclasses import asdict

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from tqdm import tqdm

from course_utils import analysis, evidence, load_checkpoint, load_mnist, photo
from course_utils.data import ImageSet
from course_utils.mnist_form import mnist_way
from course_utils.validate import IMAGE_SHAPE
from experiments._pages import KINDS, Kind, MadePage, page

WRONG = 0.001  # of the digits that are kept
PAGES = 5  # of each kind
LINES, COLUMNS = 3, 4
SETTINGS = {
    "checkpoint": photo.CHECKPOINT,
    "fitted_on": "validation",
    "wrong_at_most": WRONG,
    "pages_of_each_kind": PAGES,
    "digits_on_a_page": [LINES, COLUMNS],
    "kinds": {name: asdict(kind) for name, kind in KINDS.items()},
}


def chosen_threshold(confidence: Tensor, correct: Tensor) -> float:
    """The lowest confidence at which at most `WRONG` of the answers with this one or more are wrong."""
    kept = len(confidence) - analysis.deferred_count(confidence, correct, 1 - WRONG)
    return confidence.sort(descending=True).values[kept - 1].item()


def score(made: MadePage, found: photo.Page, reading: photo.Reading, height: int) -> dict[str, int]:
    """How many digits are read right, read wrong or missed, and pieces that are no digit; and of those it is sure of.

    A digit is found where the middle of exactly one box lies within half its height.
    """
    boxes = np.array(found.boxes, dtype=float)
    apart = np.abs((boxes[:, :2] + boxes[:, 2:] / 2)[None] - made.centres[:, None]).max(axis=2)
    near = apart < height / 2  # (digits, boxes)
    truth = [digit for line in made.lines for digit in line]
    alone = [(digit, np.flatnonzero(boxes)) for digit, boxes in zip(truth, near, strict=True)]
    read = [(digit, int(boxes[0])) for digit, boxes in alone if len(boxes) == 1]
    right = [reading.digits[index].item() == digit for digit, index in read]
    sure = [bool(reading.sure[index]) for _, index in read]
    return {
        "digits": len(truth),
        "right": sum(right),
        "missed": len(truth) - len(read),
        "extra": int(np.count_nonzero(~near.any(axis=0))),
        "sure": sum(sure),
        "sure_and_right": sum(is_sure and is_right for is_sure, is_right in zip(sure, right, strict=True)),
        "whole_pages": int(reading.digits.tolist() == truth),
    }


def on_pages(network: nn.Module, images: ImageSet, kind: Kind, limits: tuple[float, float], seed: int) -> dict:
    """The sums of `score` over `PAGES` pages of a kind."""
    random, sums = np.random.default_rng(seed), {}
    for number in range(PAGES):
        pixels, labels = images[random.permutation(len(images))[: LINES * COLUMNS].tolist()]
        made = page(kind, pixels, labels.tolist(), COLUMNS, seed=1000 * seed + number)
        try:
            found = photo.find_digits(made.picture)
            counts = score(made, found, photo.read(network, found.images, *limits), kind.height)
        except photo.BadPhoto:
            counts = {"digits": LINES * COLUMNS, "missed": LINES * COLUMNS}
        sums = {name: sums.get(name, 0) + counts.get(name, 0) for name in {**sums, **counts}}
    return sums


def on_scikit_learns(network: nn.Module) -> dict[str, int]:
    """How many of scikit-learn's digits of 8 by 8 pixels are read right: scaled up, and brought into MNIST's form."""
    digits = load_digits()
    images, labels = torch.from_numpy(digits.images / 16).float()[:, None], torch.from_numpy(digits.target)
    fine = F.interpolate(images, size=10 * images.shape[-1], mode="bicubic").clamp(0, 1)
    ways = {
        "as they are": F.interpolate(images, size=IMAGE_SHAPE[1:], mode="bilinear"),
        "MNIST's form": torch.stack([mnist_way(image) for image in fine[:, 0]])[:, None],
    }
    right = {name: photo.read(network, pixels).digits == labels for name, pixels in ways.items()}
    return {"digits": len(labels), **{name: int(found.sum()) for name, found in right.items()}}


def run() -> dict:
    """Temperature and threshold; what is kept; counts on pages of validation and test digits; the other collection."""
    mnist, network = load_mnist(), load_checkpoint(evidence.folder() / photo.CHECKPOINT)
    logits, labels = analysis.logits_of(network, mnist.validation.images), mnist.validation.labels
    temperature = analysis.fit_temperature(logits, labels)
    confidence, answers = analysis.probabilities_of(logits, temperature).max(dim=1)
    threshold = chosen_threshold(confidence, answers == labels)
    kept = confidence >= threshold
    splits = {"validation": mnist.validation, "test": mnist.test}
    pages = {
        split: {
            name: on_pages(network, images, kind, (temperature, threshold), seed)
            for seed, (name, kind) in enumerate(tqdm(KINDS.items(), desc=split))
        }
        for split, images in splits.items()
    }
    return {
        "temperature": temperature,
        "threshold": threshold,
        "validation": {
            "digits": len(labels),
            "kept": int(kept.sum()),
            "wrong": int((answers != labels).sum()),
            "kept_and_wrong": int((answers != labels)[kept].sum()),
        },
        "pages": pages,
        "scikit_learn": on_scikit_learns(network),
    }
