"""The stored results of experiments/results/ were made with the settings that the code has now."""

import importlib
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from course_utils import claims, evaluate, evidence, load_checkpoint, repository
from course_utils.recipes import EXPERIMENTS as SHIPPED
from experiments import choices, ninety_nine
from experiments.__main__ import EXPERIMENTS
from experiments._claims import settings_of
from experiments._common import tune

MODULES = {name: importlib.import_module(f"experiments.{name.partition('-')[0]}") for name in EXPERIMENTS}
# These are what tools/bench measures, no experiments.
STORED = sorted({path.stem for path in evidence.folder().glob("*.json")} - {"bench_runs", "course", "page_drawing"})


@pytest.mark.parametrize("name", STORED)
def test_stored_settings_are_the_codes_settings(name):
    stored = evidence.load(name)
    in_code = json.loads(json.dumps(settings_of(MODULES[name], name.partition("-")[2] or "mnist")))
    assert stored["settings"] == in_code, f"the settings changed: run `make evidence`, or python -m experiments {name}"
    assert stored["made"]["date"] and stored["made"]["versions"]["torch"] and stored["made"]["machine"]


def test_experiments_share_by_common_and_not_by_each_other():
    for path in Path(choices.__file__).parent.glob("*.py"):
        imported = re.findall(r"^from experiments(?:\.(\w+))? import (\w+)", path.read_text(encoding="utf-8"), re.M)
        assert all((module or name).startswith("_") for module, name in imported), path.name


@pytest.mark.parametrize("name", STORED)
def test_stored_settings_name_what_ran(name):
    """A network by its own name, its split with it; and nothing of how it was looked at, if that decides nothing."""
    settings = evidence.load(name)["settings"]
    said = json.dumps(settings)
    assert "log_every" not in said and "<lambda>" not in said and '"watch": null' not in said
    if '"recipe"' in said:
        assert '"train_on"' in said
        assert '"model"' in said or settings.keys() & {"networks", "kinds"}


def test_the_shared_tuning_loop():
    """The first of the best, and all scores in their order; each candidate is trained once."""
    trained = []
    best, scores = tune(
        [3, 1, 2], lambda candidate: trained.append(candidate) or -candidate, lambda model: max(model, -2)
    )
    assert (best, scores, trained) == (1, [-2, -1, -2], [3, 1, 2])
    assert tune("ab", str, lambda model: 0)[0] == "a"


def test_every_stored_result_has_its_experiment():
    """What judges a claim is committed before it runs; all others are stored."""
    registered = {name for name, module in MODULES.items() if hasattr(module, "CLAIM")}
    assert set(EXPERIMENTS) - registered <= set(STORED) <= set(EXPERIMENTS)


def _git(*arguments: str) -> str:
    ran = subprocess.run(["git", *arguments], cwd=repository.root(), capture_output=True, text=True, encoding="utf-8")
    return ran.stdout.strip() if ran.returncode == 0 else ""


def test_each_rule_stood_before_its_result():
    """In the commit that made it, which lies before the one that brought it; and it is the rule of today."""
    if _git("rev-parse", "--is-shallow-repository") != "false":
        pytest.skip("no git history here, or only the last part of it")
    for name in STORED:
        if hasattr(MODULES[name], "CLAIM"):
            _assert_registered(name, MODULES[name].CLAIM, evidence.load(name)["made"])
        if "-" in name:  # on a second data set: predicted, too
            page = "docs/registration.md"
            assert _git("show", f"{evidence.load(name)['made']['code']}:{page}") == _git("show", f"HEAD:{page}")


def _assert_registered(name: str, claim: str, made: dict) -> None:
    path = f"experiments/results/{name}.json"
    assert made["rule"] == claims.rule_hash(claim)
    assert made["rule"] == claims.rule_hash(claim, _git("show", f"{made['code']}:course_utils/claims.py") + "\n")
    brought = _git("log", "-1", "--format=%H", "--", path)
    assert _git("merge-base", made["code"], brought) == _git("rev-parse", made["code"])


def test_the_stored_network_is_the_one_that_was_described(mnist):
    stored = evidence.load("modern_network")["results"]
    path = evidence.folder() / "modern_network.pt"
    # Another processor rounds otherwise: an answer or two may change.
    assert evaluate(load_checkpoint(path), mnist.validation) == pytest.approx(stored["validation_accuracy"], abs=0.001)


def test_what_is_shipped_is_what_the_stored_choices_say():
    """But for the name, and looks, which change no weight."""
    shipped = choices.chosen(evidence.load("choices")["results"])
    shipped["ninety-nine"] = ninety_nine.chosen(evidence.load("ninety_nine")["results"])
    for name, chosen in shipped.items():
        looks = {"watch": SHIPPED[name].watch, "look_every": SHIPPED[name].look_every}
        assert replace(chosen, recipe=replace(chosen.recipe, name=name), **looks) == SHIPPED[name]
