"""Notebook 02, C5: an MLP and a CNN with as many parameters, on digits and on digits with scrambled pixels."""

from torch import nn
from torch.utils.data import Dataset, TensorDataset
from tqdm import tqdm

from course_utils import CNN, count_parameters, evaluate, load_mnist
from course_utils.perturb import scramble
from experiments._common import EPOCHS, SEEDS, SHARED_SETTINGS, TUNING_SEED, images_of, trained_layers, tuned_rate

PERMUTATION_SEED = 0
COUNTS = [1000, 3000, 10_000]


def mlp() -> nn.Module:
    """36 hidden units: as near to the CNN's 28,938 parameters as this shape comes."""
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 36), nn.ReLU(), nn.Linear(36, 10))


NETWORKS = {"MLP": mlp, "CNN": CNN}
RATES = {"MLP": [1e-2, 3e-2, 1e-1], "CNN": [3e-3, 1e-2, 3e-2]}
SETTINGS = {
    **SHARED_SETTINGS,
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
                network, _ = trained_layers(make, images, tuned["rate"], EPOCHS[count], seed)
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
