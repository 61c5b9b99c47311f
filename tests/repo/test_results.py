"""The stored results of experiments/results/ were made with the settings that the code has now."""

import importlib
import json
from dataclasses import replace

import pytest

from course_utils import evaluate, evidence, load_checkpoint, load_mnist
from course_utils.recipes import EXPERIMENTS as SHIPPED
from experiments import choices
from experiments.__main__ import EXPERIMENTS


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_stored_settings_are_the_codes_settings(name):
    stored = evidence.load(name)
    in_code = json.loads(json.dumps(importlib.import_module(f"experiments.{name}").SETTINGS))
    assert stored["settings"] == in_code, f"the settings changed: run `make evidence`, or python -m experiments {name}"
    assert stored["made"]["date"] and stored["made"]["versions"]["torch"] and stored["made"]["machine"]


def test_every_stored_result_has_its_experiment():
    stored = {path.stem for path in evidence.folder().glob("*.json")}
    assert stored == set(EXPERIMENTS)


def test_the_stored_network_is_the_one_that_was_described():
    stored = evidence.load("modern_network")["results"]
    path = evidence.folder() / "modern_network.pt"
    # Another processor rounds otherwise: an answer or two may change.
    assert evaluate(load_checkpoint(path), load_mnist().validation) == pytest.approx(
        stored["validation_accuracy"], abs=0.001
    )


def test_quick_and_best_are_what_the_stored_choice_says():
    """The rules of experiments/choices.py choose what is shipped, but for the name."""
    for name, chosen in choices.chosen(evidence.load("choices")["results"]).items():
        assert replace(chosen, recipe=replace(chosen.recipe, name=name)) == SHIPPED[name]
