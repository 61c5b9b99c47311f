"""Notebook 07, C12 for sound: networks on raw waves of spoken digits, tested with voices they never heard."""

from dataclasses import replace

from torch import Tensor, nn
from torch.utils.data import TensorDataset
from tqdm import tqdm

from course_utils import ORIGINAL, count_parameters, evaluate
from course_utils.models import SoundCNN, SpectrogramCNN, dense_of_size
from course_utils.perturb import shift
from course_utils.recipes import settings_of
from course_utils.sound import LENGTH, Recordings, SpokenDigits, load_spoken_digits
from experiments._common import trained, tune

NETWORKS = {
    "1-D CNN": SoundCNN,
    "dense": lambda: dense_of_size(count_parameters(SoundCNN()), LENGTH, 10),
    "dense, ten times": lambda: dense_of_size(10 * count_parameters(SoundCNN()), LENGTH, 10),
    "1-D CNN, flatten": lambda: SoundCNN(head="flatten"),
    "spectrogram": SpectrogramCNN,
}
# Learning rates and epochs, tried on the validation voices. The last two networks, outside the verdict, get one pair.
TRIED = {
    "1-D CNN": [(3e-3, 6), (1e-2, 3), (1e-2, 6), (3e-2, 6)],
    "dense": [(1e-3, 6), (3e-3, 3), (3e-3, 6), (1e-2, 6)],
    "dense, ten times": [(3e-4, 6), (1e-3, 3), (1e-3, 6), (3e-3, 6)],
    "1-D CNN, flatten": [(1e-2, 6)],
    "spectrogram": [(1e-2, 6)],
}
TUNING_SEED = 0
SEEDS = {name: [1, 2, 3, 4, 5] if name in ("1-D CNN", "dense") else [1, 2, 3] for name in NETWORKS}
SHIFTS = [0, 1, 8, 64, 256, 512, 800]  # samples of 1/8 ms
RECIPE = replace(ORIGINAL, name="spoken digits", batch_size=32, schedule="one-cycle")
SETTINGS = {
    "recipe": settings_of(RECIPE, tuned=("learning_rate", "epochs")),
    "train_on": "train",
    "tuned_on": "validation",
    "networks": list(NETWORKS),
    "tried": TRIED,
    "tuning_seed": TUNING_SEED,
    "seeds": SEEDS,
    "shifts": SHIFTS,
}


def run() -> dict:
    """Each network's validation accuracy by learning rate and epochs; then, with the best of both, for each network
    and seed the accuracy in training, on the test voices, for each of them, and on the test waves at each shift.
    """
    digits = load_spoken_digits()
    tried, runs = [], []
    for name in tqdm(NETWORKS, desc="networks"):
        (rate, epochs), scores = tune(
            TRIED[name],
            lambda pair, name=name: train(digits, name, *pair, TUNING_SEED),
            lambda model: evaluate(model, digits.validation),
        )
        for (one_rate, one_epochs), accuracy in zip(TRIED[name], scores, strict=True):
            tried.append({"network": name, "rate": one_rate, "epochs": one_epochs, "validation_accuracy": accuracy})
        for seed in SEEDS[name]:
            model = train(digits, name, rate, epochs, seed)
            runs.append(
                {
                    "network": name,
                    "seed": seed,
                    "parameters": count_parameters(model),
                    "train_accuracy": evaluate(model, digits.train),
                    "test_accuracy": evaluate(model, digits.test),
                    "by_voice": by_voice(model, digits.test),
                    "shifted": [shifted_accuracy(model, digits.test, samples) for samples in SHIFTS],
                }
            )
    return {"tried": tried, "runs": runs, "shifted_waves": int(whole(digits.test).sum())}


def train(digits: SpokenDigits, name: str, rate: float, epochs: int, seed: int) -> nn.Module:
    return trained(NETWORKS[name], digits.train, replace(RECIPE, learning_rate=rate, epochs=epochs), seed)[0]


def by_voice(model: nn.Module, test: Recordings) -> dict[str, float]:
    """The accuracy for each voice of the test set."""
    voices = sorted(set(test.speakers))
    places = {voice: [i for i, speaker in enumerate(test.speakers) if speaker == voice] for voice in voices}
    return {voice: evaluate(model, TensorDataset(*test[chosen])) for voice, chosen in places.items()}


def whole(test: Recordings) -> Tensor:
    """Which waves (N,) lose nothing when they are moved by the largest shift, to either side."""
    edge = max(SHIFTS)
    return (test.waves[..., :edge] == 0).all(2).all(1) & (test.waves[..., -edge:] == 0).all(2).all(1)


def shifted_accuracy(model: nn.Module, test: Recordings, samples: int) -> float:
    """The mean of the accuracies on the waves that stay whole, moved to the right and to the left."""
    kept = whole(test)
    waves, labels = test.waves[kept], test.labels[kept]
    moved = [TensorDataset(shift(waves, direction * samples, 0), labels) for direction in (1, -1)]
    return sum(evaluate(model, each) for each in moved) / 2
