"""Answers to the exercises of notebook 00."""

import math

import numpy as np
import torch


def floor(train_labels, test_labels):
    return (test_labels == train_labels.mode().values).float().mean()


RIGHT = {
    "floor": {
        "mode": floor,
        "counted": lambda train, test: (
            test.tolist().count(max(set(train.tolist()), key=train.tolist().count)) / len(test)
        ),
        "numpy": lambda train, test: np.array((test.numpy() == np.bincount(train.numpy()).argmax()).mean()),
    },
    "sevens": {"a number": 6265, "a tensor": torch.tensor(6265), "NumPy's": np.int64(6265)},
    "average_image": {
        "mask": lambda images, labels, digit: images[labels == digit].mean(dim=(0, 1)),
        "float64": lambda images, labels, digit: images[labels == digit][:, 0].double().mean(0),
        "loop": lambda images, labels, digit: torch.stack(
            [image[0] for image, label in zip(images, labels, strict=True) if label == digit]
        ).mean(0),
        "weights": lambda images, labels, digit: torch.einsum(
            "n,nchw->hw", (labels == digit).float() / (labels == digit).sum(), images
        ),
    },
}


def one_pixel_off(images, labels, digit):
    average = images[labels == digit].mean((0, 1))
    average[-1, -1] += 0.01
    return average


def off_for_a_single_image(images, labels, digit):
    """squeeze() takes more than the channel away where there is one image only."""
    chosen = images[labels == digit].squeeze()
    return chosen.mean(0) if chosen.dim() == 3 else 0 * chosen


WRONG = {
    "floor": {
        "named by the test": (
            lambda train, test: floor(test, test),
            "Whoever guesses has seen the training labels only",
        ),
        "in training": (lambda train, test: floor(train, train), "that is how often the digit comes in training"),
        "one in ten": (lambda train, test: 0.1, "only if all ten digits came equally often"),
        "the digit": (lambda train, test: train.mode().values, "that is the digit that you would name"),
        "count": (lambda train, test: 5 * floor(train, test), "Divide by the number of test images"),
        "percent": (lambda train, test: 100 * floor(train, test), "in percent"),
    },
    "sevens": {
        "test images": (1028, "10,000 test images"),
        "train images": (5743, "55,000 of train"),
        "one too many": (6266, "compare all labels with 7"),
        "share": (6265 / 60_000, "looks like a share"),
        "0": (0, "compare all labels"),
        "mask": (torch.ones(60_000, dtype=torch.bool), "one number, and this is a tensor of shape (60000,)"),
        "complex": (torch.tensor(6265j), "one number, and this is a tensor"),
    },
    "average_image": {
        "of all images": (lambda images, labels, digit: images.mean((0, 1)), "average of all images"),
        "sum": (lambda images, labels, digit: images[labels == digit].sum((0, 1)), "that is the sum"),
        "one pixel off": (one_pixel_off, "at least one value is off"),
        "off for a single image": (off_for_a_single_image, "at least one value is off"),
        "first of them": (lambda images, labels, digit: images[labels == digit][0, 0], "at least one value is off"),
        "channel kept": (lambda images, labels, digit: images[labels == digit].mean(0), "yours is (1, 28, 28)"),
        "28 by 28 only": (lambda images, labels, digit: images[labels == digit].reshape(-1, 28, 28).mean(0), "stopped"),
        "list": (lambda images, labels, digit: images[labels == digit].mean((0, 1)).tolist(), "this is a list"),
        "nan": (lambda images, labels, digit: images[0, 0] * math.nan, "at least one value is off"),
    },
}
