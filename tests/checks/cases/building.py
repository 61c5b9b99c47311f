"""Answers to the exercises of notebook 04."""

import math
from fractions import Fraction

import numpy as np
import torch
from torch import nn

from course_utils import CNN


def features_by_network(height, width):
    network = CNN()
    return network.conv2(network.conv1(torch.zeros(1, 1, height, width))).numel()


def features_with_a_seed(height, width):
    """A learner's random numbers change nothing outside."""
    torch.manual_seed(0)
    torch.rand(5)
    return 32 * (height // 4) * (width // 4)


class Mended(nn.Module):
    """The tutorial's network in other words: the pooling before the ReLU, which commutes with it."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(1, 16, 5, padding="same"), nn.MaxPool2d(2), nn.ReLU())
        self.conv2 = nn.Sequential(nn.Conv2d(16, 32, 5, 1, 2), nn.MaxPool2d(2, 2), nn.ReLU())
        self.out = nn.Linear(1568, 10)

    def forward(self, x):
        self.features = self.conv2(self.conv1(x))  # kept aside, where the original returned them too
        return self.out(self.features.view(x.size(0), -1))


def field(layers):
    seen, step = 1, 1
    for kernel_size, stride in layers:
        seen += (kernel_size - 1) * step
        step *= stride
    return seen


def field_from_the_end(layers):
    """The same, from the last output back to the pixels."""
    seen = 1
    for kernel_size, stride in reversed(layers):
        seen = (seen - 1) * stride + kernel_size
    return seen


def own_stride_first(layers):
    seen, step = 1, 1
    for kernel_size, stride in layers:
        step *= stride
        seen += (kernel_size - 1) * step
    return seen


def mean_difference(ours, theirs):
    return float(np.mean([100 * (ours[seed] - theirs[seed]) for seed in ours.keys() & theirs.keys()]))


RIGHT = {
    "receptive_field": {
        "forward": field,
        "backward": field_from_the_end,
        "numpy": lambda layers: np.int64(field(layers)),
    },
    "paired_difference": {
        "numpy": mean_difference,
        "tensor": lambda ours, theirs: torch.tensor(
            [100 * (ours[seed] - theirs[seed]) for seed in ours if seed in theirs], dtype=torch.float64
        ).mean(),
        "fraction": lambda ours, theirs: Fraction(mean_difference(ours, theirs)),
    },
    "flat_features": {
        "halved twice": lambda height, width: 32 * (height // 2 // 2) * (width // 2 // 2),
        "network": features_by_network,
        "tensor": lambda height, width: torch.tensor(32) * (height // 4) * (width // 4),
        "numpy": lambda height, width: np.prod([32, height // 4, width // 4]),
        "seed set": features_with_a_seed,
    },
    "conv_parameters": {
        "weights and biases": lambda i, o, h, w: o * i * h * w + o,
        "filter by filter": lambda i, o, h, w: sum(i * h * w + 1 for _ in range(o)),
        "torch": lambda i, o, h, w: sum(p.numel() for p in nn.Conv2d(i, o, (h, w)).parameters()),
    },
    "mended_network": {"package": CNN, "pooling first": Mended, "function": lambda: CNN()},
}


class Broken(CNN):
    def __init__(self, forward):
        super().__init__()
        self._forward = forward

    def forward(self, images):
        return self._forward(self, images)


def broken(forward):
    """The tutorial's network with another `forward`."""
    return lambda: Broken(forward)


def after(change):
    """The tutorial's network whose logits are changed."""
    return broken(lambda self, images: change(CNN.forward(self, images)))


def with_layer(name, layer):
    """The tutorial's network with another layer."""

    def build():
        network = CNN()
        network.set_submodule(name, layer)
        return network

    return build


class OtherNames(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*CNN().conv1, *CNN().conv2, nn.Flatten(), CNN().out)

    def forward(self, images):
        return self.layers(images)


def off_for_one_image(logits):
    logits[-1, -1] *= 1.01
    return logits


WRONG = {
    "receptive_field": {
        "no strides": (lambda layers: 1 + sum(k - 1 for k, _ in layers), "Multiply by the strides so far"),
        "own stride": (own_stride_first, "a layer's own stride moves the windows of the layers after it"),
        "sum": (lambda layers: sum(k for k, _ in layers), "windows overlap"),
        "product": (lambda layers: math.prod(k for k, _ in layers), "windows overlap"),
        "one short": (lambda layers: field(layers) - 1, "count the pixel that you begin with"),
        "from the wrong end": (lambda layers: field(layers[::-1]), "the layer next to the image"),
        "last only": (lambda layers: layers[-1][0], "how long is a step there"),
        "area": (lambda layers: field(layers) ** 2, "should be 5, not 25"),
    },
    "paired_difference": {
        "by place": (
            lambda ours, theirs: 100 * np.mean([a - b for a, b in zip(ours.values(), theirs.values(), strict=False)]),
            "Which pairs have the same seed?",
        ),
        "means of all": (
            lambda ours, theirs: 100 * (np.mean(list(ours.values())) - np.mean(list(theirs.values()))),
            "Those are no pairs",
        ),
        "shares": (lambda *arms: mean_difference(*arms) / 100, "a hundred times that"),
        "turned": (lambda ours, theirs: mean_difference(theirs, ours), "ours less theirs"),
        "absolute": (
            lambda ours, theirs: 100 * np.mean([abs(ours[s] - theirs[s]) for s in ours.keys() & theirs.keys()]),
            "Keep the signs",
        ),
        "percent": (
            lambda ours, theirs: 100 * np.mean([ours[s] / theirs[s] - 1 for s in ours.keys() & theirs.keys()]),
            "a difference in percent of theirs",
        ),
        "every seed of ours": (
            lambda ours, theirs: 100 * np.mean([ours[s] - theirs[s] for s in ours]),
            "your function stopped with KeyError",
        ),
    },
    "flat_features": {
        "positions only": (lambda height, width: (height // 4) * (width // 4), "How many channels"),
        "one pooling": (lambda height, width: 32 * (height // 2) * (width // 2), "each of the two blocks pools"),
        "always 1568": (lambda height, width: 1568, "right for 28 by 28"),
        "square": (lambda height, width: 32 * (height // 4) ** 2, "this image has height 28 and width 20"),
        "square of the width": (lambda height, width: 32 * (width // 4) ** 2, "Follow height and width separately"),
        "rounded up": (lambda height, width: 32 * math.ceil(height / 4) * math.ceil(width / 4), "rounded down"),
        "not rounded": (lambda height, width: 2 * height * width, "rounded down"),
        "first block's channels": (lambda height, width: 16 * (height // 4) * (width // 4), "not 784"),
        "rounded up for one width": (
            lambda height, width: 32 * (height // 4) * ((width + 2 * (width == 46)) // 4),
            "not 768",
        ),
        "shape": (lambda height, width: (32, height // 4, width // 4), "one number, and this is a tuple"),
    },
    "conv_parameters": {
        "no biases": (lambda i, o, h, w: o * i * h * w, "Each output channel also has one bias"),
        "one bias": (lambda i, o, h, w: o * i * h * w + 1, "Count the weights of one filter first"),
        "a bias for each patch": (lambda i, o, h, w: o * i * (h * w + 1), "it should be 12832"),
        "one patch a filter": (lambda i, o, h, w: o * (h * w + 1), "for every input channel"),
        "square kernel": (lambda i, o, h, w: o * (i * h * h + 1), "Height and width may differ"),
        "always 416": (lambda i, o, h, w: 416, "Count the weights"),
        "no bias for one by one": (lambda i, o, h, w: o * (i * h * w + (h * w > 1)), "one bias"),
    },
    "mended_network": {
        "softmax": (after(lambda logits: logits.softmax(1)), "it returns probabilities"),
        "softmax over the batch": (after(lambda logits: logits.softmax(0)), "the numbers are not"),
        "log-softmax": (after(lambda logits: logits.log_softmax(1)), "it returns log-probabilities"),
        "ReLU at the end": (after(lambda logits: logits.relu()), "cuts off every negative logit"),
        "off for one image": (after(off_for_one_image), "the numbers are not"),
        "labels": (after(lambda logits: logits.argmax(1)), "(4, 10), and this is a tensor of shape (4,)"),
        "two outputs": (after(lambda logits: (logits, logits)), "logits of shape (4, 10)"),
        "nothing returned": (after(lambda logits: None), "returns None"),
        "dots": (after(lambda logits: logits.unknown), "stopped with AttributeError"),
        "no flattening": (broken(lambda self, x: self.out(self.conv2(self.conv1(x)))), "RuntimeError"),
        "no bias": (with_layer("out", nn.Linear(1568, 10, bias=False)), "28,928 parameters, and the tutorial's has"),
        "3 by 3": (with_layer("conv1.0", nn.Conv2d(1, 16, 3, padding=1)), "Compare kernel sizes and channels"),
        "average pooling": (with_layer("conv2.2", nn.AvgPool2d(2)), "block 2 takes the mean"),
        "one ReLU": (with_layer("conv2.1", nn.Identity()), "block 2 has no ReLU"),
        "ReLU6": (with_layer("conv1.1", nn.ReLU6()), "the numbers are not"),
        "mirrored border": (
            with_layer("conv2.0", nn.Conv2d(16, 32, 5, padding=2, padding_mode="reflect")),
            "the numbers are not",
        ),
        "other names": (OtherNames, "keep the names conv1, conv2 and out"),
        "no Module": (lambda: lambda images: torch.zeros(4, 10), "inherits from nn.Module"),
        "instance": (CNN(), "Hand over the class, without brackets"),
    },
}
