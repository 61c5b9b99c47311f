"""Notebook 06: how sure networks are that were trained with smoothed labels and with plain ones."""

from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from course_utils import MODERN, ModernCNN, analysis, load_mnist
from course_utils.recipes import Experiment
from experiments._common import run_once

SMOOTHED = Experiment(MODERN, ModernCNN, train_on="train")
PLAIN = Experiment(replace(MODERN, name="plain labels", label_smoothing=0), ModernCNN, train_on="train")
SETTINGS = {"experiments": [each.settings() for each in (SMOOTHED, PLAIN)], "seeds": [1, 2, 3]}


def run() -> list[dict[str, Any]]:
    """For each recipe and seed the temperature from validation images, and on test images the scores with and without.

    The expected calibration error of 15 bins (0..1), the negative log-likelihood (nats) and the Brier score (0..2).
    """
    mnist = load_mnist()
    runs = []
    for seed in tqdm(SETTINGS["seeds"], desc="seeds"):
        for experiment in (SMOOTHED, PLAIN):
            network, _ = run_once(experiment, mnist, seed)
            logits = analysis.logits_of(network, mnist.test.images)
            temperature = analysis.fit_temperature(
                analysis.logits_of(network, mnist.validation.images), mnist.validation.labels
            )
            runs.append(
                {
                    "recipe": experiment.recipe.name,
                    "seed": seed,
                    "wrong": (logits.argmax(dim=1) != mnist.test.labels).sum().item(),
                    "temperature": temperature,
                    "as trained": _scores(logits, mnist.test.labels),
                    "scaled": _scores(logits / temperature, mnist.test.labels),
                }
            )
    return runs


def _scores(logits: Tensor, labels: Tensor) -> dict[str, float]:
    probabilities = analysis.probabilities_of(logits)
    return {
        "ece": analysis.expected_calibration_error(probabilities, labels),
        "nll": F.cross_entropy(logits, labels).item(),
        "brier": (probabilities - F.one_hot(labels, 10)).square().sum(dim=1).mean().item(),
    }
