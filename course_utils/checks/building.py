"""Checks of notebook 04."""

import torch
from torch import nn

from course_utils.checks.core import Hint, call, exercise, expect_number
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
        if height != width:
            raise Hint(f"with {said} it should be {expected}, not {found}. Follow height and width separately.")
        raise Hint(f"with {said} it should be {expected}, not {found}. An odd size is rounded down when it is halved.")


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
        if height != width:
            raise Hint(f"with {said} it should be {expected}, not {found}. Height and width may differ.")
        raise Hint(f"with {said} it should be {expected}, not {found}. Count the weights of one filter first.")


@exercise
def mended_network(network_class) -> None:
    """The repaired class: the layers and the logits of the tutorial's CNN."""
    network = call(network_class, said="no arguments")
    if not isinstance(network, nn.Module):
        raise Hint(f"a network is a class that inherits from nn.Module; calling this gives a {type(network).__name__}.")
    reference = CNN()
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(4, 1, 28, 28, generator=generator)
    found = call(network, images, said="four images (4, 1, 28, 28)")
    if not isinstance(found, torch.Tensor) or tuple(found.shape) != (4, 10):
        raise Hint(f"four images should give logits of shape (4, 10), not {tuple(getattr(found, 'shape', ()))}.")
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
        for parameter in network.parameters():
            parameter.mul_(3)
        for parameter in reference.parameters():
            parameter.mul_(3)
        found, expected = network(images).float(), reference(images)
        if torch.allclose(found, expected, atol=1e-4):
            return
        if torch.allclose(found, expected.softmax(dim=1), atol=1e-4):
            raise Hint("it returns probabilities. cross_entropy wants logits: it applies the softmax itself.")
        if torch.allclose(found, expected.log_softmax(dim=1), atol=1e-4):
            raise Hint("it returns log-probabilities. cross_entropy wants the logits as they are.")
        if torch.allclose(found, expected.relu(), atol=1e-4):
            raise Hint("a ReLU after the last layer cuts off every negative logit.")
    raise Hint("shapes and parameters are right, the numbers are not. Is there a ReLU in each block, and max-pooling?")
