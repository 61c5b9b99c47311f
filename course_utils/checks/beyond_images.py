"""Checks of notebook 08."""

import torch
import torch.nn.functional as F

from course_utils.checks.core import Hint, call, exercise, expect_number, expect_tensor, given
from course_utils.text import ALPHABET, CHARACTERS


@exercise
def conv1d(function) -> None:
    """A function (wave (T,), kernel (K,)) -> the sums of products at each place where the kernel fits, (T - K + 1,)."""
    generator = torch.Generator().manual_seed(0)
    for length, size in ((6, 3), (9, 2), (7, 1), (5, 5), (40, 8)):
        wave, kernel = torch.randn(length, generator=generator), torch.randn(size, generator=generator)
        said = f"a wave of {length} samples and a kernel of {size}"
        expected = _correlation(wave, kernel)
        found = call(function, wave, kernel, said=said)
        if isinstance(found, torch.Tensor) and size > 1 and tuple(found.shape) == (length - size,):
            raise Hint(f"with {said} one place is missing: the last one, where kernel and wave end together.")
        if isinstance(found, torch.Tensor) and size > 1 and tuple(found.shape) == (length,):
            raise Hint(f"with {said} you have an output for every sample. Only places where all {size} fit are wanted.")
        found = expect_tensor(found, tuple(expected.shape), said)
        if torch.allclose(found, expected, atol=1e-5):
            continue
        if torch.allclose(found, _correlation(wave, kernel.flip(0)), atol=1e-5):
            raise Hint("you turn the kernel round. Like nn.Conv1d, lay it on the wave as it is.")
        if torch.allclose(found, expected / size, atol=1e-5):
            raise Hint("that is the mean of the products. Their sum is wanted.")
        raise Hint(f"with {said} at least one value is off. Which {size} samples lie under the kernel at place t?")


def _correlation(wave: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    return F.conv1d(wave[None, None], kernel[None, None])[0, 0]


@exercise
def first_block(places, weights) -> None:
    """The places in time after the first convolution and pooling of `SoundCNN`, and the convolution's weights."""
    places, weights = expect_number(places, "places"), expect_number(given(weights), "weights")
    if places != 250:
        hints = {
            1000: "that is after the convolution. The pooling then keeps one of every 4.",
            8000: "that is the wave itself. The stride of 8 leaves one place of every 8.",
            2000: "that is with the pooling and without the stride, which leaves one place of every 8.",
            7937: "that is with a stride of 1, and without padding.",
            248: "that is without the padding of 28 zeros on both sides.",
        }
        raise Hint(f"places: {hints.get(places, f'not {places:g}. Size formula first, then divide by 4.')}")
    if weights != 16 * 64:
        hints = {
            64: "that is one filter. There are 16.",
            16 * 64 + 16: "this convolution has no biases, since the batch normalisation brings them.",
            16 * 64 * 64: "a kernel in one dimension has 64 weights, and not 64 by 64.",
            16 * 64 * 250: "that is without sharing. A filter has the same weights wherever it slides.",
            16 * 64 * 1000: "that is without sharing. A filter has the same weights wherever it slides.",
        }
        raise Hint(f"weights: {hints.get(weights, f'not {weights:g}. Filters, times channels in, times kernel.')}")


@exercise
def trigram_responses(function) -> None:
    """A function (weight (F, CHARACTERS, 3), bias (F,), trigram) -> each filter's response to it, (F,)."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(5, CHARACTERS, 3, generator=generator)
    bias = torch.randn(5, generator=generator)
    for trigram in ("abc", "sch", "eee", " zż", "és "):
        said = f"the trigram {trigram!r}"
        found = call(function, weight, bias, trigram, said=said)
        found = expect_tensor(found, (5,), said)
        expected = bias + _sum_of(weight, trigram)
        if torch.allclose(found, expected, atol=1e-5):
            continue
        if torch.allclose(found, expected - bias, atol=1e-5):
            raise Hint("the bias of each filter is missing.")
        if torch.allclose(found, bias + _sum_of(weight, trigram[::-1]), atol=1e-5):
            raise Hint(f"with {said} you read it backwards. weight[:, :, 0] belongs to the first character.")
        if torch.allclose(found, expected.relu(), atol=1e-5):
            raise Hint("that is after the ReLU. The response itself is wanted, negative ones too.")
        if torch.allclose(found, bias + 3 * _sum_of(weight, trigram) / 9, atol=1e-5):
            raise Hint("that is the mean of the three weights. A convolution adds them up.")
        raise Hint(
            f"with {said} at least one value is off. Which row of weight belongs to each character, and which place?"
        )


def _sum_of(weight: torch.Tensor, trigram: str) -> torch.Tensor:
    responses = [weight[:, ALPHABET.index(character), place] for place, character in enumerate(trigram)]
    return torch.stack(responses).sum(0)
