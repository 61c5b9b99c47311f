"""Notebook 08, C12 for sound: spoken digits, by voices never heard; a 1-D CNN, a dense network, a shallow method.

The two networks are tuned alike. The shallow method is what people would use: logistic regression on the logarithms of
spectrograms. All three also hear real recordings, where somebody has put them into data/ (see data/README.md).
"""

import os
import tempfile
import zipfile
from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.utils.data import Dataset

from course_utils import count_parameters, evaluate
from course_utils.data import data_root
from course_utils.models import SoundCNN, SpectrogramCNN, dense_of_size, log_spectrogram
from course_utils.recipes import Recipe
from course_utils.sound import LENGTH, Recordings, load_recordings, load_spoken_digits
from experiments._claims import PROTOCOL, SEEDS, Arm, Kept, judged, search

CLAIM = "C12"
EPOCHS = 12
FIRST_STRENGTHS = [3e-4, 1e-3, 3e-3]  # C of the logistic regression: where the search on the validation voices begins
NETWORKS = {
    "1-D CNN": SoundCNN,
    "dense": lambda: dense_of_size(count_parameters(SoundCNN()), LENGTH, 10),
    "spectrogram CNN": SpectrogramCNN,  # outside the verdict
}
SETTINGS = {
    **PROTOCOL,
    "networks": list(NETWORKS),
    "epochs": EPOCHS,
    "batch_size": 32,
    "schedule": "one-cycle",
    "shallow": {"features": "log spectrogram", "first_strengths": FIRST_STRENGTHS},
}


def real_recordings() -> Recordings | None:
    """The Free Spoken Digit Dataset, where data/free_spoken_digits/recordings.zip is there."""
    path = data_root() / "free_spoken_digits" / "recordings.zip"
    if not path.exists():
        return None
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
        inner = [where for where, _, files in os.walk(folder) if any(name.endswith(".wav") for name in files)]
        return load_recordings(inner[0])


def spectrograms(waves: Tensor) -> Tensor:
    return log_spectrogram(waves).flatten(1)


def shallow(train: Recordings, strength: float) -> Any:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300, tol=1e-3))
    return model.fit(spectrograms(train.waves), train.labels)


def run() -> dict[str, Any]:
    """For each arm and seed: accuracy in training, on the test voices, and on real recordings if there are any."""
    digits, real = load_spoken_digits(), real_recordings()
    kept = Kept("speech-people" if real else "speech", SETTINGS)
    tests = {"test_accuracy": digits.test} | ({"real_accuracy": real} if real else {})

    def accuracies(network: nn.Module, train: Dataset, losses: list[float]) -> dict[str, Any]:
        tested = {name: evaluate(network, test) for name, test in tests.items()}
        return {"parameters": count_parameters(network), "train_accuracy": evaluate(network, train), **tested}

    def recipe(rate: float) -> Recipe:
        return Recipe("speech", batch_size=32, learning_rate=rate, epochs=EPOCHS, schedule="one-cycle")

    arms = [Arm({"arm": name}, make, len(digits.train), recipe) for name, make in NETWORKS.items()]
    results = judged(digits, arms, kept, accuracies)

    def scored(model: Any, split: Recordings) -> float:
        return float(model.score(spectrograms(split.waves), split.labels))

    strength, tried = search(FIRST_STRENGTHS, lambda c: scored(shallow(digits.train, c), digits.validation))
    neighbour = KNeighborsClassifier(n_neighbors=1).fit(spectrograms(digits.train.waves), digits.train.labels)
    for name, model in (("shallow", shallow(digits.train, strength)), ("nearest neighbour", neighbour)):
        tested = {split: scored(model, test) for split, test in tests.items()}
        # Nothing in them is left to chance: the same for each seed, so that they can be paired.
        results["runs"] += [{"arm": name, "seed": seed, **tested} for seed in SEEDS]
    results["chosen"].append({"arm": "shallow", "strength": strength, "tried": tried})
    return {**results, "real_recordings": len(real) if real else 0}
