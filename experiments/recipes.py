"""`make bench`: the original tutorial's script and the course's recipes side by side, each run in its own process."""

import copy
import json
import subprocess
import sys
import time
from dataclasses import replace

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from course_utils import count_parameters, evaluate, load_mnist, threads
from course_utils.data import Splits, data_root
from course_utils.recipes import EXPERIMENTS, MODERN, PEER, REFERENCE, Experiment
from course_utils.training import History, has_bfloat16
from experiments import _pytorch_example as pytorch_example
from experiments import _reference_script as reference_script
from experiments._common import run_once
from experiments._peak import peak_mb


def final(experiment: Experiment) -> Experiment:
    """The run of a recipe that has been chosen: where it looks at validation images, it learns them instead."""
    unwatched = replace(experiment, train_on="full_train", watch=None, look_every=None)
    return unwatched if experiment.watch == "validation" else experiment


# What is trained: the course's recipes, and as controls two of them as they train where there is no bfloat16.
CONTROLS = ("original", "modern")
RECIPES = {name: final(experiment) for name, experiment in EXPERIMENTS.items()}
# As many steps as in the course, where 5,000 images fewer are learned. With a whole epoch of the 60,000, `modern` took
# 0.357, 0.369 and 0.349 of the reference's time in three runs, and read 99.33 to 99.36 %.
RECIPES["modern"] = replace(RECIPES["modern"], recipe=replace(MODERN, epochs=0.917))
ARMS = RECIPES | {f"{name}, float32": replace(RECIPES[name], mixed_precision=False) for name in CONTROLS}
SETTINGS = {
    "reference": {
        "epochs": reference_script.EPOCHS,
        "batch_size": reference_script.BATCH_SIZE,
        "learning_rate": reference_script.LEARNING_RATE,
    },
    "peer": {"batch_size": pytorch_example.BATCH_SIZE, "learning_rate": pytorch_example.LEARNING_RATE},
    "peer_seeds": [191, 192],  # it takes longer than all others together
    "experiments": {name: experiment.settings() for name, experiment in ARMS.items()},
    "seeds": [191, 192, 193, 194, 195],  # none of them was used to choose a recipe, or read here before
}
THREADS = 2  # of the reference and the recipes alike
MATRIX_SIZE = 2048


def run() -> list[dict]:
    """For each seed and recipe what `run_here` measured. Interleaved, so that a slow minute hits all alike."""
    runs = [(name, seed) for seed in SETTINGS["seeds"] for name in (REFERENCE, *ARMS)]
    runs += [(PEER, seed) for seed in SETTINGS["peer_seeds"]]
    results = []
    for name, seed in tqdm(runs, desc="runs"):
        command = [sys.executable, "-m", "experiments.recipes", name, str(seed)]
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        results.append(json.loads(output.splitlines()[-1]))
    return results


def run_here(name: str, seed: int) -> dict:
    """One run in this process: seconds of the training loop, accuracy on all 10,000 test images, peak memory, work.

    `flop` is what training and watching need, a multiplication and an addition counting as two;
    `matrix_flop_per_second` is the speed at which this process then multiplies two large matrices, of the numbers that
    it trained with: `arithmetic`.
    """
    threads.choose(THREADS)
    arithmetic = torch.float32
    if name == REFERENCE:
        model, parts = reference_script.train(data_root(), seed)
        seconds = sum(parts.values())
        images = reference_script.EPOCHS * 60_000, reference_script.LOGS * 2000
    elif name == PEER:
        model, seconds = pytorch_example.train(data_root(), seed)
        parts, images = None, (60_000, 0)
    else:
        model, seconds, images = _train(ARMS[name], seed)
        parts = None
        if ARMS[name].mixed_precision and has_bfloat16(torch.device("cpu")):
            arithmetic = torch.bfloat16
    memory = peak_mb("self") if sys.platform == "linux" else None  # before what else is measured here
    return {
        "recipe": name,
        "seed": seed,
        "seconds": seconds,
        "parts": parts,  # of the reference's seconds
        "test_accuracy": evaluate(model, load_mnist().test),
        "parameters": count_parameters(model),
        "peak_mb": memory,
        "flop": flop(model, *images),
        "arithmetic": str(arithmetic).removeprefix("torch."),
        "matrix_flop_per_second": matrix_flop_per_second(arithmetic),
        "threads": torch.get_num_threads(),
    }


def _train(experiment: Experiment, seed: int) -> tuple[nn.Module, float, tuple[int, int]]:
    mnist = load_mnist()
    model, history = run_once(experiment, mnist, seed, device="cpu")
    images = images_trained(experiment, history, mnist), images_watched(experiment, history, mnist)
    return model, history.total_seconds, images


def images_trained(experiment: Experiment, history: History, mnist: Splits) -> int:
    """How many images the updates of a run saw; the last batch of an epoch may be smaller than the others."""
    images = len(experiment.train_set(mnist))
    epochs, rest = divmod(len(history.step_loss), -(-images // experiment.recipe.batch_size))
    return epochs * images + rest * experiment.recipe.batch_size


def images_watched(experiment: Experiment, history: History, mnist: Splits) -> int:
    """How many images the log of a run classified."""
    watched = experiment.watched(mnist)
    return len(history.steps) * len(watched[1]) if watched else 0


def flop(model: nn.Module, trained: int, watched: int) -> int:
    """Floating-point operations of the convolutions and matrix products, counted by PyTorch on one image.

    Forward and backward for each of the `trained` images, forward only for each of the `watched` ones.
    """
    image = torch.zeros(1, 1, 28, 28)
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        model(image)
    learner = copy.deepcopy(model).train()
    with FlopCounterMode(display=False) as both:
        learner(image).sum().backward()
    return trained * both.get_total_flops() + watched * forward.get_total_flops()


def matrix_flop_per_second(dtype: torch.dtype, repeats: int = 5) -> float:
    """The best of several products of two square matrices: 2 n³ operations each."""
    matrix = torch.rand(MATRIX_SIZE, MATRIX_SIZE).to(dtype)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - start)
    return 2 * MATRIX_SIZE**3 / min(seconds)


if __name__ == "__main__":
    print(json.dumps(run_here(sys.argv[1], int(sys.argv[2]))))
