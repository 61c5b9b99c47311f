"""Notebook 08, C12 for text: the language of a word; a 1-D CNN, a dense network, and counts of letters and trigrams.

The two networks are tuned alike. The shallow method is what people would use: logistic regression on counts of
sequences of one to three characters. Names of places and languages; no test word, nor its relative, was trained on.
"""

from typing import Any

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn
from torch.utils.data import Dataset

from course_utils import count_parameters, evaluate
from course_utils.models import TextCNN, dense_of_size
from course_utils.recipes import Recipe
from course_utils.text import CHARACTERS, LANGUAGES, LENGTH, Words, load_names
from experiments._claims import PROTOCOL, SEEDS, Arm, Kept, judged, search

CLAIM = "C12"
EPOCHS = 10
FIRST_STRENGTHS = [3e-1, 1.0, 3.0]  # C of the logistic regression: where the search on the validation words begins


def text_cnn() -> nn.Module:
    return TextCNN(CHARACTERS, len(LANGUAGES))


NETWORKS = {
    "1-D CNN": text_cnn,
    "dense": lambda: dense_of_size(count_parameters(text_cnn()), CHARACTERS * LENGTH, len(LANGUAGES)),
}
SETTINGS = {
    **PROTOCOL,
    "networks": list(NETWORKS),
    "epochs": EPOCHS,
    "batch_size": 64,
    "schedule": "one-cycle",
    "shallow": {"features": "counts of 1 to 3 characters", "first_strengths": FIRST_STRENGTHS},
}


def spaced(words: Words) -> list[str]:
    return [f" {word} " for word in words.spelled]


def shallow(words: Words, strength: float) -> Any:
    counter = CountVectorizer(analyzer="char", ngram_range=(1, 3))
    return make_pipeline(counter, LogisticRegression(C=strength, max_iter=2000)).fit(spaced(words), words.labels)


def run() -> dict[str, Any]:
    """For each arm and seed: accuracy in training and on the test words; and that of the most frequent language."""
    names, kept = load_names(), Kept("words", SETTINGS)

    def accuracies(network: nn.Module, train: Dataset, losses: list[float]) -> dict[str, Any]:
        tested = {"train_accuracy": evaluate(network, train), "test_accuracy": evaluate(network, names.test)}
        return {"parameters": count_parameters(network), **tested}

    def recipe(rate: float) -> Recipe:
        return Recipe("words", batch_size=64, learning_rate=rate, epochs=EPOCHS, schedule="one-cycle")

    arms = [Arm({"arm": name}, make, len(names.train), recipe) for name, make in NETWORKS.items()]
    results = judged(names, arms, kept, accuracies)

    def scored(model: Any, words: Words) -> float:
        return float(model.score(spaced(words), words.labels))

    strength, tried = search(FIRST_STRENGTHS, lambda c: scored(shallow(names.train, c), names.validation))
    model = shallow(names.train, strength)
    tested = {"train_accuracy": scored(model, names.train), "test_accuracy": scored(model, names.test)}
    # Nothing in it is left to chance: the same for each seed, so that it can be paired.
    results["runs"] += [{"arm": "shallow", "seed": seed, **tested} for seed in SEEDS]
    results["chosen"].append({"arm": "shallow", "strength": strength, "tried": tried})
    most_frequent = (names.test.labels == names.test.labels.mode().values).float().mean().item()
    return {**results, "words": [len(part) for part in names[:3]], "most_frequent_language": most_frequent}
