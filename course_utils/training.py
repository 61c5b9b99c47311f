"""The training loop, and evaluation."""

import math
import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import islice

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from course_utils import distributed, threads, validate
from course_utils.checkpoints import Run
from course_utils.data import in_batches, in_chunks, on_device
from course_utils.models import device_of, prediction_mode, quick_layout
from course_utils.perturb import random_affine
from course_utils.progress import progress, say
from course_utils.recipes import AFFINE, Recipe, settings_of


@dataclass
class History:
    """What a run recorded. The first four lists have one entry for every look."""

    watched: str | None  # what `accuracy` was measured on
    steps: list[int] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)  # of that step's batch, before its update
    accuracy: list[float] = field(default_factory=list)  # 0..1, after the step's update
    seconds: list[float] = field(default_factory=list)  # since the start
    step_loss: list[float] = field(default_factory=list)  # of every step
    total_seconds: float = 0.0
    interrupted: bool = False
    unsaved: str | None = None  # why the last checkpoint could not be written


class TrainingDiverged(FloatingPointError):
    """The loss is no longer a finite number. `.history` holds the run up to that step."""

    def __init__(self, message: str, history: History):
        super().__init__(message)
        self.history = history


def fit(
    model: nn.Module,
    train: Dataset,
    recipe: Recipe,
    *,
    watch: tuple[str, Dataset] | None = None,
    look_every: int | None = None,
    seed: int = 1,
    device: str | torch.device | None = None,
    mixed_precision: bool = False,
    log: Callable[[str], None] | None = None,
    resume: str | os.PathLike | None = None,
) -> History:
    """Train `model` in place on `train` by `recipe` and return its history; the loop is that of notebook 05.

    `train` takes a list of indices (see `in_batches`). Every `look_every` steps of an epoch, the first included (None:
    never), the accuracy on `watch`, a name and a dataset, is measured, and `log` receives a line as the tutorial's.
    `seed` fixes batches and random changes, not the initial weights. The model is trained on `device` (None: the best
    there is) and ends where it was, in evaluation mode. An interrupt ends the run early and keeps model and history.
    With `mixed_precision`, convolutions and matrix products compute in bfloat16 where the device has instructions for
    it (see `torch.autocast`), so that the same run makes other numbers on another processor; looks are in float32.

    With `resume`, each look writes a checkpoint to that file, and a run that finds one there goes on from it; where one
    can't be written, `history.unsaved` says why. Raises `TrainingDiverged` if the loss stops being a finite number,
    `CheckpointError` for a checkpoint of another run, `ValueError` for looks at nothing or a resume without looks.
    Inside `distributed.process_group`, the processes share each batch, and all have the same model at the end.
    """
    _check(train, watch, look_every, resume)
    threads.choose()
    device = choose_device(device)
    with _trained_on(device, model):
        name, watched = (watch[0], on_device(watch[1], device)) if watch else (None, None)
        run = _new_run(model, on_device(train, device), recipe, seed, name, mixed_precision)
        distributed.agree({**run.settings, "look_every": look_every, "resume": bool(resume)})
        if resume:
            run.resume(resume)
        in_bfloat16 = mixed_precision and has_bfloat16(device)
        precision = torch.autocast(device.type, torch.bfloat16) if in_bfloat16 else nullcontext()
        # Another device or precision, other numbers.
        where = f"{recipe.name} on {device.type}{' in bfloat16' if in_bfloat16 else ''}"
        bar = progress(total=run.settings["steps"], initial=run.step, unit="step", desc=where)
        with distributed.synchronised(model), bar, _timed(run) as start:
            for epoch, step, (images, labels) in run.batches:
                places = distributed.places(len(labels))
                images, labels = _augmented(images.to(device), recipe, run.generator, places), labels.to(device)
                with precision:
                    loss = nn.functional.cross_entropy(model(images), labels, label_smoothing=recipe.label_smoothing)
                run.optimizer.zero_grad()
                loss = distributed.backward(model, loss, places)
                run.optimizer.step()
                run.schedule.step()
                _note(run, loss, bar)
                if watched and look_every and step % look_every == 0:
                    _look(run, watched, time.perf_counter() - start, resume)
                    if log:
                        log(_line(epoch, step, run.history))
    return run.history


def _check(train: Dataset, watch: tuple[str, Dataset] | None, look_every: int | None, resume: object) -> None:
    if not isinstance(train, Dataset):
        raise TypeError(
            f"fit trains on a dataset, such as load_mnist().train or a TensorDataset; got {type(train).__name__}"
        )
    if watch is not None and not (isinstance(watch, tuple) and isinstance(watch[-1], Dataset) and len(watch) == 2):
        raise TypeError(f'watch must be a name and a dataset, ("validation", mnist.validation); got {watch!r:.60}')
    if look_every is not None:
        validate.whole_number("look_every (None for never)", look_every, at_least=1)
    if look_every and watch is None:
        raise ValueError('look_every needs something to look at: pass watch=("validation", dataset)')
    if resume and not look_every:
        raise ValueError("resume writes a checkpoint with each look: pass watch and look_every, or leave it out")


@contextmanager
def _trained_on(device: torch.device, model: nn.Module) -> Generator[None]:
    """`model` on `device` in training mode; at the end where it was, in evaluation mode."""
    home = device_of(model)
    try:
        model.to(device).to(memory_format=quick_layout(model, device)).train()
        yield
    finally:
        model.to(home).to(memory_format=torch.contiguous_format).eval()  # the layout in which weight.view(...) works


def _new_run(
    model: nn.Module, train: Dataset, recipe: Recipe, seed: int, watched: str | None, mixed_precision: bool
) -> Run:
    loader = distributed.share(in_batches(train, recipe.batch_size, seed))
    steps = round(recipe.epochs * len(loader))
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
    images = len(train)  # ty: ignore[invalid-argument-type]  what we take has a length
    settings = {**settings_of(recipe), "model": type(model).__name__, "images": images, "seed": seed, "steps": steps}
    return Run(
        {**settings, "mixed_precision": mixed_precision, "processes": distributed.processes()},
        model,
        optimizer,
        _schedule(optimizer, recipe, steps),
        torch.Generator().manual_seed(seed),
        _steps(loader, steps),
        History(watched),
    )


def _schedule(optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int) -> LRScheduler:
    if recipe.schedule == "one-cycle":
        return OneCycleLR(optimizer, recipe.learning_rate, steps)
    return LambdaLR(optimizer, lambda step: 1.0)


def _steps(loader: DataLoader, total: int) -> Iterator[tuple[int, int, tuple[Tensor, Tensor]]]:
    """The run's batches, each with its epoch and its number in it, both from 0."""
    for epoch in range(math.ceil(total / len(loader))):
        for step, batch in enumerate(islice(loader, total - epoch * len(loader))):
            yield epoch, step, batch


@contextmanager
def _timed(run: Run) -> Generator[float]:
    """When the run started, had it never been stopped. An interrupt ends it early, without an error."""
    history = run.history
    start = time.perf_counter() - (history.seconds[-1] if history.seconds else 0.0)
    try:
        yield start
    except KeyboardInterrupt:
        if distributed.processes() > 1:  # they stop at different steps, with different weights
            raise
        history.interrupted = True
        say(f"Interrupted after {run.step} of {run.settings['steps']} steps; model and history are kept.")
    finally:
        history.total_seconds = time.perf_counter() - start


def _augmented(images: Tensor, recipe: Recipe, generator: torch.Generator, places: range) -> Tensor:
    """Each image changed at random, as it would be in the whole batch, where it has its place."""
    limits = {name: getattr(recipe, name) for name in AFFINE}
    return random_affine(images, generator, **limits, places=places) if any(limits.values()) else images


def _note(run: Run, loss: float, bar: tqdm) -> None:
    """Count a step, whose loss before the update this was. Raises `TrainingDiverged` if that is no finite number."""
    history = run.history
    history.step_loss.append(loss)
    if not math.isfinite(loss):
        raise TrainingDiverged(_diverged(loss, run), history)
    seen = {"accuracy": f"{history.accuracy[-1]:.3f}"} if history.accuracy else {}
    bar.set_postfix(loss=f"{loss:.3f}", **seen, refresh=False)
    bar.update()


def _look(run: Run, watched: Dataset, seconds: float, resume: str | os.PathLike | None) -> None:
    """Measure, note it, and where the run is to be resumed keep it."""
    accuracy = evaluate(run.model, watched)
    run.history.steps.append(run.step - 1)
    run.history.train_loss.append(run.history.step_loss[-1])
    run.history.accuracy.append(accuracy)
    run.history.seconds.append(seconds)
    if resume:
        _keep(run, resume)


def _keep(run: Run, path: str | os.PathLike) -> None:
    """Write a checkpoint, or say that it can't be written: what is computed after it is not lost for that."""
    run.history.unsaved = None
    try:
        run.save(path)
    except OSError as error:
        run.history.unsaved = f"the checkpoint {path} could not be written: {error.strerror or error}"
        say(f"Step {run.step - 1}: {run.history.unsaved}. The run goes on; an older checkpoint is kept.")


def _line(epoch: int, step: int, history: History) -> str:
    """A line of the tutorial's log."""
    loss, accuracy = history.train_loss[-1], history.accuracy[-1]
    return f"Epoch: {epoch} |Step: {step} |train loss:{loss:.4f} |{history.watched} accuracy:{accuracy:.4f}"


def _diverged(loss: float, run: Run) -> str:
    rate = run.settings["learning_rate"]
    return (
        f"the loss became {loss} at step {run.step - 1}, so training stopped. The usual cause is a learning rate that "
        f"is too high (here {rate:g}): try a tenth of it. Others are pixels or labels that are not finite "
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


def has_bfloat16(device: torch.device) -> bool:
    """Does the device multiply in bfloat16 faster than in float32? A processor without such instructions is slower."""
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported()  # public only in newer versions than our oldest, 2.9
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def evaluate(model: nn.Module, data: Dataset | DataLoader) -> float:
    """Share of images that `model` labels right, 0..1. Works in chunks and leaves the model as it was."""
    threads.choose()
    loader = data if isinstance(data, DataLoader) else in_chunks(data)
    device = device_of(model)
    correct = count = 0
    with prediction_mode(model), torch.inference_mode():
        for images, labels in loader:
            predicted = model(images.to(device)).argmax(dim=1)
            correct += (predicted == labels.to(device)).sum().item()
            count += len(labels)
    if count == 0:
        raise ValueError("there is nothing to evaluate: the dataset is empty")
    return correct / count
