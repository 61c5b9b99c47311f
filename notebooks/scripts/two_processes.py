"""What notebook 08 measures in processes that torchrun starts: two_processes.py RESULT.pt PART...

`weights_by_step` and `step_times` work alone too, in a process that torchrun did not start.
"""

import sys
import time
from collections.abc import Callable
from itertools import islice

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from course_utils import (
    CNN,
    ModernCNN,
    count_parameters,
    distributed,
    in_batches,
    load_mnist,
)

# --- section 2: the same step ------------------------------------------------------------------------------------

# name: network, optimizer, learning rate, kind of number
CASES = {
    "tutorial's network, SGD": (CNN, torch.optim.SGD, 0.05, torch.float32),
    "tutorial's network, Adam": (CNN, torch.optim.Adam, 0.001, torch.float32),
    "the same, float64": (CNN, torch.optim.Adam, 0.001, torch.float64),
    "batch norm over the whole batch": (ModernCNN, torch.optim.SGD, 0.05, torch.float32),
    "batch norm over each half": (ModernCNN, torch.optim.SGD, 0.05, torch.float32),
}


def weights_by_step(case: str) -> Tensor:
    """All weights after each of ten steps on batches of 64, (10, parameters)."""
    network, optimizer_class, learning_rate, dtype = CASES[case]
    torch.manual_seed(1)
    model = network().to(dtype)
    if case == "batch norm over each half" and distributed.processes() > 1:
        replica = DistributedDataParallel(model)  # PyTorch's own, as it is
    else:
        replica = distributed.replicate(model)
    optimizer = optimizer_class(model.parameters(), lr=learning_rate)
    mnist = load_mnist()
    whole = in_batches(mnist.train, batch_size=64, seed=1)
    weights = []
    for images, labels in islice(distributed.share(whole, seed=1), 10):
        loss = nn.functional.cross_entropy(replica(images.to(dtype)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        weights.append(nn.utils.parameters_to_vector(model.parameters()).detach())
    return torch.stack(weights)


# --- section 3: what it costs ------------------------------------------------------------------------------------


def convolutional(width: int) -> nn.Module:
    """The tutorial's network with `width` and 2 * `width` channels; it has 16 and 32."""
    return nn.Sequential(
        *(nn.Conv2d(1, width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(width, 2 * width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(2 * width * 7 * 7, 10)),
    )


def dense(width: int) -> nn.Module:
    """One hidden layer of `width` numbers, each with a weight for every pixel."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(28 * 28, width), nn.ReLU(), nn.Linear(width, 10)
    )


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


# --- section 4: two processes on two cores -----------------------------------------------------------------------


def step_times(batch_size: int, repeats: int = 100) -> dict[str, float]:
    """Milliseconds of a training step of the tutorial's network: on the clock, and of all processes' processor time.

    Both are means over the same steps, so that they belong together.
    """
    model = CNN()
    replica = distributed.replicate(model)
    optimizer = torch.optim.Adam(model.parameters())
    images, labels = torch.rand(batch_size, 1, 28, 28), torch.randint(0, 10, (batch_size,))

    def steps(count: int) -> None:
        for _ in range(count):
            loss = nn.functional.cross_entropy(replica(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        distributed.mean(0.0)  # each process waits here for the other

    steps(5)  # a rehearsal
    clock, processor = time.perf_counter(), time.process_time()
    steps(repeats)
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    all_processes = distributed.mean(processor) * distributed.processes()
    return {"clock": 1000 * clock / repeats, "processor": 1000 * all_processes / repeats}


PARTS = {
    "weights": lambda: {case: weights_by_step(case) for case in CASES},
    "costs": lambda: {
        kind: [costs(kind, width) for width in WIDTHS[kind]] for kind in NETWORKS
    },
    "step times": lambda: step_times(32),
}

if __name__ == "__main__":
    with distributed.process_group(torch.device("cpu")):
        results = {part: PARTS[part]() for part in sys.argv[2:]}
        if distributed.rank() == 0:
            torch.save(results, sys.argv[1])
