"""What the benchmarks compute from what they measured, against arithmetic by hand. No time is tested."""

import json
import math
from dataclasses import replace
from itertools import zip_longest

import pytest
import torch

from course_utils import CNN, MODERN, evidence
from course_utils.models import DeepCNN, NineViewCNN
from course_utils.recipes import EXPERIMENTS, Experiment
from course_utils.training import History
from experiments import _reference_script as reference_script
from experiments import choices, ninety_nine, recipes
from tools.bench import course, side_by_side
from tools.run_notebooks import Run


def test_flop_of_the_tutorials_network():
    """2 operations for each weight and position; backward twice that, without the gradient of the pixels."""
    first, second, last = 28 * 28 * 25 * 16, 14 * 14 * 25 * 16 * 32, 32 * 7 * 7 * 10
    forward = 2 * (first + second + last)
    assert recipes.flop(CNN(), trained=7, watched=5) == 7 * (3 * forward - 2 * first) + 5 * forward


def test_flop_of_nine_views():
    """Trained on one of them, and nine in an answer."""
    one, nine = DeepCNN().eval(), NineViewCNN().eval()
    assert recipes.flop(nine, trained=7, watched=0) == recipes.flop(one, trained=7, watched=0)
    assert recipes.flop(nine, trained=0, watched=5) == recipes.flop(one, trained=0, watched=45)


def test_a_chosen_recipe_learns_what_it_looked_at(mnist):
    """The others are trained as they were chosen, or as the tutorial's script trains."""
    for name, experiment in recipes.RECIPES.items():
        if name in ("modern", "best"):
            assert experiment.train_set(mnist) is mnist.full_train and experiment.watched(mnist) is None
            epochs = {"epochs": 0.917} if name == "modern" else {}  # of more images, as the next test says
            ours = replace(EXPERIMENTS[name].recipe, **epochs), EXPERIMENTS[name].model
            assert (experiment.recipe, experiment.model) == ours
        else:
            assert experiment == EXPERIMENTS[name]


def test_modern_takes_as_many_steps_as_in_the_course(mnist):
    steps = {
        round(one.recipe.epochs * math.ceil(len(one.train_set(mnist)) / one.recipe.batch_size))
        for one in (recipes.RECIPES["modern"], EXPERIMENTS["modern"])
    }
    assert steps == {860}


def test_matrix_speed_counts_an_operation_for_each_term(monkeypatch):
    """A clock that shows half a second for each product."""
    ticks = iter(range(100))
    monkeypatch.setattr(recipes.time, "perf_counter", lambda: next(ticks) / 2)
    monkeypatch.setattr(recipes, "MATRIX_SIZE", 10)
    assert recipes.matrix_flop_per_second(torch.bfloat16) == 2 * 10**3 / 0.5


class Sized:
    train = range(130)
    validation = range(40)


@pytest.mark.parametrize(("steps", "images"), [(1, 50), (3, 130), (4, 180), (6, 260)])
def test_images_of_a_run(steps, images):
    """130 images in batches of 50: 50, 50 and 30, then anew. The log of every 2nd step watches 40 of them."""
    modern = replace(EXPERIMENTS["modern"], recipe=replace(MODERN, batch_size=50))
    history = History("validation", steps=list(range(0, steps, 2)), step_loss=[0.0] * steps)
    assert recipes.images_trained(modern, history, Sized) == images
    assert recipes.images_watched(modern, history, Sized) == 40 * math.ceil(steps / 2)


def _run(recipe: str, seed: int, seconds: float, accuracy: float = 0.98, parameters: int = 100) -> dict:
    parts = {"load": seconds / 10, "learn": seconds / 2, "watch": 4 * seconds / 10} if recipe == "reference" else None
    made_in = {"arithmetic": "float32", "matrix_flop_per_second": 90e9}
    if recipe == "quick":
        made_in = {"arithmetic": "bfloat16", "matrix_flop_per_second": 180e9}
    of_all = {"peak_mb": 500.0, "flop": 300e9, "parts": parts, **made_in}
    return {**of_all, "recipe": recipe, "seed": seed, "seconds": seconds} | {
        "test_accuracy": accuracy,
        "parameters": parameters,
    }


RUNS = [
    *(_run("reference", seed, seconds) for seed, seconds in ((1, 40), (2, 80), (3, 50))),
    *(_run("quick", seed, seconds, a) for seed, seconds, a in ((1, 4, 0.97), (2, 8, 0.98), (3, 10, 0.99))),
]


def test_table_of_the_recipes():
    """The ratio compares runs of the same seed: 4/40, 8/80, 10/50. What was not measured is said: memory, off Linux."""
    *_, reference, quick = side_by_side.table(side_by_side.summary(RUNS))
    assert quick == "| quick | bfloat16 | 8.0 (4.0-10.0) | 0.100 (0.10-0.20) | 98.00 (97.00-99.00) | 100 | 500 | 38 |"
    assert reference.startswith("| reference | float32 | 50.0 (40.0-80.0) | 1.000 (1.00-1.00) |")
    rows = side_by_side.summary([{**run, "peak_mb": None} for run in RUNS])
    assert side_by_side.table(rows)[-1].split(" | ")[-2] == "not measured"
    assert side_by_side.machine_speed(RUNS).endswith(
        "float32 at 90 GFLOP/s (90-90), bfloat16 at 180 GFLOP/s (180-180)."
    )
    assert side_by_side.at_best(RUNS).endswith(" time: quick 0.02.")  # 38 GFLOP/s for 0.1 of the time, at 180
    assert side_by_side.reference_time(RUNS).endswith(" 5.0 s to load, 25.0 s to learn, 20.0 s to watch.")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"seconds": 37.0}, ["modern: 0.370 of the reference's time; the target is at most 0.36"]),
        ({"accuracy": 0.9929}, ["modern: 99.290% accuracy; the target is at least 99.30%"]),
        ({"parameters": 30_001}, ["modern: 30,001 parameters; the target is at most 30,000"]),
    ],
)
def test_missed_targets(changed, said):
    good = {"original": (44, 0.977), "modern": (36, 0.993), "quick": (4, 0.977), "best": (180, 0.996)}
    good["ninety-nine"] = (18, 0.99)
    runs = [_run("reference", 1, 100.0), *(_run(name, 1, *values) for name, values in good.items())]
    runs[2] = _run("modern", 1, **{"seconds": 36.0, "accuracy": 0.993, **changed})
    assert side_by_side.missed(side_by_side.summary(runs)) == said


GOOD = {"original": 44, "modern": 36, "quick": 4, "ninety-nine": 18, "best": 180}


def _bench(tmp_path, seed: int, **seconds: float) -> list[str]:
    """The lines on the last three runs, after another one."""
    runs = [_run("reference", seed, 100.0), *(_run(name, seed, {**GOOD, **seconds}[name], 0.997) for name in GOOD)]
    made = {"date": f"day {seed}", "seconds": 1, "code": "abc"}
    stored = {"made": made, "settings": {"experiments": {}, "seeds": [seed]}, "results": runs}
    side_by_side.keep(stored, side_by_side.summary(runs))
    return side_by_side.last_runs(json.loads((tmp_path / "bench_runs.json").read_text())["results"])


def test_what_each_run_came_to_is_kept_as_long_as_recipes_and_targets_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "folder", lambda: tmp_path)
    first = _bench(tmp_path, 1)
    assert first[2].startswith("| day 1 | 1-1 | 0.440, 99.70 % | 0.360, 99.70 % |")
    assert first[3:] == ["", "In each of them all targets were reached."]
    _bench(tmp_path, 2, modern=37)
    missed = ["", "- Seeds 2-2: modern: 0.370 of the reference's time; the target is at most 0.36"]
    assert _bench(tmp_path, 3)[5:] == missed
    assert [line[:8] for line in _bench(tmp_path, 4)[2:5]] == ["| day 2 ", "| day 3 ", "| day 4 "]
    monkeypatch.setitem(side_by_side.TARGETS, "modern", (0.3, 0.993, 30_000))
    missed = ["", "- Seeds 5-5: modern: 0.360 of the reference's time; the target is at most 0.3"]
    assert _bench(tmp_path, 5)[3:] == missed


def test_every_recipe_has_a_target_and_enough_seeds():
    assert set(side_by_side.TARGETS) == set(EXPERIMENTS)
    assert len(recipes.SETTINGS["seeds"]) >= 5


def test_the_reference_computes_what_the_courses_network_does():
    networks = []
    for network in (reference_script.CNN, CNN):
        torch.manual_seed(1)
        networks.append(network())
    images = torch.rand(3, 1, 28, 28)
    theirs, ours = (network(images) for network in networks)
    assert torch.allclose(theirs, ours, atol=1e-6)
    assert (reference_script.EPOCHS, reference_script.BATCH_SIZE, reference_script.LEARNING_RATE) == (1, 50, 1e-3)
    assert reference_script.LOGS == 12  # lines in the tutorial's log


class TwoBatches(torch.utils.data.Dataset):
    """In the place of torchvision's MNIST."""

    def __init__(self, root, train, transform=None, download=False):
        self.data, self.targets = torch.zeros(2000, 28, 28, dtype=torch.uint8), torch.zeros(2000, dtype=torch.int64)

    def __len__(self):
        return 2 * reference_script.BATCH_SIZE

    def __getitem__(self, index):
        return torch.zeros(1, 28, 28), 0


def test_parts_of_the_references_loop(monkeypatch, capsys):
    """A clock that shows 0, 1, 4, 9, 16, 25: loading ends at 1 and 16, learning at 4 and 25, watching at 9."""
    ticks = iter(range(100))
    monkeypatch.setattr(reference_script.time, "perf_counter", lambda: next(ticks) ** 2)
    monkeypatch.setattr(reference_script.datasets, "MNIST", TwoBatches)
    _, seconds = reference_script.train("anywhere")
    assert seconds == {"load": 1 + 7, "learn": 3 + 9, "watch": 5}
    assert capsys.readouterr().out.count("Step: ") == 1


def test_costs_of_the_course_and_their_limits():
    def measured(seconds: float, first: float, slowest: float, peak_mb: float | None) -> dict:
        done = Run(None, seconds=seconds, cell_seconds=[first, slowest, 0.5], peak_mb=peak_mb)
        lab_mb = None if peak_mb is None else 250
        return {"notebooks": {"05_x": course.row(done, 700.0)}, "import_share": 0.1, "lab_mb": lab_mb}

    within, unmeasured = measured(80.4, 2.9, 19.6, 1300.0), measured(80.4, 2.9, 19.6, None)
    assert course.table(within)[2:] == ["| 05 | 80 s | 2.9 s | 19.6 s | 600 MB |", "| all | 80 s | | | |"]
    assert course.table(unmeasured)[2] == "| 05 | 80 s | 2.9 s | 19.6 s | not measured |"
    assert course.problems(within) == course.problems(unmeasured) == []
    over = {**measured(301, 3.1, 21, 1301.0), "import_share": 0.11, "lab_mb": 251}
    broken = [float(line.split(" the limit is ")[1]) for line in course.problems(over)]
    assert broken == [300, 250, 0.1, 90, 3, 20, 600]


def _tried(candidates: list[Experiment], *values: list[tuple[float, float]]) -> list[dict]:
    """Results of candidates, a seed for each pair of accuracy and seconds; those that are not given are bad."""
    return [
        {"candidate": candidate.recipe.name, "validation_accuracy": accuracy, "seconds": seconds}
        for candidate, runs in zip_longest(candidates, values, fillvalue=[(0.0, 0.0)])
        for accuracy, seconds in runs
    ]


def test_the_rules_that_choose():
    """Best: the mean accuracy, not the highest. Quick: the median time, not the mean, among those that are good."""
    best = _tried(choices.BEST_CANDIDATES, [(0.98, 0), (0.998, 0)], [(0.99, 0), (0.99, 0)])
    times = [[(0.974, 9)], [(0.99, 2), (0.99, 2), (0.99, 99)], [(0.97, 3), (0.977, 3)], [(0.96, 1), (0.98, 1)]]
    quick = _tried(choices.QUICK_CANDIDATES, *times)
    assert choices.chosen({"best": best, "quick": quick}) == {
        "best": choices.BEST_CANDIDATES[1],
        "quick": choices.QUICK_CANDIDATES[1],
    }
    with pytest.raises(ValueError, match="lengthen"):
        choices.chosen({"best": best, "quick": _tried(choices.QUICK_CANDIDATES)})


def test_the_rule_that_chooses_ninety_nine():
    """The best mean of those whose median time is short beside the third's; what is slow does not count."""
    short = [(0.988, 3.5), (0.99, 99), (0.99, 3.4)]
    tried = _tried(ninety_nine.CANDIDATES, short, [(0.999, 3.6)], [(0.999, 4)], [(0.989, 1)])
    assert ninety_nine.chosen(tried) == ninety_nine.CANDIDATES[3]  # 3.5 is more than 0.87 of 4
    tried = _tried(ninety_nine.CANDIDATES, [(0.988, 3.4), *short[1:]], [(0.999, 3.6)], [(0.999, 4)], [(0.989, 1)])
    assert ninety_nine.chosen(tried) == ninety_nine.CANDIDATES[0]
