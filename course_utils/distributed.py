"""One training run in several processes, each with its share of every batch, started by PyTorch's `torchrun`.

In a run of one process every function here returns what it was given, so `fit` is the same loop for both.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import BatchSampler, DataLoader, Dataset, DistributedSampler

from course_utils.progress import progress

# A process that has died is noticed at once, one that hangs after this time. torchrun then gives what is left 30 s to
# end: 55 s together.
SILENCE = timedelta(seconds=25)


class ProcessCountError(ValueError):
    """The work can't be divided between so many processes; the message says how many will do."""


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


@contextmanager
def process_group(device: torch.device) -> Iterator[torch.device]:
    """Join the processes that torchrun started, and yield the device to train on; alone, yield `device`.

    They speak NCCL if `device` is "cuda", with a GPU of its own for each, and otherwise gloo. Raises `ProcessLost` when
    another process ends early, `ProcessCountError` for more processes than GPUs.
    """
    if not started_by_torchrun():
        yield device
        return
    device = _own_device(device)
    before = signal.signal(signal.SIGTERM, _told_to_end)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=SILENCE)
    if rank() > 0:
        os.environ["TQDM_DISABLE"] = "1"  # one progress bar is enough
    try:
        yield device
    except BaseException as error:
        # This process ends by itself: torchrun's SIGTERM, which may come any moment, must not cut its message off.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if "gloo/transport" in str(error) or isinstance(error, dist.DistError):
            raise ProcessLost(_LOST.format("this one waited for it in vain")) from error
        raise
    finally:
        dist.destroy_process_group()
    signal.signal(signal.SIGTERM, before)


_LOST = (
    "another process of this run has died or no longer answers ({}), so the run ends. Started with --resume FILE, the "
    "same command goes on from the last checkpoint"
)


def _own_device(device: torch.device) -> torch.device:
    if device.type != "cuda":
        return torch.device("cpu")  # gloo carries nothing that lies on Apple's MPS
    cards, number = torch.cuda.device_count(), int(os.environ["LOCAL_RANK"])
    if number >= cards:
        raise ProcessCountError(
            f"each process needs a GPU of its own, and there are {cards} here: start {cards} processes, or use the CPU"
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def _told_to_end(signal_number: int, frame: object) -> None:
    """torchrun ends the processes that are left with SIGTERM."""
    raise ProcessLost(_LOST.format("torchrun has told this one to end"))


def share(train: DataLoader, seed: int) -> DataLoader:
    """The loader of this process, for its share of each batch of `train`; alone, `train` itself.

    `DistributedSampler` deals one shuffled list of images out in turn, so that the shares of all processes together are
    the batch that one process would take: in the first epoch the very same as `in_batches` with that seed, later on
    as random. A list that can't be dealt evenly is filled up with its first images. Raises `ProcessCountError` for a
    batch that can't be split evenly, `TypeError` for a loader that is not from `in_batches`.
    """
    if processes() == 1:
        return train
    if not isinstance(train.sampler, BatchSampler):
        raise TypeError("with several processes, a loader is needed that in_batches() made")
    whole = train.sampler.batch_size
    if whole % processes():
        counts = [count for count in range(1, whole + 1) if whole % count == 0]
        raise ProcessCountError(
            f"a batch of {whole} can't be split evenly between {processes()} processes, and only equal parts give the "
            f"same step as the whole. Use one of {', '.join(map(str, counts))} processes, or another batch size"
        )
    sampler = _Shuffled(train.dataset, seed=seed)
    return DataLoader(train.dataset, batch_size=None, sampler=BatchSampler(sampler, whole // processes(), False))


class _Shuffled(DistributedSampler):
    """Shuffles anew for each pass, as `RandomSampler` does; `DistributedSampler` alone needs to be told the epoch."""

    def __init__(self, dataset: Dataset, seed: int):
        super().__init__(dataset, shuffle=True, seed=seed)

    def __iter__(self) -> Iterator[int]:
        indices = super().__iter__()
        self.set_epoch(self.epoch + 1)
        return indices


def replicate(model: nn.Module) -> nn.Module:
    """`model` so that `backward()` leaves the mean of all processes' gradients in it; alone, `model` itself.

    All start with the weights of process 0. Batch normalisation changes too: mean and variance are those of the whole
    batch, so that the step is the one that a single process makes.
    """
    if processes() == 1:
        return model
    if next(model.parameters()).is_cuda:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # PyTorch has it for GPUs only
    for layer in model.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = SharedBatchNorm2d  # the same parameters and buffers, another forward
    return DistributedDataParallel(model)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation of features (N, C, H, W) over the batches of all processes, each of N images.

    Ioffe and Szegedy, 2015, arXiv:1502.03167, algorithm 1, with the sums over the whole batch.
    """

    def forward(self, features: Tensor) -> Tensor:
        if not self.training or processes() == 1:
            return super().forward(features)
        count = processes() * features.numel() // features.shape[1]
        sums = torch.stack([features.sum((0, 2, 3)), features.square().sum((0, 2, 3))])  # (2, C)
        mean, mean_square = _Sum.apply(sums) / count
        variance = mean_square - mean.square()
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)  # as PyTorch's: without bias
            self.num_batches_tracked += 1
        scale = self.weight / (variance + self.eps).sqrt()
        return features * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]


class _Sum(torch.autograd.Function):
    """The sum over all processes. Each has a loss of its own that depends on it, so gradients are summed as well."""

    @staticmethod
    def forward(ctx: object, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


def from_first(make: Callable[[], Any]) -> Any:
    """What `make` returns in process 0, in every process; an error that it raises there ends all of them.

    Alone, just `make()`. A tensor must be on the CPU.
    """
    if processes() == 1:
        return make()
    made: list = [None, None]
    if rank() == 0:
        try:
            made[0] = make()
        except Exception as error:
            error.__cause__ = None  # which may not survive the way
            made[1] = error
    dist.broadcast_object_list(made, src=0)
    if made[1] is not None:
        raise made[1]
    return made[0]


def mean(value: float) -> float:
    """The mean of the processes' values; alone, `value`."""
    if processes() == 1:
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    total = torch.tensor(value, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return total.item() / processes()


def torchrun(arguments: list[str], processes: int = 2, **options) -> subprocess.CompletedProcess:
    """Run `python ARGUMENTS` in several processes on this machine, and return exit code and output when all have ended.

    They meet on the loopback address, at a port that was free, and nothing outside can reach them. `options` go to
    `subprocess.Popen`. A bar counts the seconds. An interrupt ends the processes before it is passed on.
    """
    meeting = ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1"]
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}", *meeting, *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, **options) as agent:
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
