"""A short run by two processes, which one of them may leave early: stopped_run.py FOLDER whole|dies|goes-on."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.data import Subset

from course_utils import MODERN, distributed, fit, load_mnist, make_loaders, save_checkpoint

RECIPE = replace(MODERN, epochs=1, log_every=10)  # a checkpoint every ten steps


def leave(line: str) -> None:
    """Called with each line of the log: at step 20, end this process at once, as if the power had failed."""
    if "Step: 20 " in line:
        os._exit(9)


def run(folder: Path, what: str) -> None:
    """Train on 3,000 images. `whole` writes no checkpoints; the other two share a file of them."""
    mnist = load_mnist()
    part = Subset(mnist.train, range(3000)), Subset(mnist.validation, range(500))
    torch.manual_seed(1)
    model = RECIPE.model()
    first = distributed.rank() == 0
    log = print if first else leave if what == "dies" else None
    resume = None if what == "whole" else folder / "run.pt"
    fit(
        model,
        make_loaders(*part, RECIPE.batch_size),
        RECIPE,
        device="cpu",
        log=log,
        resume=resume,
    )
    if first:
        save_checkpoint(model, folder / f"{what}.pt")


if __name__ == "__main__":
    with distributed.process_group(torch.device("cpu")):
        for what in sys.argv[2:]:
            run(Path(sys.argv[1]), what)
