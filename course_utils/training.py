"""Recipes, the training loop, evaluation and checkpoints."""

import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import islice

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torch.utils.data import DataLoader, Dataset

from course_utils import distributed
from course_utils.data import Loaders, Mnist, in_chunks, make_loaders, on_device
from course_utils.files import whole_file
from course_utils.models import CNN, DeepCNN, ModernCNN, device_of, evaluation_mode
from course_utils.perturb import random_affine
from course_utils.progress import progress
from course_utils.resume import CheckpointError, Run

TRAIN_ON = ("train", "full_train")
AFFINE = ("max_shift", "max_rotation", "max_scale", "max_shear")
UNCHANGED = dict.fromkeys(AFFINE, 0)  # replace(MODERN, **UNCHANGED) trains on the images as they are
WATCHED_NAMES = {"test_first_2000": "test", "test": "test", "validation": "validation"}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. Change one value with `dataclasses.replace(ORIGINAL, learning_rate=1e-2)`.

    `train_on` and `watch` name splits of `Mnist`. `schedule` is "constant", or "one-cycle": the learning rate
    rises to `learning_rate` and falls to nearly nothing (Smith and Topin, 2018, arXiv:1708.07120). `epochs` may be a
    part of one. Each training image is turned, scaled, slanted and moved by random amounts, each time anew, up to
    `max_rotation` degrees, `max_scale`, `max_shear` and `max_shift` pixels: see `perturb.random_affine`.
    `label_smoothing` is the share of the target taken from the right class and spread over all ten (Szegedy et al.,
    2016, arXiv:1512.00567). Every `log_every` steps, the first included, the accuracy on `watch` is measured; None
    leaves that out.
    """

    name: str
    model: Callable[[], nn.Module]
    train_on: str
    watch: str
    batch_size: int = 50
    learning_rate: float = 1e-3
    epochs: float = 1
    schedule: str = "constant"
    max_shift: float = 0
    max_rotation: float = 0
    max_scale: float = 0
    max_shear: float = 0
    label_smoothing: float = 0
    log_every: int | None = 100

    def __post_init__(self):
        watched = () if self.log_every is None else ("log_every",)
        for name in ("batch_size", "learning_rate", "epochs", *watched):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in AFFINE:
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be below 0, got {getattr(self, name)}")
        if not self.max_scale < 1:
            raise ValueError(f"max_scale must be below 1, where an image would shrink to nothing; got {self.max_scale}")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must be from 0 to below 1, got {self.label_smoothing}")
        choices = {"schedule": ("constant", "one-cycle"), "train_on": TRAIN_ON, "watch": tuple(WATCHED_NAMES)}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")


ORIGINAL = Recipe("original", CNN, train_on="full_train", watch="test_first_2000")
MODERN = Recipe(
    "modern",
    ModernCNN,
    train_on="train",
    watch="validation",
    batch_size=64,
    learning_rate=2e-2,
    schedule="one-cycle",
    max_shift=1,
    max_rotation=10,
    max_scale=0.1,
    max_shear=0.1,
    label_smoothing=0.1,
    log_every=200,  # of 860 steps: each look at 5,000 validation images takes the time of some thirty steps
)


# How long both train, and BEST's network, were chosen by experiments/choices.py; the rest in trials on validation.
# A tenth of an epoch needs no changed images: it sees none of them twice. And it is over before it can be watched.
QUICK = replace(MODERN, name="quick", batch_size=48, epochs=0.11, label_smoothing=0.2, log_every=None, **UNCHANGED)
BEST = replace(MODERN, name="best", model=DeepCNN, batch_size=128, epochs=3.5, log_every=430)  # logs once an epoch


def settings_of(recipe: Recipe) -> dict[str, str | int | float | None]:
    """The recipe's values as they are stored beside a result: the network by its name."""
    settings = {**asdict(recipe), "model": recipe.model.__name__}
    # What came to Recipe later is stored where it is used, so that results made before it keep their settings.
    later = ("max_rotation", "max_scale", "max_shear", "label_smoothing")
    return {name: value for name, value in settings.items() if name not in later or value}


RECIPES = {recipe.name: recipe for recipe in (ORIGINAL, MODERN, QUICK, BEST)}
REFERENCE = "reference"  # beside them in `make bench`: the tutorial's own script


@dataclass
class History:
    """What a run recorded. The first four lists have one entry for every logged step."""

    watched: str  # what `accuracy` was measured on
    steps: list[int] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)  # of that step's batch, before its update
    accuracy: list[float] = field(default_factory=list)  # 0..1, after the step's update
    seconds: list[float] = field(default_factory=list)  # since the start
    step_loss: list[float] = field(default_factory=list)  # of every step
    total_seconds: float = 0.0
    interrupted: bool = False


class TrainingDiverged(FloatingPointError):
    """The loss is no longer a finite number. `.history` holds the run up to that step."""

    def __init__(self, message: str, history: History):
        super().__init__(message)
        self.history = history


def fit(
    model: nn.Module,
    data: Mnist | Loaders,
    recipe: Recipe,
    *,
    seed: int = 1,
    device: str | torch.device | None = None,
    log: Callable[[str], None] | None = None,
    resume: str | os.PathLike | None = None,
) -> History:
    """Train `model` in place by `recipe` and return its history; the model ends in evaluation mode.

    `data` is what `load_mnist` returns, split as the recipe says, or `Loaders` of your own. `seed` fixes the
    order of the batches and the random changes, not the initial weights, which the model has already. `log`
    receives a line, in the tutorial's format, every `recipe.log_every` steps. An interrupt ends the run early and
    keeps model and history. With `resume`, a checkpoint is written to that file at the same steps, and a run that finds
    one there goes on from it: pass a new model and the same values. Raises `TrainingDiverged` if the loss stops being a
    finite number, `CheckpointError` for a checkpoint of another run, or for a recipe that logs nothing.

    Inside `distributed.process_group`, the processes share each batch, and all have the same model at the end.
    """
    if resume and recipe.log_every is None:
        raise CheckpointError(
            f"a checkpoint is written with every line of the log, and recipe {recipe.name!r} writes none: give it a "
            "log_every, or leave resume out"
        )
    device = choose_device(device)
    loaders, watched = _loaders_of(data, recipe, seed, device)
    model.to(device, memory_format=_layout(device)).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
    train_loader = distributed.share(loaders.train, seed)
    total_steps = round(recipe.epochs * len(train_loader))
    schedule = OneCycleLR(optimizer, recipe.learning_rate, total_steps) if recipe.schedule == "one-cycle" else None
    generator = torch.Generator().manual_seed(seed)
    history = History(watched)
    steps = _steps(train_loader, total_steps)
    run = Run(_identity(model, recipe, seed, total_steps), model, optimizer, schedule, generator, history)
    if resume:
        run.go_on(resume, steps)
    replica = distributed.replicate(model)  # the model itself, where there is one process
    start = time.perf_counter() - (history.seconds[-1] if history.seconds else 0.0)
    with progress(total=total_steps, initial=len(history.step_loss), unit="step", desc=recipe.name) as bar:
        try:
            for epoch, step, (images, labels) in steps:
                images = _augmented(images.to(device), recipe, generator)
                loss = _update(replica, images, labels.to(device), optimizer, schedule, recipe.label_smoothing)
                loss = distributed.mean(loss)
                done = len(history.step_loss)  # not bar.n, which stands still under TQDM_DISABLE=1
                history.step_loss.append(loss)
                if not math.isfinite(loss):
                    raise TrainingDiverged(_diverged(loss, done, recipe), history)
                if recipe.log_every and step % recipe.log_every == 0:
                    _record(history, done, loss, evaluate(model, loaders.watched), time.perf_counter() - start)
                    if resume and distributed.rank() == 0:
                        run.save(resume)
                    if log:
                        log(
                            f"Epoch: {epoch} |Step: {step} |train loss:{loss:.4f} "
                            f"|{watched} accuracy:{history.accuracy[-1]:.4f}"
                        )
                seen = {"accuracy": f"{history.accuracy[-1]:.3f}"} if history.accuracy else {}
                bar.set_postfix(loss=f"{loss:.3f}", **seen, refresh=False)
                bar.update()
        except KeyboardInterrupt:
            if distributed.processes() > 1:  # they stop at different steps, with different weights
                raise
            history.interrupted = True
            done = len(history.step_loss)
            bar.write(f"Interrupted after {done} of {total_steps} steps; the model and its history are kept.")
    history.total_seconds = time.perf_counter() - start
    model.to(memory_format=torch.contiguous_format).eval()  # the layout in which weight.view(...) works
    return history


def _loaders_of(data: Mnist | Loaders, recipe: Recipe, seed: int, device: torch.device) -> tuple[Loaders, str]:
    """The loaders to train with, and the name of what is watched."""
    if isinstance(data, Mnist):
        train, watched = (on_device(getattr(data, split), device) for split in (recipe.train_on, recipe.watch))
        return make_loaders(train, watched, recipe.batch_size, seed), WATCHED_NAMES[recipe.watch]
    if not (isinstance(data, tuple) and len(data) == 2 and all(isinstance(loader, DataLoader) for loader in data)):
        raise TypeError(
            "fit needs what load_mnist() returns, or a pair of DataLoaders (train, watched) as make_loaders() makes; "
            f"got {type(data).__name__}"
        )
    return Loaders(*data), "watched"


def _layout(device: torch.device) -> torch.memory_format:
    """Channels last, in which the convolutions of the CPU library and of newer GPUs work, except on MPS.

    There batch normalisation gave wrong gradients or an error in that layout until the summer of 2026: issue 175189 of
    pytorch/pytorch.
    """
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def _steps(train: DataLoader, total: int) -> Iterator[tuple[int, int, tuple[Tensor, Tensor]]]:
    """The run's batches, each with its epoch and its number in it, both from 0."""
    for epoch in range(math.ceil(total / len(train))):
        for step, batch in enumerate(islice(train, total - epoch * len(train))):
            yield epoch, step, batch


def _identity(model: nn.Module, recipe: Recipe, seed: int, total_steps: int) -> dict[str, str | int | float | None]:
    """What must be the same in both parts of a run that was interrupted."""
    settings = {**asdict(recipe), "model": type(model).__name__}
    return {**settings, "seed": seed, "steps": total_steps, "processes": distributed.processes()}


def _update(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    optimizer: torch.optim.Optimizer,
    schedule: LRScheduler | None,
    label_smoothing: float,
) -> float:
    """One step: the loss on a batch, its gradient, and the weights moved. Returns the loss before the move."""
    loss = nn.functional.cross_entropy(model(images), labels, label_smoothing=label_smoothing)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if schedule:
        schedule.step()
    return loss.item()


def _augmented(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Each image changed at random; in several processes as it would be in one, which takes the whole batch."""
    limits = {name: getattr(recipe, name) for name in AFFINE}
    part = slice(distributed.rank(), None, distributed.processes())  # as DistributedSampler deals the images out
    return random_affine(images, generator, **limits, part=part) if any(limits.values()) else images


def _record(history: History, step: int, loss: float, accuracy: float, seconds: float) -> None:
    history.steps.append(step)
    history.train_loss.append(loss)
    history.accuracy.append(accuracy)
    history.seconds.append(seconds)


def _diverged(loss: float, step: int, recipe: Recipe) -> str:
    return (
        f"the loss became {loss} at step {step}, so training stopped. The usual cause is a learning rate that is too "
        f"high (here {recipe.learning_rate:g}): try a tenth of it. Others are pixels or labels that are not finite "
        "numbers, a division by zero or a logarithm of zero in the model. Build a new model before you go on: this "
        "one's weights are damaged."
    )


def choose_device(name: str | torch.device | None = None) -> torch.device:
    """The named device, or the best there is: CUDA, then Apple's MPS, then the CPU. `ValueError` if it is not here."""
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name is None:
        return torch.device(next(kind for kind, available in here.items() if available))
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or not here.get(device.type, False):
        available = ", ".join(kind for kind, there in here.items() if there)
        raise ValueError(f"device {str(name)!r} is not available here; choose from: {available}")
    return device


def evaluate(model: nn.Module, data: Dataset | DataLoader) -> float:
    """Share of images that `model` labels right, 0..1. Works in chunks and leaves the model as it was."""
    loader = data if isinstance(data, DataLoader) else in_chunks(data)
    device = device_of(model)
    correct = count = 0
    with evaluation_mode(model), torch.inference_mode():
        for images, labels in loader:
            predicted = model(images.to(device)).argmax(dim=1)
            correct += (predicted == labels.to(device)).sum().item()
            count += len(labels)
    if count == 0:
        raise ValueError("there is nothing to evaluate: the dataset is empty")
    return correct / count


CHECKPOINT_MODELS = {model.__name__: model for model in (CNN, ModernCNN, DeepCNN)}


def save_checkpoint(model: nn.Module, path: str | os.PathLike) -> None:
    """Write the model's class name and weights to `path`, whole or not at all."""
    if type(model) is not CHECKPOINT_MODELS.get(type(model).__name__):
        raise CheckpointError(
            f"a {type(model).__name__} could not be built again from a checkpoint; "
            f"known are {', '.join(CHECKPOINT_MODELS)}. Save its weights yourself: torch.save(model.state_dict(), path)"
        )
    with whole_file(path) as part:
        torch.save({"model": type(model).__name__, "weights": model.state_dict()}, part)


def load_checkpoint(path: str | os.PathLike) -> nn.Module:
    """The model that `save_checkpoint` wrote, on the CPU, in evaluation mode.

    Only tensors and plain values are read (`weights_only`), so a checkpoint from a stranger can't run code. Raises
    `CheckpointError` for any file that is not such a checkpoint, `FileNotFoundError` or `PermissionError` if it can't
    be opened.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        model = CHECKPOINT_MODELS[saved["model"]]()
        model.load_state_dict(saved["weights"])
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # a stranger's or a damaged file can make the reader fail in any way
        raise CheckpointError(
            f"{path} is not a checkpoint written by save_checkpoint, or it is damaged: {_reason(error)}"
        ) from error
    return model.eval()


def _reason(error: Exception) -> str:
    """In one line. Not in torch's words where it could not read a file: they advise to load it unsafely."""
    if isinstance(error, RuntimeError) and "state_dict" in str(error):
        return " ".join(line.strip() for line in str(error).splitlines()[:2])  # the first weight that does not fit
    return f"it does not hold just the name of a model ({' or '.join(CHECKPOINT_MODELS)}) and its weights"
