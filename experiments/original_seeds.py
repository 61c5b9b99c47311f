"""Notebook 05, C11: the tutorial's recipe, repeated with ten seeds."""

from torch.utils.data import Subset
from tqdm import tqdm

from course_utils import evaluate, load_mnist
from course_utils.recipes import EXPERIMENTS
from experiments._common import run_once

SETTINGS = {**EXPERIMENTS["original"].settings(), "seeds": list(range(1, 11)), "block": 2000}


def run() -> list[dict]:
    """For each seed: the history, and the test accuracy on all 10,000 images and on each block of 2,000."""
    mnist = load_mnist()
    blocks = [
        Subset(mnist.test, range(start, start + SETTINGS["block"])) for start in range(0, 10_000, SETTINGS["block"])
    ]
    runs = []
    for seed in tqdm(SETTINGS["seeds"], desc="seeds"):
        model, history = run_once(EXPERIMENTS["original"], mnist, seed)
        by_block = [evaluate(model, block) for block in blocks]
        runs.append(
            {
                "seed": seed,
                "test_accuracy": sum(by_block) / len(by_block),
                "test_accuracy_by_block": by_block,
                "logged_steps": history.steps,
                "logged_accuracy": history.accuracy,
                "seconds": round(history.total_seconds, 1),
            }
        )
    return runs
