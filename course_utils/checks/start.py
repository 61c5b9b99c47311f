"""Checks of notebook 00."""

import torch

from course_utils.checks.core import Hint, call, exercise, expect_number, expect_tensor
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
            if torch.allclose(found, expected.mean(0), atol=1e-6):
                continue
            if torch.allclose(found, images.mean((0, 1)), atol=1e-6):
                raise Hint("that is the average of all images; keep those whose label is the digit.")
            if torch.allclose(found, expected.sum(0), atol=1e-6):
                raise Hint("that is the sum; an average divides by the number of images.")
            raise Hint(f"with {said} at least one value is off. Average over the images, pixel by pixel.")
