"""One training run in several processes, each with its share of every batch, started by PyTorch's `torchrun`.

In a run of one process every function here returns what it was given, so `fit` is the same loop for both.
"""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from typing import Any, TypeVar

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.data import BatchSampler, DataLoader, Sampler

from course_utils import validate
from course_utils.progress import progress

# A process that has died is noticed at once, since its connections close; this is for one that hangs, or whose machine
# has lost its power. It is far longer than a busy machine lets a process wait, and a checkpoint keeps what was done.
SILENCE = timedelta(minutes=5)

T = TypeVar("T")


class ProcessCountError(ValueError):
    """The work can't be divided between so many processes; the message says how many will do."""


class ProcessesDiffer(ValueError):
    """The processes of a run were not started alike; the message says in what they differ."""


class ProcessLost(RuntimeError):
    """Another process of the run has died or no longer answers; the message says what to do."""


def started_by_torchrun() -> bool:
    """Is this one of the processes that `torchrun` has started?"""
    return dist.is_torchelastic_launched()


def processes() -> int:
    """How many processes share the run: 1 without `process_group`."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0. Number 0 prints and saves."""
    return int(os.environ["RANK"]) if started_by_torchrun() else 0


def rank_here() -> int:
    """The number of this process among those on its machine, from 0. Number 0 says why a run ends."""
    return int(os.environ["LOCAL_RANK"]) if started_by_torchrun() else 0


# --- the processes of a run -------------------------------------------------------------------------------------


@contextmanager
def process_group(device: torch.device) -> Generator[torch.device]:
    """Join the processes that torchrun started, and yield the device to train on; alone, yield `device`.

    They speak NCCL if `device` is "cuda", with a GPU of its own for each, and otherwise gloo. Raises `ProcessLost` when
    another process ends early, `ProcessCountError` for more processes than GPUs.
    """
    if not started_by_torchrun():
        yield device
        return
    device = _own_device(device)
    before = signal.signal(signal.SIGTERM, _told_to_end)
    if rank() > 0:
        os.environ["TQDM_DISABLE"] = "1"  # one progress bar is enough
    try:
        with _exchange():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=SILENCE)
        yield device
    except BaseException:
        # This process ends by itself: torchrun's SIGTERM, which may come any moment, must not cut its message off.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
    signal.signal(signal.SIGTERM, before)


_LOST = (
    "another process of this run has died or no longer answers ({}), so the run ends. Started with --resume FILE, the "
    "same command goes on from the last checkpoint"
)


@contextmanager
def _exchange() -> Generator[None]:
    """Around each call that waits for the other processes: raises `ProcessLost` where one of them is gone.

    gloo, up to PyTorch 2.14 at least, says so by a bare RuntimeError. Only here is it sure to mean that.
    """
    try:
        yield
    except RuntimeError as error:
        if type(error) is not RuntimeError and not isinstance(error, dist.DistError):
            raise  # out of memory, for one
        raise ProcessLost(_LOST.format("this one waited for it in vain")) from error


def _own_device(device: torch.device) -> torch.device:
    if device.type != "cuda":
        return torch.device("cpu")  # gloo carries nothing that lies on Apple's MPS
    cards, number = torch.cuda.device_count(), rank_here()
    if number >= cards:
        raise ProcessCountError(
            f"each process needs a GPU of its own, and there are {cards} here: start {cards} processes, or use the CPU"
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def _told_to_end(signal_number: int, frame: object) -> None:
    """torchrun ends the processes that are left with SIGTERM."""
    raise ProcessLost(_LOST.format("torchrun has told this one to end"))


# --- what all must agree on -------------------------------------------------------------------------------------


def from_first(make: Callable[[], T]) -> T:
    """What `make` returns in process 0, in every process; alone, `make()`. Tensors must be on the CPU.

    An error that it raises there is raised in every process, so that none waits for the others.
    """
    if processes() == 1:
        return make()
    value, error = _outcome(make) if rank() == 0 else (None, None)
    sent: list[Any] = [value, _portable(error)]
    with _exchange():
        dist.broadcast_object_list(sent, src=0)
    error = error or sent[1]  # process 0 raises its own, which knows where it comes from
    if error:
        raise error
    return sent[0]


def _outcome(make: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return make(), None
    except Exception as error:
        return None, error


def _portable(error: Exception | None) -> Exception | None:
    """The error, or one that says the same, if it can't be sent to another process."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"process 0 stopped with {type(error).__name__}: {error}")
    return error


def agree(settings: dict[str, Any]) -> None:
    """Raise `ProcessesDiffer` in every process unless all have the same settings."""
    if processes() == 1:
        return
    everyone: list[Any] = [None] * processes()
    with _exchange():
        dist.all_gather_object(everyone, settings)
    for number, others in enumerate(everyone):
        if others != everyone[0]:
            what = validate.differences(others, everyone[0], f"in process {number}", "in process 0")
            raise ProcessesDiffer(f"the processes of this run were not started alike: {what}. Give all the same")


# --- a batch and its parts --------------------------------------------------------------------------------------


def share(train: DataLoader) -> DataLoader:
    """The loader of this process, for its share of each batch of `train`; alone, `train` itself.

    The images of a batch are dealt out in turn, like cards, so that all shares together are the batch that one process
    takes. Raises `ProcessCountError` for batches that leave a process without an image, `TypeError` for a loader that
    is not from `in_batches`.
    """
    if processes() == 1:
        return train
    if not isinstance(train.sampler, BatchSampler):
        raise TypeError("with several processes, a loader is needed that in_batches() made")
    images = len(train.dataset)  # ty: ignore[invalid-argument-type]  what we take has a length
    size = train.sampler.batch_size
    smallest = images % size or size
    if smallest < processes():
        raise ProcessCountError(
            f"{images:,} images in batches of {size} end with a batch of {smallest}, too few for {processes()} "
            f"processes. Start at most {smallest}, or use another batch size"
        )
    return DataLoader(train.dataset, batch_size=None, sampler=_Share(train.sampler))


class _Share(Sampler[list[int]]):
    """Of each of `batches`, lists of indices, the part of this process; the parts differ by one image at most."""

    def __init__(self, batches: BatchSampler):
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            yield batch[rank() :: processes()]


def places(count: int) -> range:
    """Where this process's `count` images of a batch stand in the batch of all; alone, range(count)."""
    if processes() == 1:
        return range(count)
    return range(rank(), int(total(count)), processes())


@contextmanager
def synchronised(model: nn.Module) -> Generator[None]:
    """While it is open, `model` can be trained by all processes as by one; alone, nothing changes.

    All start with the parameters and buffers of process 0, and batch normalisation of any kind takes mean and variance
    over the batch of all, so that the step is the one that a single process makes. The model's layers stay what they
    are. Raises `ProcessesDiffer` for models of different shapes.
    """
    if processes() == 1:
        yield
        return
    agree({name: tuple(value.shape) for name, value in chain(model.named_parameters(), model.named_buffers())})
    with torch.no_grad():
        for value in chain(model.parameters(), model.buffers()):
            sent = value.contiguous()  # the values in their order, whatever the layout
            with _exchange():
                dist.broadcast(sent, src=0)
            value.copy_(sent)
    with _WholeBatch():
        yield


def backward(model: nn.Module, loss: Tensor, places: range) -> float:
    """`loss.backward()`, so that all processes have the gradient for the batch of all. Returns the loss of that batch.

    `loss` is the mean over this process's images, which have these `places` in the batch. PyTorch's
    DistributedDataParallel does as much, but a process that is lost shows there as an error like any other of the
    model.
    """
    if processes() == 1:
        loss.backward()
        return loss.item()
    weight = len(places) / places.stop
    (loss * weight).backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    parts = [*gradients, loss.detach() * weight]
    sums = _summed(torch.cat([part.flatten() for part in parts])).split([part.numel() for part in parts])
    for gradient, values in zip(gradients, sums[:-1], strict=True):
        gradient.copy_(values.view_as(gradient))
    return sums[-1].item()


def total(value: float) -> float:
    """The sum of the processes' values; alone, `value`."""
    if processes() == 1:
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    return _summed(torch.tensor(value, dtype=torch.float64, device=device)).item()


def _summed(values: Tensor) -> Tensor:
    """The sum over all processes, in place."""
    with _exchange():
        dist.all_reduce(values)
    return values


# --- batch normalisation ----------------------------------------------------------------------------------------


class _WholeBatch(TorchFunctionMode):
    """Where gradients are recorded, `F.batch_norm`, which every layer of batch normalisation calls, is `_batch_norm`.

    PyTorch's own SyncBatchNorm is for GPUs only, and takes the place of a model's layers.
    """

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func is F.batch_norm and torch.is_grad_enabled():
            func = _batch_norm
        return func(*args, **(kwargs or {}))


def _batch_norm(
    features: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`F.batch_norm` of features (N, C, …), whose mean and variance are those of the batches of all processes.

    Ioffe and Szegedy, 2015, arXiv:1502.03167, algorithm 1.
    """
    if not training:
        return F.batch_norm(features, running_mean, running_var, weight, bias, training, momentum, eps)
    mean, variance, count = _moments(features)
    if running_mean is not None and running_var is not None:
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean), momentum)
            unbiased = variance * count / (count - 1)  # as PyTorch's
            running_var.lerp_(unbiased.to(running_var), momentum)
    # As PyTorch computes it on a processor: another order of the same operations would round otherwise.
    scale = (variance + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    return (features * _as_channels(scale, features) + _as_channels(shift, features)).to(features.dtype)


def _moments(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance (C,) of each channel over the batches of all processes, and how many numbers each is from.

    Each process sends mean and sum of squared deviations from it, and these are combined: Chan, Golub and LeVeque,
    1979, "Updating formulae and a pairwise algorithm for computing sample variances". No difference of large squares
    is taken, so the variance can't fall below 0. The batches may differ in size.
    """
    features = features.to(torch.promote_types(features.dtype, torch.float32))
    channels = features.shape[1]
    own = features.numel() // channels
    axes = [axis for axis in range(features.dim()) if axis != 1]
    variance, mean = torch.var_mean(features, axes, correction=0)
    of_each = _Gathered.apply(torch.cat([mean, variance * own, mean.new_tensor([own])]))
    means, squares, counts = of_each.split([channels, channels, 1], dim=1)
    count = counts.sum()
    mean = (counts * means).sum(0) / count
    variance = (squares + counts * (means - mean).square()).sum(0) / count
    return mean, variance, count


def _as_channels(values: Tensor, features: Tensor) -> Tensor:
    """(C,) so that it meets the second axis of (N, C, …)."""
    return values.view(-1, *[1] * (features.dim() - 2))


class _Gathered(torch.autograd.Function):
    """Values (V,) of all processes, (P, V). Each has a loss that depends on them, so their gradients are summed."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        of_each = [torch.empty_like(values) for _ in range(processes())]
        with _exchange():
            dist.all_gather(of_each, values)
        return torch.stack(of_each)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _summed(gradients[0].clone(memory_format=torch.contiguous_format))[rank()]


# --- starting them ----------------------------------------------------------------------------------------------


def torchrun(arguments: list[str], processes: int = 2) -> subprocess.CompletedProcess:
    """Run `python ARGUMENTS` in several processes on this machine, and return exit code and output when all have ended.

    They meet on the loopback address, at a port that was free, so that several such runs don't meet each other. A bar
    counts the seconds. An interrupt ends the processes before it is passed on.
    """
    # --local-addr: a laptop's own name often leads nowhere.
    options = ["--standalone", "--local-addr=127.0.0.1", f"--nproc-per-node={processes}"]
    command = [sys.executable, "-m", "torch.distributed.run", *options, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as agent:
        try:
            out, err = _wait(agent)
        except BaseException:
            agent.terminate()  # torchrun ends its processes, then itself
            agent.communicate()
            raise
    return subprocess.CompletedProcess(command, agent.returncode, out, err)


def _wait(agent: subprocess.Popen) -> tuple[str, str]:
    start = time.perf_counter()
    with progress(unit="s", desc="processes at work", bar_format="{desc}: {n:.0f} s") as bar:
        while True:
            try:
                return agent.communicate(timeout=1)
            except subprocess.TimeoutExpired:
                bar.update(time.perf_counter() - start - bar.n)
