"""The stored results of evidence/ were made with the settings that the code has now."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from course_utils import evidence

sys.path.insert(0, str(evidence.FOLDER))
EXPERIMENTS = importlib.import_module("make_evidence").EXPERIMENTS


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_stored_settings_are_the_codes_settings(name):
    stored = evidence.load(name)
    in_code = json.loads(json.dumps(importlib.import_module(name).SETTINGS))  # tuples become lists, as in the file
    assert stored["settings"] == in_code, f"the settings changed: run `make evidence`, or evidence/{name}.py alone"
    assert stored["made"]["date"] and stored["made"]["versions"]["torch"] and stored["made"]["machine"]


def test_every_stored_result_has_its_experiment():
    assert sorted(path.stem for path in Path(evidence.FOLDER).glob("*.json")) == EXPERIMENTS
