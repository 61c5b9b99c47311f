"""What the benchmarks compute from what they measured, against arithmetic by hand. Speed itself is not tested."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from course_utils import CNN, MODERN, bench, evidence
from course_utils.recipes import EXPERIMENTS
from course_utils.training import History
from experiments import _reference_script as reference_script
from experiments import choices, recipes
from tools.bench import course, side_by_side
from tools.bench.limits import IMPORT_SHARE


def test_flop_of_the_tutorials_network():
    """2 operations for each weight and position; backward twice that, without the gradient of the pixels."""
    first, second, last = 28 * 28 * 25 * 16, 14 * 14 * 25 * 16 * 32, 32 * 7 * 7 * 10
    forward = 2 * (first + second + last)
    assert recipes.flop(CNN(), trained=0, watched=1) == forward
    assert recipes.flop(CNN(), trained=1, watched=0) == 3 * forward - 2 * first
    assert recipes.flop(CNN(), trained=7, watched=5) == 7 * (3 * forward - 2 * first) + 5 * forward


def test_matrix_speed_counts_an_operation_for_each_term(monkeypatch):
    """A clock that shows half a second for each product."""
    ticks = iter(range(100))
    monkeypatch.setattr(recipes.time, "perf_counter", lambda: next(ticks) / 2)
    monkeypatch.setattr(recipes, "MATRIX_SIZE", 10)
    assert recipes.matrix_flop_per_second() == 2 * 10**3 / 0.5


class Sized:
    train = range(130)
    validation = range(40)


@pytest.mark.parametrize(("steps", "images"), [(1, 50), (2, 100), (3, 130), (4, 180), (6, 260)])
def test_images_of_a_run(steps, images):
    """130 images in batches of 50: 50, 50 and 30, then anew. The log of every 2nd step watches 40 of them."""
    modern = replace(EXPERIMENTS["modern"], recipe=replace(MODERN, batch_size=50))
    history = History("validation", steps=list(range(0, steps, 2)), step_loss=[0.0] * steps)
    assert recipes.images_trained(modern, history, Sized) == images
    assert recipes.images_watched(modern, history, Sized) == 40 * math.ceil(steps / 2)


def _run(recipe: str, seed: int, seconds: float, accuracy: float = 0.98, parameters: int = 100) -> dict:
    return {
        "recipe": recipe,
        "seed": seed,
        "seconds": seconds,
        "test_accuracy": accuracy,
        "parameters": parameters,
        "peak_mb": 500.0,
        "flop": 3e9,
        "matrix_flop_per_second": 1e9,
        "threads": 2,
    }


RUNS = [
    *(_run("reference", seed, seconds) for seed, seconds in ((1, 40), (2, 80), (3, 50))),
    *(_run("quick", seed, seconds, a) for seed, seconds, a in ((1, 4, 0.97), (2, 8, 0.98), (3, 10, 0.99))),
]


def test_summary():
    """Seconds move with the machine; the ratio compares runs of the same seed, made in the same minutes."""
    row = bench.summary(RUNS)["quick"]
    assert row["seconds"] == (8, 4, 10)
    assert row["ratio"] == pytest.approx((0.1, 0.1, 0.2))  # 4/40, 8/80, 10/50
    assert row["test_accuracy"] == (pytest.approx(0.98), 0.97, 0.99)
    assert row["share"] == pytest.approx((3 / 8, 3 / 10, 3 / 4))
    assert (row["parameters"], row["peak_mb"]) == (100, (500, 500, 500))
    assert bench.summary(RUNS)["reference"]["ratio"] == (1, 1, 1)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"seconds": 41.0}, ["modern: 0.410 of the reference's time; the target is at most 0.4"]),
        ({"accuracy": 0.9929}, ["modern: 99.29% accuracy; the target is at least 99.30%"]),
        ({"parameters": 30_001}, ["modern: 30,001 parameters; the target is at most 30,000"]),
    ],
)
def test_missed_targets(changed, said):
    good = {"original": (45, 0.977), "modern": (40, 0.993), "quick": (5, 0.977), "best": (200, 0.996)}
    runs = [_run("reference", 1, 100.0), *(_run(name, 1, *values) for name, values in good.items())]
    runs[2] = _run("modern", 1, **{"seconds": 40.0, "accuracy": 0.993, **changed})
    assert side_by_side.missed(bench.summary(runs)) == said


def test_table_of_the_bench():
    """What was not measured is said: only Linux has /proc."""
    assert side_by_side.report({})[0] == (
        "| Recipe | Seconds | Of the reference's time | Test accuracy, % | Parameters | Peak memory, MB | Share |"
    )
    assert side_by_side.report(bench.summary(RUNS))[-1] == (
        "| quick | 8.0 (4.0-10.0) | 0.100 (0.10-0.20) | 98.00 (97.00-99.00) | 100 | 500 | 38% |"
    )
    runs = [{**run, "peak_mb": None} for run in RUNS]
    assert side_by_side.report(bench.summary(runs))[-1].split(" | ")[-2] == "not measured"


def test_the_bench_runs_every_recipe_and_every_target_is_one():
    assert set(side_by_side.TARGETS) == set(EXPERIMENTS)
    assert len(recipes.SETTINGS["seeds"]) >= 5


def test_the_reference_is_the_tutorials_script():
    """Its network, and a loader that takes image by image through PIL."""
    shapes = [tuple(weight.shape) for weight in reference_script.CNN().parameters()]
    assert shapes == [tuple(weight.shape) for weight in CNN().parameters()]
    assert (reference_script.EPOCHS, reference_script.BATCH_SIZE, reference_script.LEARNING_RATE) == (1, 50, 1e-3)
    assert reference_script.LOGS == 12  # lines in the tutorial's log
    torch.manual_seed(1)
    theirs = reference_script.CNN()
    torch.manual_seed(1)
    ours = CNN()
    images = torch.rand(3, 1, 28, 28)
    assert torch.allclose(theirs(images), ours(images), atol=1e-6)
    assert isinstance(theirs.conv1[1], nn.ReLU)


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


def test_importing_the_course_adds_little():
    """A tenth of `import torch, torchvision` is the limit; the best of three, since others use the machine too."""
    assert min(course.import_shares(3)) <= IMPORT_SHARE


def test_limits_of_a_notebook():
    done = course.Run(None, seconds=80.4, cell_seconds=[1.0, 19.6], peak_mb=1200.0)
    assert course.row("05", done, 700.0) == "| 05 | 80 s | 19.6 s | 500 MB |"
    assert course.row("05", done, None) == "| 05 | 80 s | 19.6 s | not measured |"
    assert course.beyond("05", done, 700.0) == course.beyond("05", done, None) == []
    over = course.Run(None, seconds=91.0, cell_seconds=[21.0], peak_mb=1301.0)
    assert course.beyond("05", over, 700.0) == [
        "05: 91 seconds; the limit is 90",
        "05: 21 seconds in one cell; the limit is 20",
        "05: 601 MB above the import; the limit is 600",
    ]


def test_everything_is_named_in_the_makefile():
    makefile = Path(side_by_side.ROOT, "Makefile").read_text()
    for script in ("side_by_side", "course", "loader"):
        assert f"tools.bench.{script}" in makefile


def test_the_readmes_table_is_the_stored_bench():
    readme = (side_by_side.ROOT / "README.md").read_text(encoding="utf-8")
    runs = evidence.load("recipes")["results"]
    table = bench.summary(runs)
    assert "\n".join(side_by_side.report(table)) in readme
    said = [line for line in readme.splitlines() if "; the target is at " in line]
    assert said == [f"- {line}" for line in side_by_side.missed(table)]
    assert side_by_side.where_the_references_time_went(runs) in readme.replace("\n", " ")


def test_parts_of_the_references_time():
    parts = [{"load": 1, "learn": 4, "watch": watch} for watch in (2, 9, 3)]
    runs = [{"recipe": "quick", "parts": None}, *({"recipe": "reference", "parts": each} for each in parts)]
    said = "The reference's time: 1.0 s to load, 4.0 s to learn, 3.0 s to watch."
    assert side_by_side.where_the_references_time_went(runs) == said


def test_figure_of_the_bench():
    """A mark for each run, and every recipe has its name written beside its marks."""
    (axes,) = bench.figure(RUNS).axes
    assert [list(line.get_xdata()) for line in axes.lines] == [[40, 80, 50], [4, 8, 10]]
    assert [list(line.get_ydata()) for line in axes.lines] == [[98, 98, 98], [97, 98, 99]]
    assert [text.get_text() for text in axes.texts] == ["reference", "quick"]


def _tried(kind: str, *values: list[tuple[float, float]]) -> list[dict]:
    """Results of candidates, each over as many seeds as it has pairs of validation accuracy and ratio."""
    candidates = {"best": choices.BEST_CANDIDATES, "quick": choices.QUICK_CANDIDATES}[kind]
    return [
        {"candidate": candidate.recipe.name, "validation_accuracy": accuracy, "ratio": ratio}
        for candidate, runs in zip(candidates, values, strict=True)
        for accuracy, ratio in runs
    ]


def test_the_rules_that_choose():
    """Best: the median time decides who takes part, the mean accuracy who wins. Quick: the fewest epochs that do."""
    slow, limit = [(0.999, 1.91)] * 3, [(0.99, 1.9), (0.99, 1.9), (0.99, 5.0)]  # its mean time is beyond the limit
    best = _tried("best", slow, limit, [(0.98, 1.0)] * 3, [(0.97, 1.0), (0.97, 1.0), (0.999, 1.0)])
    quick = _tried("quick", [(0.974, 0)], [(0.9, 0), (0.97, 0)], [(0.97, 0), (0.98, 0)], [(0.99, 0)])
    chosen = choices.chosen({"best": best, "quick": quick})
    assert chosen == {"best": choices.BEST_CANDIDATES[1], "quick": choices.QUICK_CANDIDATES[2]}
    with pytest.raises(ValueError, match="shorten or lengthen"):
        choices.chosen({"best": _tried("best", slow, slow, slow, slow), "quick": quick})
