"""Notebook 02, C5: local and shared layers once more, under a head with a sixteenth of the weights."""

from tqdm import tqdm

from course_utils import evaluate, load_mnist
from course_utils.models import LAYERS, with_small_head
from experiments._common import EPOCHS, SEEDS, SHARED_SETTINGS, TUNING_SEED, images_of, trained_layers, tuned_rate

RATES = {"local": [1e-2, 3e-2, 1e-1], "shared": [1e-2, 3e-2, 1e-1]}
NETWORKS = {name: lambda layer=LAYERS[name]: with_small_head(layer()) for name in RATES}
SETTINGS = {
    **SHARED_SETTINGS,
    "networks": list(NETWORKS),
    "epochs": {str(count): epochs for count, epochs in EPOCHS.items()},  # keys as JSON has them
    "rates": RATES,
}


def run() -> list[dict]:
    """For each number of images, layer and seed, with the best learning rate: accuracy in training and test."""
    mnist = load_mnist()
    results = []
    for count, name in tqdm([(count, name) for count in EPOCHS for name in NETWORKS], desc="numbers and layers"):
        make, epochs = NETWORKS[name], EPOCHS[count]
        tuning_images = images_of(TUNING_SEED, count, mnist.train)
        tuned = tuned_rate(make, tuning_images, mnist.validation, RATES[name], epochs)
        for seed in SEEDS:
            images = images_of(seed, count, mnist.train)
            network, _ = trained_layers(make, images, tuned["rate"], epochs, seed)
            results.append(
                {
                    "layer": name,
                    "images": count,
                    "seed": seed,
                    **tuned,
                    "train_accuracy": evaluate(network, images),
                    "test_accuracy": evaluate(network, mnist.test),
                }
            )
    return results
