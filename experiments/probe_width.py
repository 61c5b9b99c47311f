"""Notebook 09: on clothes the probe of block 3 falls behind that of block 2. Because it is handed fewer numbers?

The control: the probe of block 2 gets as many numbers as block 3 has, drawn at random. All on validation images.
"""

from typing import Any

import torch
from torch.utils.data import Subset
from tqdm import tqdm

from course_utils import MODERN, ModernCNN, analysis, load_fashion_mnist
from experiments._common import trained

SEEDS = list(range(1, 11))
TRAIN_IMAGES, PROBE_IMAGES = 20_000, 3000
SETTINGS = {
    "recipe": "modern",
    "data": "fashion",
    "model": "ModernCNN",
    "train_on": "train",
    "train_images": TRAIN_IMAGES,
    "probe_images": PROBE_IMAGES,
    "judged_on": "validation",
    "C": 0.01,
    "seeds": SEEDS,
}


def run() -> dict[str, Any]:
    """For each seed the accuracies of the probes of block 2, of 576 numbers of block 2, and of block 3."""
    splits, runs = load_fashion_mnist(), []
    (images, labels), (held, held_labels) = splits.train[:PROBE_IMAGES], splits.validation[:]
    for seed in tqdm(SEEDS, desc="seeds"):
        network, _ = trained(ModernCNN, Subset(splits.train, range(TRAIN_IMAGES)), MODERN, seed)
        learned, judged = (
            [maps.flatten(1) for maps in analysis.layer_inputs(network, each)[2:]] for each in (images, held)
        )
        width = learned[1].shape[1]
        kept = torch.randperm(learned[0].shape[1])[:width]
        arms = {
            "block 2": (learned[0], judged[0]),
            "block 2, as many numbers as block 3": (learned[0][:, kept], judged[0][:, kept]),
            "block 3": (learned[1], judged[1]),
        }
        for arm, (ours, theirs) in arms.items():
            accuracy = analysis.probe(ours, labels, C=SETTINGS["C"]).score(theirs, held_labels)
            runs.append({"arm": arm, "seed": seed, "numbers": ours.shape[1], "accuracy": accuracy})
    return {"runs": runs}
