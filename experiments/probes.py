"""Notebook 06, C2: linear probes on the pixels and on what each block makes of them, trained and untrained."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn
from tqdm import tqdm

from course_utils import MODERN, ORIGINAL, fit, load_mnist
from course_utils.analysis import layer_inputs, probe
from course_utils.data import ImageSet, Mnist
from course_utils.training import settings_of

WATCHED_AS_STORED = replace(MODERN, log_every=100)  # which changes no weight
RECIPES = {
    "modern": WATCHED_AS_STORED,
    "modern, unmixed": WATCHED_AS_STORED,
    "tutorial": replace(ORIGINAL, train_on="train", watch="validation"),
}
SEEDS = [1, 2, 3, 4, 5]
TUNING_SEED = 100  # its network and its images choose the strength, on the validation images
IMAGES = 4000  # a probe's own training images, drawn anew for each seed
STRENGTHS = [1e-4, 1e-3, 1e-2, 1e-1]
SETTINGS = {
    "recipes": {name: settings_of(recipe) for name, recipe in RECIPES.items()},
    "seeds": SEEDS,
    "tuning_seed": TUNING_SEED,
    "images": IMAGES,
    "strengths": STRENGTHS,
}


def network_of(name: str, trained: bool, seed: int, mnist: Mnist) -> nn.Module:
    torch.manual_seed(seed)
    network = RECIPES[name].model()
    if name == "modern, unmixed":
        unmix(network.blocks)
    if trained:
        fit(network, mnist, RECIPES[name], seed=seed)
    return network


def unmix(blocks: nn.Sequential) -> None:
    """Let each filter of the later convolutions see one map alone, so that none combines any."""
    for place, layer in enumerate(blocks):
        if isinstance(layer, nn.Conv2d) and layer.in_channels > 1:
            blocks[place] = nn.Conv2d(
                layer.in_channels,
                layer.out_channels,
                layer.kernel_size,
                padding=layer.padding,
                bias=False,
                groups=layer.in_channels,
            )


def drawn(seed: int, train: ImageSet) -> tuple[Tensor, Tensor]:
    """A probe's training images and their labels."""
    return train[torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[:IMAGES]]


def scores(
    network: nn.Module, seed: int, mnist: Mnist, seen: ImageSet, strength: Callable[[int], float]
) -> list[float]:
    """Accuracy on `seen` of a probe at each depth, 0 being the pixels; `strength` says how strong each may be."""
    images, labels = drawn(seed, mnist.train)
    pairs = zip(layer_inputs(network, images), layer_inputs(network, seen.images), strict=True)
    return [
        float(probe(ours, labels, strength(depth)).score(theirs.flatten(1).numpy(), seen.labels.numpy()))
        for depth, (ours, theirs) in enumerate(pairs)
    ]


def run() -> list[dict]:
    """For each network, trained or not, and each seed: test accuracy of the probes, from the pixels up."""
    mnist = load_mnist()
    results = []
    kinds = [(name, True) for name in RECIPES] + [("modern", False), ("tutorial", False)]
    with tqdm(total=len(kinds) * (len(STRENGTHS) + len(SEEDS)), desc="probes") as bar:
        for name, trained in kinds:
            network = network_of(name, trained, TUNING_SEED, mnist)
            tuning = []
            for strength in STRENGTHS:
                tuning.append(scores(network, TUNING_SEED, mnist, mnist.validation, lambda depth, c=strength: c))
                bar.update()
            best = torch.tensor(tuning).argmax(dim=0)  # for each depth
            chosen = [STRENGTHS[index] for index in best]
            for seed in SEEDS:
                network = network_of(name, trained, seed, mnist)
                accuracy = scores(network, seed, mnist, mnist.test, chosen.__getitem__)
                result = {"network": name, "trained": trained, "seed": seed, "strengths": chosen, "accuracy": accuracy}
                results.append(result)
                bar.update()
    return results
