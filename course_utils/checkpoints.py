"""All that is on disk of a run: a trained network, and a run that can go on. A damaged file is never read.

A file is a line of text that names the format and the SHA-256 of what follows, and then what `torch.save` writes.
"""

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from itertools import islice
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from course_utils import distributed, validate
from course_utils.files import write_whole
from course_utils.models import CNN, DeepCNN, ModernCNN, NineViewCNN, NineViewModernCNN, PooledFirstCNN

CHECKPOINT_MODELS = {
    model.__name__: model for model in (CNN, PooledFirstCNN, ModernCNN, DeepCNN, NineViewCNN, NineViewModernCNN)
}
FORMAT = b"course_utils checkpoint 1, SHA-256 "
HEADER = len(FORMAT) + 64 + 1  # bytes: the format, the checksum in hexadecimal, and the end of the line


class CheckpointError(ValueError):
    """A file is no checkpoint of this course, is damaged, or is of another run; the message says which."""


def save_checkpoint(model: nn.Module, path: str | os.PathLike) -> None:
    """Write the model's class name and weights to `path`, whole or not at all.

    Raises `CheckpointError` for a model that could not be built again, `OSError` where it can't be written.
    """
    if type(model) is not CHECKPOINT_MODELS.get(type(model).__name__):
        raise CheckpointError(
            f"a {type(model).__name__} could not be built again from a checkpoint; "
            f"known are {', '.join(CHECKPOINT_MODELS)}. Save its weights yourself: torch.save(model.state_dict(), path)"
        )
    _write(path, {"model": type(model).__name__, "weights": model.state_dict()})


def load_checkpoint(path: str | os.PathLike) -> nn.Module:
    """The model that `save_checkpoint` wrote, on the CPU, in evaluation mode.

    Only tensors and plain values are read (`weights_only`), so a checkpoint from a stranger can't run code. Raises
    `CheckpointError` for any file that is not such a checkpoint or of which a byte was changed, `FileNotFoundError` or
    `PermissionError` if it can't be opened.
    """
    saved = _read(path)
    try:
        model = CHECKPOINT_MODELS[saved["model"]]()
        model.load_state_dict(saved["weights"])
    except Exception as error:  # what it holds may be anything
        raise CheckpointError(f"{path} is not a checkpoint written by save_checkpoint: {_reason(error)}") from error
    return model.eval()


def _reason(error: Exception) -> str:
    if isinstance(error, RuntimeError) and "state_dict" in str(error):
        return " ".join(line.strip() for line in str(error).splitlines()[:2])  # the first weight that does not fit
    return f"it does not hold just the name of a model ({' or '.join(CHECKPOINT_MODELS)}) and its weights"


def _write(path: str | os.PathLike, content: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    packed = buffer.getvalue()
    write_whole(path, FORMAT + hashlib.sha256(packed).hexdigest().encode() + b"\n" + packed)


def _read(path: str | os.PathLike) -> dict[str, Any]:
    """What `_write` wrote, on the CPU."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except IsADirectoryError as error:
        raise CheckpointError(f"{path} is a folder") from error
    header, packed = content[:HEADER], content[HEADER:]
    if not header.startswith(FORMAT):
        raise CheckpointError(f"{path} is not a checkpoint of this course, or is of an older version of it")
    if header != FORMAT + hashlib.sha256(packed).hexdigest().encode() + b"\n":
        raise CheckpointError(f"{path} is damaged: it was cut off or changed after it was written")
    try:
        return dict(torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True))
    except Exception as error:  # its author can make the reader fail in any way
        raise CheckpointError(f"{path} is not a checkpoint of this course: what it holds is something else") from error


@dataclass
class Run:
    """The state of a training run, which can stop and go on with the same result, to the last bit on the CPU.

    `settings` is all that must be the same in both parts. `batches` are those of the whole run, and `generator` is what
    the changes of images are drawn from. `history` is a dataclass of lists and plain values, of which `step_loss` has
    one entry for each step done.
    """

    settings: dict[str, Any]
    model: nn.Module
    optimizer: Optimizer
    schedule: LRScheduler
    generator: torch.Generator
    batches: Iterator
    history: Any

    @property
    def step(self) -> int:
        """How many steps are done."""
        return len(self.history.step_loss)

    def save(self, path: str | os.PathLike) -> None:
        """Write the run as it stands to `path`, whole or not at all; in several processes, the first one does."""
        if distributed.rank() > 0:
            return
        saved = {
            "settings": self.settings,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.generator.get_state(),
            "torch_generator": torch.get_rng_state(),  # a model with dropout draws from torch's own
            "history": asdict(self.history),
        }
        _write(path, saved)

    def resume(self, path: str | os.PathLike) -> None:
        """Take up the run that `path` holds, and pass over the batches it has had; no file is a run not begun.

        In several processes, all take up what the first one reads. Raises `CheckpointError` for a file that is no
        checkpoint of a run, is damaged, or is of a run with other settings; then nothing has changed.
        """
        saved = distributed.from_first(lambda: self._saved(path) if os.path.exists(path) else None)
        if saved is None:
            return
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        for field in fields(self.history):
            setattr(self.history, field.name, saved["history"][field.name])
        # The batches are drawn again and not used, so that the order of those to come is the same.
        next(islice(self.batches, self.step, self.step), None)
        self.generator.set_state(saved["generator"])
        torch.set_rng_state(saved["torch_generator"])

    def _saved(self, path: str | os.PathLike) -> dict[str, Any]:
        saved = _read(path)
        found = saved.get("settings")
        if not isinstance(found, dict):
            raise CheckpointError(
                f"{path} is not a checkpoint that a run can go on from. Name another file, or delete it to begin anew"
            )
        if found != self.settings:
            raise CheckpointError(
                f"{path} holds another run: {validate.differences(found, self.settings)}. "
                "Give the same settings, name another file, or delete this one to begin anew"
            )
        return saved
