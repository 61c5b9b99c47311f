"""Checks of notebook 04."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.checks.core import Hint, a_kind, call, close, exercise, expect_number, unlike
from course_utils.models import CNN, count_parameters


@exercise
def flat_features(function) -> None:
    """A function (height, width) -> how many numbers per image reach the last layer of the CNN."""
    for height, width in ((28, 28), (32, 32), (30, 30), (28, 20), (9, 46)):
        said = f"height {height} and width {width}"
        found = expect_number(call(function, height, width, said=said), "the number of features")
        with torch.no_grad():  # the oracle is the network's own two blocks
            images = torch.zeros(1, 1, height, width)
            network = CNN()
            expected = network.conv2(network.conv1(images)).numel()
        if found == expected:
            continue
        if found * 32 == expected:
            raise Hint(f"with {said} you have the positions. How many channels does block 2 put at each?")
        if (height, width) == (28, 28) and found == 32 * 14 * 14:
            raise Hint("each of the two blocks pools, and each pooling halves height and width.")
        if found == 32 * 7 * 7:
            raise Hint(f"that is right for 28 by 28, and this image has {said}.")
        if found * 2 == expected:
            raise Hint(f"with {said} it {unlike(expected, found)}. Block 2 has 32 channels, block 1 has 16.")
        if found in (32 * (height // 4) ** 2, 32 * (width // 4) ** 2):
            raise Hint(f"with {said} it {unlike(expected, found)}. Follow height and width separately.")
        odd = any(size % 4 for size in (height, width))
        advice = " An odd size is rounded down when it is halved." if odd else " Each block halves height and width."
        raise Hint(f"with {said} it {unlike(expected, found)}.{advice}")


@exercise
def conv_parameters(function) -> None:
    """A function (in_channels, out_channels, kernel_height, kernel_width) -> parameters of a Conv2d with bias."""
    for arguments in ((1, 16, 5, 5), (16, 32, 5, 5), (3, 8, 3, 3), (2, 7, 1, 4), (6, 1, 1, 1)):
        in_channels, out_channels, height, width = arguments
        said = f"in_channels={in_channels}, out_channels={out_channels} and a kernel of {height} by {width}"
        found = expect_number(call(function, *arguments, said=said), "the number of parameters")
        expected = count_parameters(nn.Conv2d(in_channels, out_channels, (height, width)))
        if found == expected:
            continue
        if found == expected - out_channels:
            raise Hint("the weights are right. Each output channel also has one bias.")
        if in_channels > 1 and found == out_channels * (height * width + 1):
            raise Hint("each filter has a height by width patch of weights for every input channel.")
        if in_channels > 1 and found == expected - out_channels + in_channels:
            raise Hint("the weights are right. There is one bias for each output channel, not for each input channel.")
        sides = (height**2, width**2)
        if height != width and found in [out_channels * (in_channels * side + 1) for side in sides]:
            raise Hint(f"with {said} it {unlike(expected, found)}. Height and width may differ.")
        raise Hint(f"with {said} it {unlike(expected, found)}. Count the weights of one filter first.")


@exercise
def mended_network(network_class) -> None:
    """The repaired class: the layers and the logits of the tutorial's CNN."""
    if isinstance(network_class, nn.Module):
        raise Hint("that is a network already. Hand over the class, without brackets behind its name.")
    network = call(network_class, said="no arguments")
    if not isinstance(network, nn.Module):
        raise Hint(f"a network is a class that inherits from nn.Module; calling this gives {a_kind(network)}.")
    network, reference = network.to("cpu", torch.float32), CNN()
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(4, 1, 28, 28, generator=generator)
    found = call(network, images, said="four images (4, 1, 28, 28)")
    if not isinstance(found, torch.Tensor) or tuple(found.shape) != (4, 10):
        raise Hint(f"four images should give logits of shape (4, 10), and this is {a_kind(found)}.")
    if count_parameters(network) != count_parameters(reference):
        raise Hint(
            f"the network has {count_parameters(network):,} parameters, and the tutorial's has "
            f"{count_parameters(reference):,}. Compare kernel sizes and channels, layer by layer."
        )
    _same_logits(network, reference, images)


def _same_logits(network: nn.Module, reference: nn.Module, images: torch.Tensor) -> None:
    """With the same weights, the learner's network and the reference must say the same."""
    try:
        network.load_state_dict(reference.state_dict())
    except RuntimeError:
        raise Hint("keep the names conv1, conv2 and out, and the order of the layers in them.") from None
    with torch.no_grad():
        # Larger weights than at the start: what ReLU or pooling do to them shows.
        for parameter in (*network.parameters(), *reference.parameters()):
            parameter.mul_(10)
        found, expected = call(network, images, said="larger weights").float(), reference(images)
        if _near(found, expected):
            return
        if _near(found, expected.softmax(dim=1)):
            raise Hint("it returns probabilities. cross_entropy wants logits: it applies the softmax itself.")
        if _near(found, expected.log_softmax(dim=1)):
            raise Hint("it returns log-probabilities. cross_entropy wants the logits as they are.")
        if _near(found, expected.relu()):
            raise Hint("a ReLU after the last layer cuts off every negative logit.")
        for name, layer, hint in _FAULTS:
            twin = copy.deepcopy(reference)
            twin.set_submodule(name, layer)
            if _near(found, twin(images)):
                raise Hint(hint)
    raise Hint("shapes and parameters are right, the numbers are not. Is there a ReLU in each block, and max-pooling?")


_FAULTS = (
    ("conv1.1", nn.Identity(), "block 1 has no ReLU."),
    ("conv2.1", nn.Identity(), "block 2 has no ReLU."),
    ("conv1.2", nn.AvgPool2d(2), "block 1 takes the mean of each window. The tutorial's takes the largest."),
    ("conv2.2", nn.AvgPool2d(2), "block 2 takes the mean of each window. The tutorial's takes the largest."),
)


def _near(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@exercise
def receptive_field(function) -> None:
    """A function (layers, a list of (kernel_size, stride)) -> how many pixels in a row one output of the last sees."""
    for layers in (
        [(5, 1)],
        [(3, 1), (3, 1)],
        [(2, 2)],
        [(5, 1), (2, 2), (5, 1)],
        [(5, 1), (2, 2), (5, 1), (2, 2)],  # the tutorial's two blocks
        [(3, 2), (3, 1), (2, 3), (4, 1)],
        [(1, 1), (7, 3)],
        [(1, 2), (3, 1)],
    ):
        found = expect_number(call(function, layers, said=f"layers={layers}"), "the receptive field")
        expected = _pixels_seen(layers)
        if found != expected:
            raise Hint(_field_hint(found, expected, layers))


def _pixels_seen(layers: list[tuple[int, int]]) -> int:
    """Counted: to which inputs does one output of real layers have a gradient?"""
    row = torch.zeros(1, 1, 400, requires_grad=True)
    outputs = row
    for kernel_size, stride in layers:
        outputs = F.conv1d(outputs, torch.ones(1, 1, kernel_size), stride=stride)
    (gradient,) = torch.autograd.grad(outputs[0, 0, outputs.shape[-1] // 2], row)
    seen = gradient[0, 0].nonzero()
    return int(seen.max() - seen.min() + 1)


def _field_hint(found: float, expected: int, layers: list[tuple[int, int]]) -> str:
    sizes, strides = [size for size, _ in layers], [stride for _, stride in layers]
    without_strides = 1 + sum(size - 1 for size in sizes)
    with_own = 1 + sum((size - 1) * math.prod(strides[: place + 1]) for place, size in enumerate(sizes))
    said = f"with layers={layers} it {unlike(expected, found)}"
    if found == expected - 1:
        return f"{said}: count the pixel that you begin with, too."
    if found == with_own:
        return f"{said}: a layer's own stride moves the windows of the layers after it, and makes its own no larger."
    if found == without_strides:
        return (
            f"{said}: behind a stride of 2, neighbours are 2 pixels of the image apart. Multiply by the strides so far."
        )
    if found in (sum(sizes), math.prod(sizes)):
        return f"{said}: windows overlap. A kernel of k adds k - 1 steps to what one input of its layer sees."
    if found == _pixels_seen(layers[::-1]):
        return f"{said}: the first of the list is the layer next to the image."
    return f"{said}. Begin with 1 pixel; each layer adds kernel_size - 1 steps; how long is a step there, in pixels?"


@exercise
def paired_difference(function) -> None:
    """A function (ours, theirs), dicts from seed to accuracy in 0..1 -> mean of ours - theirs, in percentage points.

    Pairs have the same seed; a seed that only one of the two has is no pair.
    """
    for ours, theirs in (
        ({0: 0.98, 1: 0.97, 2: 0.99}, {0: 0.97, 1: 0.975, 2: 0.96}),
        ({3: 0.9, 1: 0.8, 2: 0.7}, {1: 0.75, 2: 0.9, 3: 0.8}),
        ({0: 0.9, 1: 0.5, 2: 0.95, 3: 0.9}, {2: 0.9, 0: 0.92, 4: 0.1}),
        ({7: 0.991}, {7: 0.984}),
    ):
        said = f"{ours} and {theirs}"
        found = expect_number(call(function, ours, theirs, said=said), "the mean difference")
        pairs = [100 * (ours[seed] - theirs[seed]) for seed in ours if seed in theirs]
        expected = sum(pairs) / len(pairs)
        if close(found, expected):
            continue
        if close(found, -expected):
            raise Hint(f"with {said} the sign is turned: ours less theirs.")
        if close(found, expected / 100):
            raise Hint("that is a difference of shares. In percentage points it is a hundred times that.")
        if close(found, sum(map(abs, pairs)) / len(pairs)):
            raise Hint("a seed at which theirs is better counts below 0. Keep the signs.")
        if close(found, sum(pairs)):
            raise Hint("that is the sum over the pairs. Their mean is wanted.")
        if close(found, 100 * (sum(ours.values()) / len(ours) - sum(theirs.values()) / len(theirs))):
            raise Hint(f"with {said} you take in seeds that only one of them has. Those are no pairs.")
        percent = [100 * (ours[seed] / theirs[seed] - 1) for seed in ours if seed in theirs]
        if close(found, sum(percent) / len(percent), 1e-4):
            raise Hint("that is a difference in percent of theirs. Percentage points are differences of percentages.")
        raise Hint(f"with {said} it {unlike(expected, found)}. Which pairs have the same seed?")
