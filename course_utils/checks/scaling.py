"""Checks of notebook 10."""

import torch
from torch import Tensor

from course_utils.checks.core import Hint, call, close, exercise, expect_number, expect_tensor, unlike


@exercise
def whole_gradient(function) -> None:
    """A function (gradients, counts) -> gradient of the whole batch, from the mean gradients of its parts."""
    generator = torch.Generator().manual_seed(0)
    for counts in ([32, 32], [40, 24], [1, 7, 56], [64], [10, 0, 6]):
        gradients = [torch.randn(5, generator=generator) for _ in counts]
        said = f"parts of {', '.join(map(str, counts))} images"
        found = expect_tensor(call(function, gradients, counts, said=said), (5,), said)
        sums = [count * gradient for count, gradient in zip(counts, gradients, strict=True)]
        expected = torch.stack(sums).sum(0) / sum(counts)
        if torch.allclose(found, expected, atol=1e-5):
            continue
        raise Hint(_gradient_hint(found, sums, gradients, said))


def _gradient_hint(found: Tensor, sums: list[Tensor], gradients: list[Tensor], said: str) -> str:
    gradient, total = torch.stack(gradients), torch.stack(sums).sum(0)
    if torch.allclose(found, gradient.sum(0), atol=1e-5):
        return "that is the sum of the parts' gradients. Each is a mean already, and a mean of them all is wanted."
    if torch.allclose(found, gradient.mean(0), atol=1e-5):
        return f"with {said} a plain mean gives an image of a small part more say than one of a large part."
    if torch.allclose(found, total, atol=1e-3):
        return "that is the sum over all images. Divide by how many there are."
    if torch.allclose(found, total / len(sums), atol=1e-3):
        return "the sum over all images is right. Divide by the number of images, not by the number of parts."
    return f"with {said} it is another vector. Count how often each image's gradient enters, and divide by all images."


@exercise
def control_of_two(pictures_per_step, steps) -> None:
    """Two settings of the run in one process that two processes with 64 images each, in 50 steps, are compared with."""
    pictures = expect_number(pictures_per_step, "pictures_per_step")
    steps = expect_number(steps, "steps")
    if (pictures, steps) == (128, 50):
        return
    if (pictures, steps) == (64, 100):
        raise Hint("that is her run in one process. Against it the two processes differ in more than their number.")
    if pictures == 64:
        raise Hint("64 pictures went into each process. How many went into one step of the weights?")
    if pictures != 128:
        raise Hint("pictures_per_step: how many pictures do two processes use for one step of the weights, 64 each?")
    if steps == 100:
        raise Hint("100 steps of 128 pictures are two passes over the 6,400, and hers made one.")
    raise Hint("steps: how many of 128 pictures are one pass over 6,400?")


@exercise
def ring_bytes(function) -> None:
    """A function (parameters, processes) -> bytes that one process sends in a ring all-reduce of float32 gradients."""
    for parameters, processes in ((1000, 4), (28_938, 2), (1000, 10), (28_938, 1)):
        said = f"parameters={parameters:,}, processes={processes}"
        found = expect_number(call(function, parameters, processes, said=said), "the number of bytes")
        numbers = 2 * (processes - 1) * parameters / processes
        if close(found, 4 * numbers):
            continue
        raise Hint(_ring_hint(found, numbers, parameters, processes, said))


def _ring_hint(found: float, numbers: float, parameters: int, processes: int, said: str) -> str:
    if processes == 1:
        return f"with {said} it {unlike(0, found)}: alone, there is nobody to send to."
    hints = {
        numbers: "that is how many numbers are sent. A float32 takes 32 bits, and a byte is 8.",
        32 * numbers: "that is in bits. A byte is 8 of them.",
        8 * numbers: "that would be float64. The gradients are float32, 32 bits each.",
        2 * numbers: "that is one half of the way: after the sums are built up, they still have to go round.",
        4 * numbers * processes: "that is with the whole gradient in each round, or for all processes together. "
        "One process sends one piece a round.",
        8 * parameters: "P - 1 rounds are enough to reach the others, not P.",
    }
    known = (hint for value, hint in hints.items() if close(found, value))
    return next(known, f"with {said} it {unlike(4 * numbers, found)}. Count the rounds, and the numbers in one piece.")


@exercise
def speedup(function) -> None:
    """A function (compute, share, processes) -> time of a step by one process over its time by several.

    `compute` is the time that one process takes for the gradient of the whole batch, `share` the time that several
    take to share it. One process has nobody to share with.
    """
    for compute, share, processes in ((10.0, 2.0, 2), (10.0, 0.0, 4), (8.0, 24.0, 2), (5.0, 1.0, 5), (10.0, 3.0, 1)):
        said = f"compute={compute:g}, share={share:g}, processes={processes}"
        found = expect_number(call(function, compute, share, processes, said=said), "the speed-up")
        time = compute / processes + (share if processes > 1 else 0)
        if close(found, compute / time):
            continue
        if processes == 1:
            raise Hint(f"with {said} it {unlike(1.0, found)}: alone, there is nobody to share with.")
        if close(found, time):
            raise Hint("that is the time of a step. The speed-up is the time of one process divided by it.")
        if close(found, time / compute):
            raise Hint("upside down: twice as fast is a speed-up of 2, not of 0.5.")
        if close(found, processes):
            raise Hint("that leaves the sharing out.")
        if close(found, processes * compute / (compute + share)):
            raise Hint("the computing is divided between the processes, the sharing is not.")
        raise Hint(f"with {said} it {unlike(compute / time, found)}.")
