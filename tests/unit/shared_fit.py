"""Run by test_distributed.py in processes that torchrun starts: shared_fit.py WHAT FOLDER. Each writes what it has."""

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from math import prod
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from course_utils import CNN, MODERN, ModernCNN, distributed, fit, models
from course_utils.checkpoints import CHECKPOINT_MODELS
from course_utils.recipes import UNCHANGED
from course_utils.training import History, TrainingDiverged

IMAGE, WAVE, TEXT = (1, 28, 28), (1, 8000), (30, 12)

# --- two processes as one ---------------------------------------------------------------------------------------

# Each kind of batch normalisation, and the shape of one example of its features.
NORMS = {
    "1d of (N, C)": (lambda: nn.BatchNorm1d(6), (6,)),
    "1d of (N, C, L), no affine map": (lambda: nn.BatchNorm1d(6, affine=False), (6, 5)),
    "2d, no running statistics": (lambda: nn.BatchNorm2d(6, track_running_stats=False), (6, 5, 4)),
    "2d in half precision": (lambda: nn.BatchNorm2d(6), (6, 5, 4)),
    "3d, mean of all batches": (lambda: nn.BatchNorm3d(6, momentum=None), (6, 5, 4, 3)),
}


def _normed(norm: Callable[[], nn.Module], shape: tuple[int, ...]) -> nn.Module:
    return nn.Sequential(norm(), nn.Flatten(), nn.Linear(prod(shape), 10))


def _headed(kind: str) -> nn.Module:
    return nn.Sequential(models.LAYERS[kind](), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(16 * 7 * 7, 10))


# Every network of the course, and one with each kind of batch normalisation: how to make it, and what it takes.
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    **{name: (network, IMAGE) for name, network in CHECKPOINT_MODELS.items()},
    **{f"{how} downsampling": (partial(models.downsampled_cnn, how), IMAGE) for how in models.DOWNSAMPLING},
    **{f"{kind} layer": (partial(_headed, kind), IMAGE) for kind in ("local", "shared")},
    "dense": (partial(models.dense_of_size, 10_000, prod(IMAGE), 10), IMAGE),
    "SoundCNN": (models.SoundCNN, WAVE),
    "SoundCNN, flattened": (partial(models.SoundCNN, "flatten"), WAVE),
    "SpectrogramCNN": (models.SpectrogramCNN, WAVE),
    "TextCNN": (partial(models.TextCNN, TEXT[0], 10), TEXT),
    **{name: (partial(_normed, norm, shape), shape) for name, (norm, shape) in NORMS.items()},
}


def noise(shape: tuple[int, ...], count: int = 43) -> TensorDataset:
    """In float64: there the order of sums doesn't show. 43 leave a last batch of 3, which halves unevenly."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(count, *shape, generator=generator, dtype=torch.float64)
    return TensorDataset(inputs, torch.randint(0, 10, (count,), generator=generator))


def recipe_for(shape: tuple[int, ...]):
    return replace(MODERN, batch_size=8, epochs=2, **({} if shape == IMAGE else UNCHANGED))


def trained(name: str) -> tuple[dict[str, Tensor], list[float]]:
    """The trained network's state, and the loss of each step."""
    make, shape = NETWORKS[name]
    torch.manual_seed(distributed.rank())  # process 0 gives its weights to the others
    model = make().double()
    before = repr(model)
    losses = fit(model, noise(shape), recipe_for(shape), device="cpu").step_loss
    assert repr(model) == before
    return model.state_dict(), losses


def features(name: str) -> Tensor:
    """Eight examples far from 0, in float32; the first channel is constant."""
    _, shape = NORMS[name]
    values = 50 + torch.rand(8, *shape, generator=torch.Generator().manual_seed(1))
    values[:, 0] = 50.1
    return values.half() if "half" in name else values


def normalised(name: str, part: slice, dtype: torch.dtype | None = None) -> dict[str, Tensor]:
    """Output and gradient of the inputs, and of the layer: its state, and its gradients."""
    layer = NORMS[name][0]().to(dtype)
    inputs = features(name)[part].to(dtype).requires_grad_()
    with distributed.synchronised(layer):
        outputs = layer(inputs)
        weights = torch.linspace(-1, 2, 8, dtype=dtype)[part].view(-1, *[1] * (outputs.dim() - 1))
        (outputs.square() * weights).sum().backward()
    gradients = {f"gradient of {key}": value.grad for key, value in layer.named_parameters()}
    return {"outputs": outputs.detach(), "gradient": inputs.grad, **layer.state_dict(), **gradients}


# --- errors that all must see -----------------------------------------------------------------------------------


def wrong_model() -> None:
    def fail(module: nn.Module, inputs: object) -> None:
        raise RuntimeError("a mistake in the model")

    model = CNN()
    model.register_forward_pre_hook(fail)
    fit(model.double(), noise(IMAGE), recipe_for(IMAGE), device="cpu")


def other_seeds() -> None:
    fit(CNN().double(), noise(IMAGE), recipe_for(IMAGE), seed=distributed.rank(), device="cpu")


def other_networks() -> None:
    with distributed.synchronised(nn.Linear(2, 2 + distributed.rank())):
        pass


def first_diverges() -> None:
    def diverge() -> None:
        raise TrainingDiverged("no number", History(None))  # which can't be pickled

    distributed.from_first(diverge)


ERRORS = (wrong_model, other_seeds, other_networks, first_diverges)


def error_of(action: Callable[[], object]) -> str:
    try:
        action()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "none"


def trains(folder: Path) -> dict:
    first = distributed.rank() == 0
    return {
        "trained": {name: trained(name) for name in NETWORKS},
        "normalised": {name: normalised(name, slice(0, 5) if first else slice(5, 8)) for name in NORMS},
        "errors": {action.__name__: error_of(action) for action in ERRORS},
        "first": distributed.from_first(lambda: f"made by {distributed.rank()}"),
        "resumable": resumable(None),
    }


# --- runs that stop ---------------------------------------------------------------------------------------------


def resumable(path: Path | None, leave: Callable[[], object] | None = None) -> dict[str, Tensor]:
    """A run of 44 steps; process 1 calls `leave` in step 20, process 0 prints a line every ten steps."""

    def log(line: str) -> None:
        if distributed.rank() == 0:
            print(line, flush=True)
        elif leave and "Step: 20 " in line:
            leave()

    torch.manual_seed(1)
    model = ModernCNN().double()
    recipe = replace(recipe_for(IMAGE), epochs=1)
    watch = ("noise", noise(IMAGE))
    fit(model, noise(IMAGE, 350), recipe, watch=watch, look_every=10, device="cpu", log=log, resume=path)
    return model.state_dict()


def own_file(folder: Path) -> Path:
    """Each process has a folder, as on machines of their own."""
    own = folder / f"machine{distributed.rank()}"
    own.mkdir(exist_ok=True)
    return own / "run.pt"


def dies(folder: Path) -> None:
    resumable(own_file(folder), leave=lambda: os.kill(os.getpid(), signal.SIGKILL))


def hangs(folder: Path) -> None:
    resumable(own_file(folder), leave=lambda: time.sleep(600))


def goes_on(folder: Path) -> dict:
    """First from process 0's checkpoint, with another file at process 1; then process 0's file is damaged."""
    own = own_file(folder)
    if distributed.rank() == 1:
        own.write_bytes(b"of another run")
    state = resumable(own)
    if distributed.rank() == 0:
        own.write_bytes(own.read_bytes()[:-1])
    return {"resumable": state, "damaged": error_of(lambda: resumable(own))}


def meet(folder: Path, what: str) -> None:
    """Wait until all processes of both runs, `dies` and `hangs`, are there."""
    Path(folder, f"{what} {distributed.rank()}").touch()
    deadline = time.monotonic() + 120
    while any(not Path(folder, f"{run} {rank}").exists() for run in ("dies", "hangs") for rank in (0, 1)):
        if time.monotonic() > deadline:
            raise TimeoutError("the other run did not come")
        time.sleep(0.05)


PARTS = {"trains": trains, "dies": dies, "hangs": hangs, "goes_on": goes_on}


def main(what: str, folder: Path) -> None:
    if what in ("dies", "hangs"):
        distributed.SILENCE = timedelta(seconds=8)
        meet(folder.parent, what)
    with distributed.process_group(torch.device("cpu")):
        torch.save(PARTS[what](folder), folder / f"{what}{distributed.rank()}.pt")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
