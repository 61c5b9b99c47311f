"""A short run by two processes, which one of them may leave early: stopped_run.py FOLDER whole|dies|goes-on."""

import os
import sys
from pathlib import Path

import torch
from torch.utils.data import Subset

from course_utils import (
    MODERN,
    ModernCNN,
    distributed,
    fit,
    load_mnist,
    save_checkpoint,
)


def leave(line: str) -> None:
    """Called with each line of the log: at step 20, end this process at once, as if the power had failed."""
    if "Step: 20 " in line:
        os._exit(9)


def run(folder: Path, what: str) -> None:
    """Train on 3,000 images. `whole` writes no checkpoints; the other two share a file of them."""
    mnist = load_mnist()
    torch.manual_seed(1)
    model = ModernCNN()
    first = distributed.rank() == 0
    log = print if first else leave if what == "dies" else None
    resume = None if what == "whole" else folder / "run.pt"
    fit(
        model,
        Subset(mnist.train, range(3000)),
        MODERN,
        watch=("validation", Subset(mnist.validation, range(500))),
        look_every=10,  # a checkpoint every ten steps
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
