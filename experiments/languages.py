"""Notebook 07, C12 for text: which of twelve languages a word belongs to, on words with beginnings never seen."""

from dataclasses import replace

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn
from tqdm import tqdm

from course_utils import ORIGINAL, count_parameters, evaluate
from course_utils.models import TextCNN, dense_of_size
from course_utils.recipes import settings_of
from course_utils.text import BABEL, CHARACTERS, LANGUAGES, LENGTH, Names, Words, load_names
from experiments._common import trained, tune

NETWORKS = {
    "1-D CNN": lambda: TextCNN(CHARACTERS, len(LANGUAGES)),
    "dense": lambda: dense_of_size(count_parameters(NETWORKS["1-D CNN"]()), CHARACTERS * LENGTH, len(LANGUAGES)),
}
RATES, EPOCHS = [3e-3, 1e-2, 3e-2], [5, 10]  # each pair tried by each network on the validation words
PAIRS = [(rate, epochs) for epochs in EPOCHS for rate in RATES]
LINEAR = {"characters": (1, 1), "trigrams": (3, 3), "1 to 3 characters": (1, 3)}  # what is counted: shortest, longest
STRENGTHS = [0.1, 0.3, 1.0, 3.0, 10.0]  # C of the logistic regression, tried on the validation words
TUNING_SEED, SEEDS = 0, [1, 2, 3, 4, 5]
RECIPE = replace(ORIGINAL, name="languages", batch_size=64, schedule="one-cycle")
SETTINGS = {
    "recipe": settings_of(RECIPE, tuned=("learning_rate", "epochs")),
    "train_on": "train",
    "tuned_on": "validation",
    "networks": list(NETWORKS),
    "rates": RATES,
    "epochs": EPOCHS,
    "linear": LINEAR,
    "strengths": STRENGTHS,
    "tuning_seed": TUNING_SEED,
    "seeds": SEEDS,
}


def run() -> dict:
    """The words' counts; what was tried on the validation words; then the accuracies in training and on the test words
    for each network and seed, and once for each linear model, in which nothing is left to chance.
    """
    names = load_names()
    tried, runs = [], []
    for network in tqdm(NETWORKS, desc="networks"):
        (rate, epochs), scores = tune(
            PAIRS,
            lambda pair, network=network: train(names, network, *pair, TUNING_SEED),
            lambda model: evaluate(model, names.validation),
        )
        for (one_rate, one_epochs), accuracy in zip(PAIRS, scores, strict=True):
            tried.append({"network": network, "rate": one_rate, "epochs": one_epochs, "validation_accuracy": accuracy})
        for seed in SEEDS:
            model = train(names, network, rate, epochs, seed)
            accuracies = {"train_accuracy": evaluate(model, names.train), "test_accuracy": evaluate(model, names.test)}
            runs.append({"network": network, "seed": seed, "parameters": count_parameters(model), **accuracies})
    for counted in tqdm(LINEAR, desc="linear models"):
        strength, scores = tune(
            STRENGTHS,
            lambda strength, counted=counted: linear(names.train, counted, strength),
            lambda model: score(model, names.validation),
        )
        for one, accuracy in zip(STRENGTHS, scores, strict=True):
            tried.append({"network": counted, "strength": one, "validation_accuracy": accuracy})
        best = linear(names.train, counted, strength)
        accuracies = {"train_accuracy": score(best, names.train), "test_accuracy": score(best, names.test)}
        runs.append({"network": counted, "parameters": best[-1].coef_.size + best[-1].intercept_.size, **accuracies})
    most_frequent = names.train.labels.mode().values
    return {
        "babel": BABEL,
        "words": {"found": names.found, "shared": names.shared, "split": [len(part) for part in names[:3]]},
        "chance": (names.test.labels == most_frequent).float().mean().item(),
        "tried": tried,
        "runs": runs,
    }


def train(names: Names, network: str, rate: float, epochs: int, seed: int) -> nn.Module:
    return trained(NETWORKS[network], names.train, replace(RECIPE, learning_rate=rate, epochs=epochs), seed)[0]


def linear(words: Words, counted: str, strength: float):
    """Logistic regression on counts of characters, or of sequences of them, the spaces around a word included."""
    counter = CountVectorizer(analyzer="char", ngram_range=LINEAR[counted])
    return make_pipeline(counter, LogisticRegression(C=strength, max_iter=2000)).fit(spaced(words), words.labels)


def score(model, words: Words) -> float:
    return model.score(spaced(words), words.labels)


def spaced(words: Words) -> list[str]:
    return [f" {word} " for word in words.spelled]
