"""Notebook 07, C2: linear probes of each block, against the block below, its untrained twin, and unmixed filters.

"mixed" is the modern network. In the unmixed one each filter of the later blocks sees one map alone, so that none
combines any; it is widened until it has as many parameters. What differs between a block and its twin is training.
"""

from typing import Any

import torch
from torch import nn
from torch.utils.data import Dataset
from tqdm import tqdm

from course_utils import MODERN, ModernCNN, count_parameters, fit
from course_utils.analysis import logits_of, probe
from experiments._claims import DATA, SEEDS, TUNING_SEEDS, Kept, drawn, search

CLAIM = "C2"
TRAIN_IMAGES = 20_000  # of a network, drawn anew for each seed
IMAGES = 4000  # of a probe, likewise
FIRST_STRENGTHS = [1e-3, 3e-3, 1e-2]  # of a probe: where the search on the validation images begins
WIDTHS = (66, 132, 264)  # of the unmixed network: 28,852 parameters beside the mixed one's 29,178
BLOCK = 4  # modules in a block
ARMS = {"mixed": [0, 1, 2, 3], "mixed, untrained": [0, 1, 2, 3], "unmixed, as many parameters": [3]}  # depths probed
SETTINGS = {
    "recipe": "modern",
    "networks": list(ARMS),
    "train_on": "train",
    "train_images": TRAIN_IMAGES,
    "seeds": SEEDS,
    "tuning_seed": TUNING_SEEDS[0],
    "depths": ARMS,
    "probe_images": IMAGES,
    "first_strengths": FIRST_STRENGTHS,
    "widths_unmixed": WIDTHS,
}


def network_of(arm: str, images: Any, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    network = unmixed() if arm.startswith("unmixed") else ModernCNN()
    if not arm.endswith("untrained"):
        fit(network, drawn(seed, TRAIN_IMAGES, images.train), MODERN, seed=seed)
    return network.eval()


def unmixed() -> ModernCNN:
    """The modern network, in whose later convolutions each filter sees one map alone; and wider."""
    network, in_channels = ModernCNN(), 1
    for block, out_channels in enumerate(WIDTHS):
        conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False, groups=in_channels)
        network.blocks[BLOCK * block] = conv
        network.blocks[BLOCK * block + 2] = nn.BatchNorm2d(out_channels)
        in_channels = out_channels
    network.out = nn.Linear(in_channels * 3 * 3, 10)
    return network


def probed(network: nn.Module, depth: int, seed: int, strength: float, train: Dataset, seen: Dataset) -> float:
    """Accuracy on `seen` of a linear probe of what the first `depth` blocks make of the images; 0 are the pixels."""
    below = network.blocks[: BLOCK * depth]
    (images, labels), (others, wanted) = drawn(seed, IMAGES, train)[list(range(IMAGES))], seen[:]
    features, unseen = (logits_of(below, each).flatten(1).numpy() for each in (images, others))
    return float(probe(torch.from_numpy(features), labels, strength).score(unseen, wanted.numpy()))


def run(data: str = "mnist") -> dict[str, Any]:
    """For each arm and seed the probes' test accuracies, from the lowest depth up."""
    images, kept = DATA[data](), Kept(f"layers-{data}", SETTINGS)
    chosen, runs = [], []
    for arm, depths in tqdm(ARMS.items(), desc="arms"):
        network = network_of(arm, images, TUNING_SEEDS[0])
        strengths = {}
        for depth in depths:

            def score(strength: float, network: nn.Module = network, depth: int = depth, arm: str = arm) -> float:
                key = [arm, depth, strength]
                return kept.get(key, probed, network, depth, TUNING_SEEDS[0], strength, images.train, images.validation)

            strengths[depth], tried = search(FIRST_STRENGTHS, score)
            chosen.append({"arm": arm, "depth": depth, "strength": strengths[depth], "tried": tried})

        def measured(seed: int, arm: str = arm, strengths: dict = strengths) -> dict[str, Any]:
            network = network_of(arm, images, seed)
            tests = [probed(network, depth, seed, c, images.train, images.test) for depth, c in strengths.items()]
            return {"parameters": count_parameters(network), "accuracy": tests}

        runs += [{"arm": arm, "seed": seed, **kept.get([arm, "seed", seed], measured, seed)} for seed in SEEDS]
    return {"chosen": chosen, "runs": runs}
