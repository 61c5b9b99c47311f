"""Notebook 07, C2: linear probes on the pixels and on what each block makes of them, trained and untrained."""

import torch
from torch import Tensor, nn
from tqdm import tqdm

from course_utils import CNN, MODERN, ORIGINAL, ModernCNN, load_mnist
from course_utils.analysis import layer_inputs, probe
from course_utils.data import ImageSet, Splits
from course_utils.recipes import Experiment
from experiments._common import run_once, tune


def unmixed_modern_cnn() -> ModernCNN:
    """`ModernCNN` in which each filter of the later convolutions sees one map alone, so that none combines any."""
    network = ModernCNN()
    for place, layer in enumerate(network.blocks):
        if isinstance(layer, nn.Conv2d) and layer.in_channels > 1:
            network.blocks[place] = nn.Conv2d(
                layer.in_channels,
                layer.out_channels,
                layer.kernel_size,
                padding=layer.padding,
                bias=False,
                groups=layer.in_channels,
            )
    return network


NETWORKS = {
    "modern": Experiment(MODERN, ModernCNN, train_on="train"),
    "modern, unmixed": Experiment(MODERN, unmixed_modern_cnn, train_on="train"),
    "tutorial": Experiment(ORIGINAL, CNN, train_on="train"),
}
UNTRAINED = ["modern", "tutorial"]  # these two without training as well
SEEDS = [1, 2, 3, 4, 5]
TUNING_SEED = 100  # its network and its images choose the strength, on the validation images
IMAGES = 4000  # a probe's own training images, drawn anew for each seed
STRENGTHS = [1e-4, 1e-3, 1e-2, 1e-1]
SETTINGS = {
    "networks": {name: experiment.settings() for name, experiment in NETWORKS.items()},
    "untrained": UNTRAINED,
    "seeds": SEEDS,
    "tuning_seed": TUNING_SEED,
    "images": IMAGES,
    "strengths": STRENGTHS,
}


def network_of(name: str, trained: bool, seed: int, mnist: Splits) -> nn.Module:
    if trained:
        return run_once(NETWORKS[name], mnist, seed)[0]
    torch.manual_seed(seed)
    return NETWORKS[name].model()


def depths(network: nn.Module, seed: int, mnist: Splits, seen: ImageSet) -> list[tuple[Tensor, Tensor, Tensor]]:
    """For each depth, 0 being the pixels: features to train a probe on, their labels, and the features of `seen`."""
    drawn = torch.randperm(len(mnist.train), generator=torch.Generator().manual_seed(seed))[:IMAGES]
    images, labels = mnist.train[drawn]
    pairs = zip(layer_inputs(network, images), layer_inputs(network, seen.images), strict=True)
    return [(ours, labels, theirs) for ours, theirs in pairs]


def chosen_strengths(network: nn.Module, mnist: Splits) -> list[float]:
    """For each depth, the strength whose probe is best on the validation images."""
    return [
        tune(
            STRENGTHS,
            lambda strength, ours=ours, labels=labels: probe(ours, labels, strength),
            lambda fitted, theirs=theirs: fitted.score(theirs, mnist.validation.labels),
        )[0]
        for ours, labels, theirs in depths(network, TUNING_SEED, mnist, mnist.validation)
    ]


def run() -> list[dict]:
    """For each network, trained or not, and each seed: test accuracy of the probes, from the pixels up."""
    mnist = load_mnist()
    results = []
    kinds = [(name, True) for name in NETWORKS] + [(name, False) for name in UNTRAINED]
    for name, trained in tqdm(kinds, desc="networks"):
        strengths = chosen_strengths(network_of(name, trained, TUNING_SEED, mnist), mnist)
        for seed in SEEDS:
            found = depths(network_of(name, trained, seed, mnist), seed, mnist, mnist.test)
            accuracy = [
                probe(ours, labels, strength).score(theirs, mnist.test.labels)
                for (ours, labels, theirs), strength in zip(found, strengths, strict=True)
            ]
            results.append(
                {"network": name, "trained": trained, "seed": seed, "strengths": strengths, "accuracy": accuracy}
            )
    return results
