"""The word in a recording, found and cleared, against the clip that the recording was made of."""

import numpy as np
import pytest

from course_utils.sound import load_spoken_digits
from course_utils.speech import LENGTH, RATE, spoken_second, trimmed

CHANCE = np.random.default_rng(0)


@pytest.fixture(scope="module")
def word():
    """A spoken seven, (T,), without silence."""
    test = load_spoken_digits().test
    return trimmed(test.waves[test.labels.tolist().index(7), 0].double().numpy())


def recorded(word: np.ndarray) -> np.ndarray:
    """With a second and a half before it and three quarters after it."""
    return np.concatenate([np.zeros(3 * RATE // 2), word, np.zeros(3 * RATE // 4)])


def click(wave: np.ndarray) -> np.ndarray:
    clicked = wave.copy()
    clicked[100:180] += CHANCE.uniform(-1, 1, 80)  # 10 ms, as loud as the word
    return clicked


CASES = {
    "silence around": lambda wave: wave,
    "a key's click": click,
    "an offset": lambda wave: wave + 0.03,
    "a hum": lambda wave: wave + 0.03 * np.sin(2 * np.pi * 50 * np.arange(len(wave)) / RATE),
    "noise": lambda wave: wave + 0.01 * CHANCE.standard_normal(len(wave)),
    "recorded softly": lambda wave: wave / 100,
}


def alike(found: np.ndarray, word: np.ndarray) -> float:
    """The largest correlation of both, wherever the word lies: 1 where it is the same."""
    both = np.correlate(found, word, "full")
    return both.max() / np.linalg.norm(found) / np.linalg.norm(word)


@pytest.mark.parametrize("name", CASES)
def test_the_word_is_found_and_cleared(word, name):
    found, remark = spoken_second(CASES[name](recorded(word)))
    assert found.shape == (LENGTH,) and np.abs(found).max() <= 1 and not remark
    assert alike(found, word) > 0.9


def test_what_may_be_cut_is_said(word):
    second = np.concatenate([recorded(word), 0.6 * word, np.zeros(RATE)])
    found, remark = spoken_second(second)
    assert "more than one sound" in remark and alike(found, word) > 0.9
    assert "no word stands out" in spoken_second(CHANCE.standard_normal(3 * LENGTH))[1]
