"""Notebook 06: one network trained by the modern recipe, kept as modern_network.pt, whose errors are looked at."""

from course_utils import MODERN, ModernCNN, evaluate, evidence, load_mnist, save_checkpoint
from course_utils.recipes import Experiment
from experiments._common import run_once

# The images that the notebook's temperature is fitted on, "validation", are new to the network.
EXPERIMENT = Experiment(MODERN, ModernCNN, train_on="train")
SEED = 1
SETTINGS = {**EXPERIMENT.settings(), "seed": SEED}
CHECKPOINT = "modern_network.pt"


def run() -> dict:
    """Train and keep the network; its accuracy on the validation images."""
    mnist = load_mnist()
    network, _ = run_once(EXPERIMENT, mnist, SEED)
    save_checkpoint(network, evidence.folder() / CHECKPOINT)
    return {"validation_accuracy": evaluate(network, mnist.validation)}
