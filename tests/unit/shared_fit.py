"""Run by test_distributed.py in processes that torchrun starts: shared_fit.py FOLDER."""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils import CNN, MODERN, ORIGINAL, ModernCNN, distributed, fit, in_batches

RECIPES = [replace(recipe, batch_size=8, epochs=1) for recipe in (ORIGINAL, MODERN)]
NETWORKS = {"original": CNN, "modern": ModernCNN}


def noise(images: int = 80) -> TensorDataset:
    """Images of noise, in float64: there the order of sums doesn't show."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(images, 1, 28, 28, generator=generator, dtype=torch.float64)
    return TensorDataset(pixels, torch.randint(0, 10, (images,), generator=generator))


def batches(images: int = 80) -> DataLoader:
    return in_batches(noise(images), batch_size=8, seed=1)


def trained(recipe) -> tuple[nn.Module, list[float]]:
    """The network, and its loss in each step."""
    torch.manual_seed(distributed.rank())  # process 0 gives its weights to the others
    model = NETWORKS[recipe.name]().double()
    return model, fit(model, noise(), recipe, watch=("noise", noise()), look_every=4, device="cpu").step_loss


def main(folder: Path) -> None:
    """Every process writes what it has at the end."""
    with distributed.process_group(torch.device("cpu")):
        results = [(model.state_dict(), losses) for model, losses in map(trained, RECIPES)]
        shares = distributed.share(batches(83), seed=1)
        passes = [[len(labels) for _, labels in shares], [labels.tolist() for _, labels in shares]]
        torch.save({"results": results, "passes": passes}, folder / f"rank{distributed.rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
