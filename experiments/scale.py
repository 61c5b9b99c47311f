"""What an image costs in training, by batch, threads and processes: seconds and memory of the tutorial's network.

Each run has processes of its own. Of two, each takes half of every batch; the memory is that of both together.
"""

import json
import subprocess
import sys
from dataclasses import replace

import torch
from torch.utils.data import Subset
from tqdm import tqdm

from course_utils import CNN, ORIGINAL, distributed, load_mnist, threads
from course_utils.recipes import settings_of
from experiments._common import trained
from experiments._peak import peak_mb

WAYS = {"1 process, 1 thread": (1, 1), "1 process, 2 threads": (1, 2), "2 processes, 1 thread each": (2, 1)}
SETTINGS = {
    "model": "CNN",
    "train_on": "train",
    "recipe": settings_of(ORIGINAL, tuned=("batch_size",)),
    "batch_sizes": [50, 100, 200, 500, 1000],
    "images": 10_000,
    "ways": list(WAYS),
    "rounds": 3,
}


def run() -> list[dict]:
    """Of each way, batch size and round the microseconds an image took, and peak MB. A slow minute hits all alike."""
    results = []
    for _ in tqdm(range(SETTINGS["rounds"]), desc="rounds"):
        for batch_size in SETTINGS["batch_sizes"]:
            for way, (processes, count) in WAYS.items():
                results.append({"way": way, "batch_size": batch_size, **_measured(processes, count, batch_size)})
    return results


def _measured(processes: int, count: int, batch_size: int) -> dict[str, float]:
    command = ["-m", "experiments.scale", str(count), str(batch_size)]
    if processes > 1:
        ran = distributed.torchrun(command, processes)
    else:
        ran = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"training {batch_size} images at a time failed:\n{ran.stderr}")
    return json.loads(ran.stdout.splitlines()[-1])


def run_here(count: int, batch_size: int) -> None:
    """Train in this process, or in all that torchrun started; the first of them prints what was measured."""
    threads.choose(count)
    images = Subset(load_mnist().train, range(SETTINGS["images"]))
    with distributed.process_group(torch.device("cpu")):
        _, history = trained(CNN, images, replace(ORIGINAL, batch_size=batch_size), seed=1, device="cpu")
        memory = distributed.total(peak_mb("self"))
        if distributed.rank() == 0:
            microseconds = 1e6 * history.total_seconds / len(images)
            print(json.dumps({"microseconds": round(microseconds, 1), "peak_mb": round(memory)}))


if __name__ == "__main__":
    run_here(*map(int, sys.argv[1:]))
