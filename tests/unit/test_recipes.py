"""Recipes: what they may hold, what the shipped ones are, and what is stored of them."""

import json
from dataclasses import replace
from functools import partial

import pytest

from course_utils import MODERN, ORIGINAL, ModernCNN
from course_utils.models import PooledFirstCNN, dense_of_size
from course_utils.recipes import AFFINE, EXPERIMENTS, UNCHANGED, Experiment, Recipe, settings_of


@pytest.mark.parametrize("value", [0, -1, float("nan"), "1", None])
@pytest.mark.parametrize("name", ["batch_size", "learning_rate", "epochs"])
def test_values_above_zero(name, value):
    with pytest.raises((ValueError, TypeError), match=name):
        replace(ORIGINAL, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 2.5),
        ("max_shift", -1),
        ("max_rotation", float("nan")),
        ("max_scale", 1),
        ("label_smoothing", 1),
        ("schedule", "cosine"),
    ],
)
def test_other_limits(name, value):
    with pytest.raises((ValueError, TypeError), match=name):
        replace(MODERN, **{name: value})


def test_the_tutorials_values():
    assert settings_of(ORIGINAL) == {
        "name": "original",
        "batch_size": 50,
        "learning_rate": 1e-3,
        "epochs": 1,
        "schedule": "constant",
        **dict.fromkeys(AFFINE, 0),
        "label_smoothing": 0,
    }
    assert EXPERIMENTS["original"] == Experiment(ORIGINAL, PooledFirstCNN, "full_train", "test_first_2000", 100, True)
    assert replace(MODERN, **UNCHANGED, label_smoothing=0) == Recipe(
        "modern", batch_size=64, learning_rate=2e-2, schedule="one-cycle"
    )


def test_the_courses_own_do_not_choose_by_the_test_images(mnist):
    for name in ("modern", "quick", "ninety-nine", "best"):
        experiment = EXPERIMENTS[name]
        assert experiment.train_set(mnist) is mnist.train
        assert experiment.watched(mnist) in (None, ("validation", mnist.validation))
    assert EXPERIMENTS["original"].train_set(mnist) is mnist.full_train
    assert EXPERIMENTS["original"].watched(mnist) == ("test", mnist.test_first_2000)  # as in the tutorial's log


def test_settings_say_what_ran():
    """Networks that are classes, functions or partials by name; precision where it is mixed; not what was tuned."""
    made = partial(partial(dense_of_size, 100), outputs=10)
    experiment = Experiment(MODERN, made, train_on="train")
    assert experiment.settings() == {
        "model": "dense_of_size(100, outputs=10)",
        "train_on": "train",
        "recipe": settings_of(MODERN),
    }
    watched = Experiment(MODERN, ModernCNN, "train", "validation", 9, mixed_precision=True).settings()
    assert (watched["model"], watched["watch"], watched["look_every"]) == ("ModernCNN", "validation", 9)
    assert watched["mixed_precision"] is True
    assert json.loads(json.dumps(watched)) == watched
    tuned = ("epochs", "name")
    assert settings_of(MODERN).keys() - settings_of(MODERN, tuned=tuned).keys() == set(tuned)
