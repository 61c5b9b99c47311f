"""A run that stops can go on: everything that decides the rest of it, written to a file and read back."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from itertools import islice
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from course_utils.files import whole_file


class CheckpointError(ValueError):
    """A file is no checkpoint of this course, or of another run; the message says why."""


@dataclass
class Run:
    """A run that can be stopped and go on with the same result, to the last bit on the CPU.

    `settings` is all that must be the same for both parts; `history` is a dataclass of lists and plain values, of
    which `step_loss` has one entry for each step done; `generator` is what the changes of images are drawn from.
    """

    settings: dict[str, Any]
    model: nn.Module
    optimizer: Optimizer
    schedule: LRScheduler | None
    generator: torch.Generator
    history: Any

    def save(self, path: str | os.PathLike) -> None:
        """Write the run as it stands to `path`, whole or not at all."""
        saved = {
            "settings": self.settings,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule else None,
            "generator": self.generator.get_state(),
            "torch_generator": torch.get_rng_state(),  # a model with dropout draws from torch's own
            "history": asdict(self.history),
        }
        with whole_file(path) as part:
            torch.save(saved, part)

    def go_on(self, path: str | os.PathLike, steps: Iterator) -> None:
        """Take up the run that `path` holds, and pass over the `steps` that it has done; no file is a run not begun.

        Only tensors and plain values are read (`weights_only`). Raises `CheckpointError` for a file that is no
        checkpoint of a run, or of a run with other settings.
        """
        if not os.path.exists(path):
            return
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
            found = dict(saved["settings"])
            done = len(saved["history"]["step_loss"])
        except PermissionError:
            raise
        except Exception as error:  # a stranger's or a damaged file can make the reader fail in any way
            raise CheckpointError(
                f"{path} is not a checkpoint that a run can go on from, or it is damaged. "
                "Name another file, or delete this one to begin anew"
            ) from error
        if found != self.settings:
            raise CheckpointError(
                f"{path} holds another run: {_differences(found, self.settings)}. "
                "Give the same settings, name another file, or delete this one to begin anew"
            )
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.schedule:
            self.schedule.load_state_dict(saved["schedule"])
        for field in fields(self.history):
            setattr(self.history, field.name, saved["history"][field.name])
        # The batches are drawn again and not used, so that the order of those to come is the same.
        next(islice(steps, done, done), None)
        self.generator.set_state(saved["generator"])
        torch.set_rng_state(saved["torch_generator"])


def _differences(found: dict[str, Any], expected: dict[str, Any]) -> str:
    names = [name for name in expected | found if found.get(name) != expected.get(name)]
    return ", ".join(f"{name} is {found.get(name)} there and {expected.get(name)} here" for name in names)
