"""Checks of notebook 00."""

import torch

from course_utils.checks.core import Hint, call, close, exercise, expect_number, expect_tensor, unlike
from course_utils.data import Splits


@exercise
def sevens(answer: int, mnist: Splits) -> None:
    """How many of the 60,000 training images show a 7."""
    found = expect_number(answer, "the count")
    hints = {
        int((mnist.test.labels == 7).sum()): "that is the count among the 10,000 test images; use full_train.",
        int((mnist.train.labels == 7).sum()): "that is the count among the 55,000 of train; use full_train.",
    }
    if found == int((mnist.full_train.labels == 7).sum()):
        return
    if 0 < found < 1:
        raise Hint("that looks like a share. How many images is it?")
    raise Hint(hints.get(found, "compare all labels with 7, and add up how often that is True."))


@exercise
def average_image(function) -> None:
    """A function (images (N, 1, H, W), labels (N,), digit) -> average image (H, W) of that digit."""
    generator = torch.Generator().manual_seed(0)
    for height, width in ((28, 28), (5, 9)):  # a function that works for any size has no 28 in it
        images = torch.rand(12, 1, height, width, generator=generator)
        labels = torch.tensor([3, 1, 3, 3, 0, 1, 3, 9, 3, 3, 0, 3])
        for digit in (3, 9, 0):
            said = f"12 images of shape (1, {height}, {width}) and digit {digit}"
            found = expect_tensor(call(function, images, labels, digit, said=said), (height, width), said)
            expected = torch.stack([image[0] for image, label in zip(images, labels, strict=True) if label == digit])
            if torch.allclose(found, expected.mean(0), atol=1e-5):
                continue
            if torch.allclose(found, images.mean((0, 1)), atol=1e-6):
                raise Hint("that is the average of all images; keep those whose label is the digit.")
            if torch.allclose(found, expected.sum(0), atol=1e-6):
                raise Hint("that is the sum; an average divides by the number of images.")
            raise Hint(f"with {said} at least one value is off. Average over the images, pixel by pixel.")


@exercise
def floor(function) -> None:
    """A function (train_labels (N,), test_labels (M,)) -> test accuracy, 0..1, of always naming one digit.

    That digit is the one most frequent in training; the test labels only judge it.
    """
    for train, test in _label_cases():
        said = f"the training labels {train.tolist()} and the test labels {test.tolist()}"
        found = expect_number(call(function, train, test, said=said), "the accuracy")
        named = max(set(train.tolist()), key=train.tolist().count)
        right = test.tolist().count(named)
        if close(found, right / len(test)):
            continue
        most_in_test = max(test.tolist().count(digit) for digit in test.tolist())
        if close(found, right):
            raise Hint("that is how many are right. Divide by the number of test images.")
        if close(found, 100 * right / len(test)):
            raise Hint("that is in percent; a share from 0 to 1 is wanted.")
        if close(found, most_in_test / len(test)):
            raise Hint(
                f"with {said} you name the digit most frequent in the test labels. Whoever guesses has seen the "
                "training labels only."
            )
        if close(found, train.tolist().count(named) / len(train)):
            raise Hint("that is how often the digit comes in training. How often is it right in the test?")
        if close(found, 0.1):
            raise Hint("one in ten would be right only if all ten digits came equally often.")
        if found == named:
            raise Hint("that is the digit that you would name. In what share of the test images is it right?")
        raise Hint(f"with {said} the digit to name is {named}, and the accuracy {unlike(right / len(test), found)}.")


def _label_cases() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The most frequent digit of training is not that of the test; one that the test doesn't hold at all."""
    return [
        (torch.tensor(train), torch.tensor(test))
        for train, test in (
            ([1, 7, 1, 3, 1, 0, 7], [7, 1, 7, 7, 1]),
            ([4, 4, 9, 2], [4, 9, 4, 2, 4, 4, 0, 4]),
            ([8, 8, 5], [5, 5, 6]),
            ([0, 3, 0], [0, 0, 0, 2, 6, 6]),
        )
    ]
