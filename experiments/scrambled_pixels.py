"""Notebook 02, C5: an MLP and a CNN with as many parameters, on digits and on digits with scrambled pixels."""

from collections.abc import Callable
from dataclasses import replace

from torch import nn
from torch.utils.data import Dataset, TensorDataset
from tqdm import tqdm

from course_utils import CNN, ORIGINAL, count_parameters, evaluate, load_mnist
from course_utils.perturb import scramble
from course_utils.recipes import settings_of
from experiments._common import images_of, trained, tune

# More passes over fewer images: each run ends with its training images learned, or nearly.
EPOCHS = {1000: 15, 3000: 6, 10_000: 3}
SEEDS = [1, 2, 3]
TUNING_SEED = 4  # neither these training images nor these first weights occur in the experiments
RECIPE = replace(ORIGINAL, name="run", batch_size=100, schedule="one-cycle")
PERMUTATION_SEED = 0
COUNTS = list(EPOCHS)


def mlp() -> nn.Module:
    """36 hidden units: as near to the CNN's 28,938 parameters as this shape comes."""
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 36), nn.ReLU(), nn.Linear(36, 10))


NETWORKS = {"MLP": mlp, "CNN": CNN}
RATES = {"MLP": [1e-2, 3e-2, 1e-1], "CNN": [3e-3, 1e-2, 3e-2]}
SETTINGS = {
    "recipe": settings_of(RECIPE, tuned=("learning_rate", "epochs")),
    "train_on": "train",
    "tuned_on": "validation",
    "seeds": SEEDS,
    "tuning_seed": TUNING_SEED,
    "networks": list(NETWORKS),
    "counts": COUNTS,
    "epochs": [EPOCHS[count] for count in COUNTS],
    "rates": RATES,
    "permutation_seed": PERMUTATION_SEED,
}


def prepared(dataset: Dataset, scrambled: bool) -> Dataset:
    """The images as they are or scrambled, with their labels."""
    images, labels = dataset[list(range(len(dataset)))]
    return TensorDataset(scramble(images, PERMUTATION_SEED) if scrambled else images, labels)


def trained_at(rate: float, make: Callable[[], nn.Module], images: Dataset, epochs: int, seed: int) -> nn.Module:
    """A network trained by RECIPE with this learning rate."""
    return trained(make, images, replace(RECIPE, learning_rate=rate, epochs=epochs), seed)[0]


def tuned_rate(
    make: Callable[[], nn.Module], images: Dataset, validation: Dataset, rates: list[float], epochs: int
) -> dict:
    """The best learning rate, and under "tuning" the validation accuracy of each."""
    rate, scores = tune(
        rates,
        lambda rate: trained_at(rate, make, images, epochs, TUNING_SEED),
        lambda network: evaluate(network, validation),
    )
    return {"tuning": dict(zip(rates, scores, strict=True)), "rate": rate}


def run() -> list[dict]:
    """For each network, number of images and seed: test accuracy on digits and on scrambled ones."""
    mnist = load_mnist()
    results = []
    for count, scrambled in tqdm([(count, scrambled) for count in COUNTS for scrambled in (False, True)], desc="tasks"):
        validation, test = prepared(mnist.validation, scrambled), prepared(mnist.test, scrambled)
        tuning_images = prepared(images_of(TUNING_SEED, count, mnist.train), scrambled)
        for name, make in NETWORKS.items():
            tuned = tuned_rate(make, tuning_images, validation, RATES[name], EPOCHS[count])
            for seed in SEEDS:
                images = prepared(images_of(seed, count, mnist.train), scrambled)
                network = trained_at(tuned["rate"], make, images, EPOCHS[count], seed)
                results.append(
                    {
                        "network": name,
                        "parameters": count_parameters(network),
                        "images": count,
                        "seed": seed,
                        "scrambled": scrambled,
                        **tuned,
                        "train_accuracy": evaluate(network, images),
                        "test_accuracy": evaluate(network, test),
                    }
                )
    return results
