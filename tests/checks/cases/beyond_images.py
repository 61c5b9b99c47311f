"""Answers to the exercises of notebook 08."""

import torch
import torch.nn.functional as F

from course_utils.text import ALPHABET, CHARACTERS


def by_loop(wave, kernel):
    return torch.stack([(wave[t : t + len(kernel)] * kernel).sum() for t in range(len(wave) - len(kernel) + 1)])


def by_gathering(weight, bias, trigram):
    rows = [ALPHABET.index(character) for character in trigram]
    return weight[:, rows, [0, 1, 2]].sum(1) + bias


def by_convolution(weight, bias, trigram):
    codes = torch.tensor([ALPHABET.index(character) for character in trigram])
    return F.conv1d(F.one_hot(codes, CHARACTERS).T[None].float(), weight, bias)[0, :, 0]


RIGHT = {
    "conv1d": {"loop": by_loop, "unfold": lambda wave, kernel: wave.unfold(0, len(kernel), 1) @ kernel},
    "first_block": {"numbers": (250, 1024), "tensor": (torch.tensor(250), 16 * 64)},
    "trigram_responses": {"gathering": by_gathering, "convolution": by_convolution},
}


def last_off(function):
    """`function`, but its last value is a little off."""

    def answer(*arguments):
        outputs = function(*arguments)
        outputs[-1] += 0.01
        return outputs

    return answer


def same_length(wave, kernel):
    return F.conv1d(wave[None, None], kernel[None, None], padding="same")[0, 0]


WRONG = {
    "conv1d": {
        "turned round": (lambda wave, kernel: by_loop(wave, kernel.flip(0)), "turn the kernel round"),
        "one place missing": (lambda wave, kernel: by_loop(wave, kernel)[:-1], "one place is missing"),
        "same length": (same_length, "every sample"),
        "mean": (lambda wave, kernel: by_loop(wave, kernel) / len(kernel), "the mean of the products"),
        "column": (lambda wave, kernel: by_loop(wave, kernel)[:, None], "the shape should be"),
        "ReLU": (lambda wave, kernel: by_loop(wave, kernel).relu(), "at least one value is off"),
        "always 6 and 3": (lambda wave, kernel: by_loop(wave[:6], kernel[:3]), "the shape should be"),
        "last value off": (last_off(by_loop), "at least one value is off"),
        "kernel of one": (lambda wave, kernel: by_loop(wave, kernel) if len(kernel) > 1 else wave, "value is off"),
    },
    "first_block": {
        "before the pooling": ((1000, 1024), "The pooling then keeps"),
        "the wave": ((8000, 1024), "that is the wave itself"),
        "no stride": ((2000, 1024), "without the stride"),
        "stride 1": ((7937, 1024), "with a stride of 1"),
        "no padding": ((248, 1024), "without the padding"),
        "another": ((249, 1024), "not 249"),
        "one filter": ((250, 64), "There are 16"),
        "biases": ((250, 1040), "no biases"),
        "square kernel": ((250, 65_536), "not 64 by 64"),
        "not shared": ((250, 256_000), "without sharing"),
        "not shared before the pooling": ((250, 1_024_000), "without sharing"),
        "other weights": ((250, 1023), "not 1023"),
    },
    "trigram_responses": {
        "no bias": (lambda weight, bias, trigram: by_gathering(weight, 0, trigram), "bias of each filter is missing"),
        "backwards": (lambda weight, bias, trigram: by_gathering(weight, bias, trigram[::-1]), "read it backwards"),
        "ReLU": (lambda *arguments: by_gathering(*arguments).relu(), "after the ReLU"),
        "mean": (
            lambda weight, bias, trigram: by_gathering(weight, 0, trigram) / 3 + bias,
            "mean of the three weights",
        ),
        "first only": (lambda weight, bias, trigram: weight[:, ALPHABET.index(trigram[0]), 0] + bias, "value is off"),
        "sum": (lambda *arguments: by_gathering(*arguments).sum(), "the shape should be"),
        "one filter off": (last_off(by_gathering), "at least one value is off"),
        "last letter unknown": (
            lambda weight, bias, trigram: by_gathering(weight, bias, trigram.replace("ż", " ")),
            "at least one value is off",
        ),
    },
}
