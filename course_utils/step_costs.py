"""What a step of training costs one process and two: to compute a gradient, and to share it.

Notebook 10 measures it live and experiments/two_processes.py stores it. torchrun starts it as
`-m course_utils.step_costs RESULT.pt PART...`
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.distributed as dist
from torch import nn

from course_utils import distributed
from course_utils.models import CNN, count_parameters


def convolutional(width: int) -> nn.Module:
    """The tutorial's network with `width` and 2 * `width` channels; it has 16 and 32."""
    return nn.Sequential(
        *(nn.Conv2d(1, width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(width, 2 * width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(2 * width * 7 * 7, 10)),
    )


def dense(width: int) -> nn.Module:
    """One hidden layer of `width` numbers, each with a weight for every pixel."""
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, width), nn.ReLU(), nn.Linear(width, 10))


NETWORKS = {"convolutional": convolutional, "dense": dense}
WIDTHS = {"convolutional": (4, 8, 16, 32, 64), "dense": (8, 32, 128, 512, 2048)}


def milliseconds(action: Callable[[], object], repeats: int) -> float:
    """The shortest of several times, since whatever else the machine does can only lengthen one."""
    times = []
    for _ in range(repeats + 1):  # the first is a rehearsal
        dist.barrier()
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return 1000 * min(times[1:])


def costs(kind: str, width: int, repeats: int = 8) -> dict[str, float]:
    """Milliseconds of a step on half a batch of 64: to compute the gradient, and to share it with the other process."""
    torch.manual_seed(1)
    model = NETWORKS[kind](width)
    images, labels = torch.rand(32, 1, 28, 28), torch.randint(0, 10, (32,))
    gradient = torch.zeros(count_parameters(model))

    def compute() -> None:
        nn.functional.cross_entropy(model(images), labels).backward()

    return {
        "parameters": len(gradient),
        "compute": milliseconds(compute, repeats),
        "share": milliseconds(lambda: dist.all_reduce(gradient), repeats),
    }


def step_times(batch_size: int, repeats: int = 100) -> dict[str, float]:
    """Milliseconds of a training step of the tutorial's network: on the clock, and of all processes' processor time.

    Each process takes `batch_size` images. Both are means over the same steps, so that they belong together.
    """
    model = CNN()
    optimizer = torch.optim.Adam(model.parameters())
    images, labels = torch.rand(batch_size, 1, 28, 28), torch.randint(0, 10, (batch_size,))

    def steps(count: int) -> None:
        for _ in range(count):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            distributed.backward(model, loss, distributed.places(batch_size))
            optimizer.step()
        distributed.total(0.0)  # each process waits here for the other

    steps(5)  # a rehearsal
    clock, processor = time.perf_counter(), time.process_time()
    steps(repeats)
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    return {"clock": 1000 * clock / repeats, "processor": 1000 * distributed.total(processor) / repeats}


PARTS = {
    "costs": lambda: {kind: [costs(kind, width) for width in WIDTHS[kind]] for kind in NETWORKS},
    "step times": lambda: step_times(32),
}


def in_two_processes(*parts: str) -> dict:
    """What these PARTS measure in two processes that torchrun starts. Raises `RuntimeError` if they fail."""
    with TemporaryDirectory() as folder:
        result = Path(folder, "result.pt")
        ended = distributed.torchrun(["-m", "course_utils.step_costs", str(result), *parts])
        if ended.returncode:
            raise RuntimeError(f"the two processes failed:\n{ended.stderr}")
        return torch.load(result)


if __name__ == "__main__":
    with distributed.process_group(torch.device("cpu")):
        results = {part: PARTS[part]() for part in sys.argv[2:]}
        if distributed.rank() == 0:
            torch.save(results, sys.argv[1])
