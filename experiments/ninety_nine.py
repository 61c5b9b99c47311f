"""How little training reads 99 % of the test images? Chosen over several seeds on the validation images.

The rule: `ninety-nine` is the candidate with the highest mean accuracy among those whose median time is at most 0.87 of
that of 0.6 epochs in batches of 64. That is how long the choice before this one trained, with one view; it read 99.05 %
of the test images, in 0.194 of the time of the tutorial's script, where `make bench` asks for 99 % in 0.18. All answer
with the mean of nine views now. (The runs were made under another rule: the least time among those of at least 98.87 %.
It would have chosen 0.55 epochs in batches of 64, in 0.94 of that time: too near to what `make bench` allows. So the
rule was changed when the runs were there, but no test image had been read.) Whether 99 % is reached, seeds decide that
were not used here.
"""

from dataclasses import replace
from statistics import median

from course_utils import load_mnist
from course_utils.recipes import EXPERIMENTS, NINETY_NINE, Experiment
from experiments._common import mean_accuracy, of_candidate, tried

THREADS = 2  # as in `make bench`
MOST_TIME = 0.87  # of what OLD takes
OLD = "0.6 epochs, 64 a batch"
CANDIDATES = [
    replace(
        EXPERIMENTS["ninety-nine"],
        recipe=replace(
            NINETY_NINE,
            name=f"{epochs} epochs, {size} a batch",
            epochs=epochs,
            batch_size=size,
            learning_rate=rate,
        ),
    )
    for size, rate in ((64, 0.015), (96, 0.02), (128, 0.025))
    for epochs in (0.5, 0.55, 0.6)
]
SETTINGS = {
    "candidates": [candidate.settings() for candidate in CANDIDATES],
    "seeds": list(range(83, 95)),
}


def run() -> list[dict]:
    """For each candidate and seed validation accuracy and seconds."""
    return tried(CANDIDATES, SETTINGS["seeds"], load_mnist())


def chosen(results: list[dict]) -> Experiment:
    """What the rule chooses."""
    seconds = {one.recipe.name: median(of_candidate(results, one, "seconds")) for one in CANDIDATES}
    short = [one for one in CANDIDATES if seconds[one.recipe.name] <= MOST_TIME * seconds[OLD]]
    return max(short, key=lambda one: mean_accuracy(results, one))
