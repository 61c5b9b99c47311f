"""The checks of notebook 07: what they say to the untouched stub, to right answers and to wrong ones."""

import pytest
import torch
import torch.nn.functional as F

from course_utils import checks
from course_utils.text import ALPHABET, CHARACTERS


def said(capsys, check, *answer) -> str:
    check(*answer)
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize("check", [checks.conv1d, checks.trigram_responses])
@pytest.mark.parametrize("stub", [..., lambda *arguments: ...])
def test_an_untouched_stub(capsys, check, stub):
    assert said(capsys, check, stub) == "not tried yet"


@pytest.mark.parametrize("answer", [(..., ...), (250, ...), (..., 1024)])
def test_an_untouched_prediction(capsys, answer):
    assert said(capsys, checks.first_block, *answer) == "not tried yet"


def by_loop(wave, kernel):
    return torch.stack([(wave[t : t + len(kernel)] * kernel).sum() for t in range(len(wave) - len(kernel) + 1)])


def by_unfold(wave, kernel):
    return wave.unfold(0, len(kernel), 1) @ kernel


def by_gathering(weight, bias, trigram):
    rows = [ALPHABET.index(character) for character in trigram]
    return weight[:, rows, [0, 1, 2]].sum(1) + bias


def by_convolution(weight, bias, trigram):
    codes = torch.tensor([ALPHABET.index(character) for character in trigram])
    return F.conv1d(F.one_hot(codes, CHARACTERS).T[None].float(), weight, bias)[0, :, 0]


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (checks.conv1d, by_loop),
        (checks.conv1d, by_unfold),
        (checks.trigram_responses, by_gathering),
        (checks.trigram_responses, by_convolution),
    ],
)
def test_right_answers(capsys, check, answer):
    assert said(capsys, check, answer) == "correct"


@pytest.mark.parametrize("answer", [(250, 1024), (torch.tensor(250), 16 * 64)])
def test_right_predictions(capsys, answer):
    assert said(capsys, checks.first_block, *answer) == "correct"


def last_value_off(wave, kernel):
    outputs = by_loop(wave, kernel)
    outputs[-1] += 0.01
    return outputs


def long_kernel_only(wave, kernel):
    """Right unless the kernel is one sample."""
    return by_loop(wave, kernel) if len(kernel) > 1 else wave


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda wave, kernel: by_loop(wave, kernel.flip(0)), "turn the kernel round"),
        (lambda wave, kernel: by_loop(wave, kernel)[:-1], "one place is missing"),
        (lambda wave, kernel: F.conv1d(wave[None, None], kernel[None, None], padding="same")[0, 0], "every sample"),
        (lambda wave, kernel: by_loop(wave, kernel) / len(kernel), "the mean of the products"),
        (lambda wave, kernel: by_loop(wave, kernel)[:, None], "the shape should be"),
        (lambda wave, kernel: by_loop(wave, kernel).relu(), "at least one value is off"),
        (lambda wave, kernel: by_loop(wave[:6], kernel[:3]), "the shape should be"),
        (last_value_off, "at least one value is off"),
        (long_kernel_only, "at least one value is off"),
        (lambda wave, kernel: None, "returns None"),
    ],
)
def test_wrong_convolution(capsys, answer, hint):
    outcome = said(capsys, checks.conv1d, answer)
    assert outcome.startswith("not right yet: ") and hint in outcome


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ((1000, 1024), "The pooling then keeps"),
        ((2000, 1024), "without the stride"),
        ((248, 1024), "without the padding"),
        ((249, 1024), "not 249"),
        ((250, 64), "There are 16"),
        ((250, 1040), "no biases"),
        ((250, 65_536), "not 64 by 64"),
        ((250, 256_000), "without sharing"),
        ((250, 1023), "not 1023"),
        (("250", 1024), "places should be one number"),
    ],
)
def test_wrong_predictions(capsys, answer, hint):
    outcome = said(capsys, checks.first_block, *answer)
    assert outcome.startswith("not right yet: ") and hint in outcome


def one_filter_off(weight, bias, trigram):
    responses = by_gathering(weight, bias, trigram)
    responses[-1] += 0.01
    return responses


def without_last_of_alphabet(weight, bias, trigram):
    """Takes the last letter of the alphabet for a space."""
    return by_gathering(weight, bias, trigram.replace("ż", " "))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda weight, bias, trigram: by_gathering(weight, 0, trigram), "bias of each filter is missing"),
        (lambda weight, bias, trigram: by_gathering(weight, bias, trigram[::-1]), "read it backwards"),
        (lambda weight, bias, trigram: by_gathering(weight, bias, trigram).relu(), "after the ReLU"),
        (lambda weight, bias, trigram: by_gathering(weight, 0, trigram) / 3 + bias, "mean of the three weights"),
        (lambda weight, bias, trigram: weight[:, ALPHABET.index(trigram[0]), 0] + bias, "at least one value is off"),
        (lambda weight, bias, trigram: by_gathering(weight, bias, trigram).sum(), "the shape should be"),
        (one_filter_off, "at least one value is off"),
        (without_last_of_alphabet, "at least one value is off"),
        (lambda weight, bias, trigram: weight @ trigram, "TypeError"),
    ],
)
def test_wrong_trigram_responses(capsys, answer, hint):
    outcome = said(capsys, checks.trigram_responses, answer)
    assert outcome.startswith("not right yet: ") and hint in outcome
