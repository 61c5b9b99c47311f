"""The locally connected layer against a loop over every output, and against the convolution it generalises."""

import pytest
import torch
from torch import nn

from course_utils import count_parameters
from course_utils.models import LAYERS, LocallyConnected2d, with_head, with_small_head

SETTINGS = [
    # in_channels, out_channels, image_size, kernel_size, padding
    (1, 16, (28, 28), 5, 2),
    (2, 3, (5, 7), 3, 0),  # not square
    (3, 2, (4, 6), 2, 1),  # an even kernel, which makes the map larger
    (1, 1, (3, 3), 5, 1),  # a kernel that only fits the padded image
    (4, 5, (6, 1), 1, 0),
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_equals_a_loop_over_every_output(setting):
    in_channels, out_channels, (height, width), size, padding = setting
    torch.manual_seed(0)
    layer = LocallyConnected2d(*setting)
    images = torch.randn(3, in_channels, height, width)
    found = layer(images)
    padded = torch.zeros(3, in_channels, height + 2 * padding, width + 2 * padding)
    padded[:, :, padding : padding + height, padding : padding + width] = images
    rows, columns = height + 2 * padding - size + 1, width + 2 * padding - size + 1
    assert found.shape == (3, out_channels, rows, columns)
    for row in range(rows):
        for column in range(columns):
            patch = padded[:, :, row : row + size, column : column + size].reshape(3, -1)
            position = row * columns + column
            for channel in range(out_channels):
                expected = (patch * layer.weight[position, channel]).sum(1) + layer.bias[position, channel]
                torch.testing.assert_close(found[:, channel, row, column], expected)


@pytest.mark.parametrize("setting", SETTINGS)
def test_with_equal_weights_everywhere_it_is_a_convolution(setting):
    in_channels, out_channels, image_size, size, padding = setting
    torch.manual_seed(1)
    convolution = nn.Conv2d(in_channels, out_channels, size, padding=padding)
    layer = LocallyConnected2d(*setting)
    with torch.no_grad():
        layer.weight[:] = convolution.weight.flatten(1)
        layer.bias[:] = convolution.bias
    images = torch.randn(2, in_channels, *image_size)
    torch.testing.assert_close(layer(images), convolution(images))


def test_gradients_are_those_of_the_formula():
    torch.manual_seed(2)
    layer = LocallyConnected2d(2, 2, (3, 4), 2, padding=1).double()
    images = torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, images)
    assert torch.autograd.gradcheck(
        lambda weight, bias: torch.func.functional_call(layer, {"weight": weight, "bias": bias}, images.detach()),
        (layer.weight, layer.bias),
    )


def test_it_starts_like_a_convolution():
    torch.manual_seed(3)
    layer, convolution = LocallyConnected2d(4, 8, (9, 9), 3), nn.Conv2d(4, 800, 3)
    for ours, theirs in ((layer.weight, convolution.weight), (layer.bias, convolution.bias)):
        assert ours.abs().max().item() <= (4 * 9) ** -0.5
        assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.05)


def test_parameters_of_the_three_layers():
    counts = {name: count_parameters(make()) for name, make in LAYERS.items()}
    assert counts == {"dense": 784 * 12544 + 12544, "local": 16 * 28 * 28 * (25 + 1), "shared": 16 * (25 + 1)}
    assert counts == {"dense": 9_847_040, "local": 326_144, "shared": 416}


@pytest.mark.parametrize("name", LAYERS)
def test_the_three_layers_make_the_same_shape_for_the_same_heads(name):
    images = torch.rand(2, 1, 28, 28)
    layer = LAYERS[name]()
    assert layer(images).shape == (2, 16, 28, 28)
    for make, parameters in ((with_head, 12544 * 10 + 10), (with_small_head, 784 * 10 + 10)):
        network = make(layer)
        assert network(images).shape == (2, 10)
        assert count_parameters(network) - count_parameters(layer) == parameters


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"kernel_size": 9}, ValueError, "a kernel of 9 by 9 does not fit: with a padding of 1 the image is 8 by 10"),
        ({"kernel_size": 0}, ValueError, "kernel_size must be at least 1, got 0"),
        ({"kernel_size": 2.5}, TypeError, "kernel_size must be a whole number, got 2.5"),
        ({"padding": 1.5}, TypeError, "padding must be a whole number, got 1.5"),
        ({"padding": -1}, ValueError, "padding must be at least 0, got -1"),
        ({"padding": True}, TypeError, "padding must be a whole number, got True"),
        ({"image_size": (6.0, 8)}, TypeError, "the height in image_size must be a whole number"),
        ({"in_channels": 0}, ValueError, "in_channels must be at least 1, got 0"),
    ],
)
def test_impossible_settings_say_so(changed, error, said):
    setting = {"in_channels": 1, "out_channels": 2, "image_size": (6, 8), "kernel_size": 3, "padding": 1}
    with pytest.raises(error, match=said):
        LocallyConnected2d(**{**setting, **changed})


@pytest.mark.parametrize("shape", [(2, 6, 8), (2, 1, 8, 6), (2, 3, 6, 8), (6, 8)])
def test_wrong_images_say_what_arrived_and_what_was_expected(shape):
    layer = LocallyConnected2d(1, 2, (6, 8), 3)
    with pytest.raises(ValueError, match=r"shape \(N, 1, 6, 8\), got \(" + ", ".join(map(str, shape))):
        layer(torch.zeros(shape))
