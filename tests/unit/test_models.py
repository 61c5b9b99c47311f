"""The networks: their parameters, their arithmetic, and what they say to a wrong input."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import CNN, ModernCNN, count_parameters
from course_utils.models import DeepCNN, evaluation_mode


def _conv(in_channels: int, out_channels: int, kernel_size: int) -> int:
    """Weights and biases of a convolution, by arithmetic."""
    return out_channels * (in_channels * kernel_size * kernel_size + 1)


def test_cnn_has_the_parameters_of_the_tutorial_layer_by_layer():
    model = CNN()
    assert [name for name, _ in model.named_children()] == ["conv1", "conv2", "out"]
    assert count_parameters(model.conv1) == _conv(1, 16, 5) == 416
    assert count_parameters(model.conv2) == _conv(16, 32, 5) == 12_832
    assert count_parameters(model.out) == (32 * 7 * 7 + 1) * 10 == 15_690
    assert count_parameters(model) == 28_938


def test_cnn_logits_by_hand():
    """The same weights through torch's functions, step by step as the tutorial describes them."""
    torch.manual_seed(0)
    model = CNN().eval()
    images = torch.rand(3, 1, 28, 28)
    x = F.conv2d(images, model.conv1[0].weight, model.conv1[0].bias, padding=2)
    assert x.shape == (3, 16, 28, 28)
    x = F.max_pool2d(x.clamp(min=0), 2)
    x = F.conv2d(x, model.conv2[0].weight, model.conv2[0].bias, padding=2)
    assert x.shape == (3, 32, 14, 14)
    x = F.max_pool2d(x.clamp(min=0), 2)
    expected = x.reshape(3, 1568) @ model.out.weight.T + model.out.bias
    assert torch.allclose(model(images), expected, atol=1e-6)


def test_modern_cnn_logits_by_hand():
    torch.manual_seed(0)
    model = ModernCNN().eval()
    x = images = torch.rand(3, 1, 28, 28)
    for conv, norm in zip(model.blocks[0::4], model.blocks[2::4], strict=True):
        nn.init.normal_(norm.weight)  # else the norm does nothing in evaluation mode, at the start
        nn.init.uniform_(norm.running_var, 0.5, 2)
        nn.init.normal_(norm.running_mean)
        nn.init.normal_(norm.bias)
        x = F.max_pool2d(F.conv2d(x, conv.weight, padding=1), 2)
        mean, deviation = norm.running_mean[:, None, None], (norm.running_var[:, None, None] + norm.eps).sqrt()
        x = ((x - mean) / deviation * norm.weight[:, None, None] + norm.bias[:, None, None]).clamp(min=0)
    expected = x.reshape(3, -1) @ model.out.weight.T + model.out.bias
    assert torch.allclose(model(images), expected, atol=1e-4)


def test_modern_cnn_is_no_larger_than_the_course_promises():
    norms = 2 * (16 + 32 + 64)  # a scale and an offset for each channel
    weights = 9 * (1 * 16 + 16 * 32 + 32 * 64)
    assert count_parameters(ModernCNN()) == weights + norms + (64 * 3 * 3 + 1) * 10 <= 30_000


def test_deep_cnn():
    weights = 25 * 1 * 16 + 9 * (16 * 32 + 32 * 64 + 64 * 64)
    norms = 2 * (16 + 32 + 64 + 64)
    assert count_parameters(DeepCNN()) == weights + norms + (64 * 3 * 3 + 1) * 10 <= 100_000
    sizes = []
    model = DeepCNN().eval()
    for layer in model.blocks:
        layer.register_forward_hook(lambda layer, _, output: sizes.append((type(layer).__name__, *output.shape[1:])))
    model(torch.zeros(2, 1, 28, 28))
    assert [size[1:] for size in sizes if size[0] == "ReLU"] == [(16, 14, 14), (32, 7, 7), (64, 7, 7), (64, 3, 3)]


@pytest.mark.parametrize("network", [CNN, ModernCNN, DeepCNN])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_any_number_of_images(network, count):
    """One image too; and each image's logits don't depend on its neighbours."""
    model = network().eval()
    images = torch.rand(count, 1, 28, 28)
    logits = model(images)
    assert logits.shape == (count, 10)
    assert torch.allclose(logits[:1], model(images[:1]), atol=1e-5)


@pytest.mark.parametrize("network", [CNN, ModernCNN, DeepCNN])
@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((1, 28, 28), "images.unsqueeze(0)"),
        ((28, 28), "images[None, None]"),
        ((5, 28, 28), "images.unsqueeze(1)"),
        ((5, 28, 28, 1), "images.permute(0, 3, 1, 2)"),
        ((5, 3, 28, 28), ""),
        ((5, 1, 32, 32), ""),
        ((5, 1, 28, 27), ""),
        ((5, 784), ""),
        ((2, 5, 1, 28, 28), ""),
        ((), ""),
    ],
    ids=str,
)
def test_wrong_shape_is_named_with_the_right_one(network, shape, advice):
    with pytest.raises(ValueError) as caught:
        network()(torch.zeros(shape))
    message = str(caught.value)
    assert "expected a batch of images of shape (N, 1, 28, 28)" in message
    assert f"got {shape}" in message
    assert advice in message
    if advice:  # and it works
        images = eval(advice.removesuffix("."), {"images": torch.zeros(shape)})
        assert network().eval()(images).shape == (len(images), 10)
    else:
        assert message.endswith(f"got {shape}.")


@pytest.mark.parametrize("network", [CNN, ModernCNN, DeepCNN])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_whole_numbers_are_refused(network, dtype):
    with pytest.raises(TypeError, match=rf"float32 in 0..1, got {dtype}.*images.float\(\) / 255"):
        network()(torch.zeros(2, 1, 28, 28, dtype=dtype))


def test_frozen_parameters_are_not_counted():
    model = CNN()
    model.conv1.requires_grad_(False)
    assert count_parameters(model) == 28_938 - 416
    assert count_parameters(nn.ReLU()) == 0


def test_evaluation_mode_comes_and_goes_with_its_block():
    """Each module gets the mode back that it had, also after an error and when two blocks are nested."""
    shared = nn.Dropout()
    model = nn.Sequential(nn.Sequential(nn.BatchNorm1d(3), shared), nn.Sequential(shared, nn.BatchNorm1d(3)))
    model[0].eval()
    model[1][1].eval()
    before = [module.training for module in model.modules()]
    assert len(set(before)) == 2
    with evaluation_mode(model):
        assert not any(module.training for module in model.modules())
        with pytest.raises(KeyError), evaluation_mode(model):
            raise KeyError
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == before
    with pytest.raises(KeyError), evaluation_mode(model):
        raise KeyError
    assert [module.training for module in model.modules()] == before


def test_evaluation_mode_keeps_the_running_statistics():
    model = nn.BatchNorm1d(3)
    before = model.running_mean.clone()
    with evaluation_mode(model):
        model(torch.rand(5, 3) + 4)
    assert torch.equal(model.running_mean, before) and model.num_batches_tracked == 0
    model(torch.rand(5, 3) + 4)
    assert not torch.equal(model.running_mean, before)
