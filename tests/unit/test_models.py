"""The networks: parameters by arithmetic, logits against torch's functions and SciPy, and what can be seen inside."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.signal import ShortTimeFFT, get_window
from torch import nn
from torch.testing import assert_close

from course_utils import CNN, ModernCNN, count_parameters, models
from course_utils.models import (
    DeepCNN,
    LocallyConnected2d,
    NineViewCNN,
    NineViewModernCNN,
    PooledFirstCNN,
    SoundCNN,
    SpectrogramCNN,
    TextCNN,
    downsampled_cnn,
)
from course_utils.perturb import shift
from course_utils.text import CHARACTERS, encode

WAVE_NETWORKS = (SoundCNN, SpectrogramCNN)


def conv(in_channels: int, out_channels: int, kernel_size: int) -> int:
    """Weights and biases of a convolution, by arithmetic."""
    return out_channels * (in_channels * kernel_size * kernel_size + 1)


def normed(first: int, *channels: int) -> int:
    """Parameters of convolutions with a batch norm in place of a bias; the first kernel is `first` wide, others 3."""
    sizes = [first] + [3] * (len(channels) - 1)
    return sum(conv(a, b, k) + b for a, b, k in zip((1, *channels), channels, sizes, strict=False))


TUTORIAL = conv(1, 16, 5) + conv(16, 32, 5)


@pytest.mark.parametrize(
    ("make", "parameters", "stated"),
    [
        (CNN, TUTORIAL + (32 * 7 * 7 + 1) * 10, 28_938),
        *((modern, normed(3, 16, 32, 64) + (64 * 3 * 3 + 1) * 10, 29_178) for modern in (ModernCNN, NineViewModernCNN)),
        *((deep, normed(5, 16, 32, 64, 64) + (64 * 3 * 3 + 1) * 10, 66_426) for deep in (DeepCNN, NineViewCNN)),
        *((lambda how=how: downsampled_cnn(how), 28_938, 28_938) for how in ("max", "average", "stride", "late")),
        (lambda: downsampled_cnn("none"), TUTORIAL + (32 * 28 * 28 + 1) * 10, 264_138),
        (lambda: downsampled_cnn("global"), TUTORIAL + (32 + 1) * 10, 13_578),
        (SoundCNN, 16 * 64 + 9 * (16 * 32 + 32 * 64) + 5 * 64 * 64 + 2 * 176 + 65 * 10, 45_546),
        (lambda: SoundCNN(head="flatten"), 45_546 + 64 * 14 * 10, 54_506),
        (SpectrogramCNN, normed(3, 16, 32, 64) + (64 * 8 + 1) * 10, 28_538),
    ],
)
def test_parameters_and_logits(make, parameters, stated):
    """Of one input too, whose logits don't depend on its neighbours."""
    network = make().eval()
    assert count_parameters(network) == parameters == stated
    inputs = torch.rand(3, 1, *((8000,) if isinstance(network, WAVE_NETWORKS) else (28, 28)))
    logits = network(inputs)
    assert logits.shape == (3, 10)
    assert_close(network(inputs[:1]), logits[:1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", [CNN, ModernCNN, DeepCNN, NineViewCNN, *WAVE_NETWORKS])
def test_inputs_of_another_kind_are_refused(make):
    size, said = ((8000,), "(N, 1, 8000)") if make in WAVE_NETWORKS else ((28, 28), "(N, 1, 28, 28)")
    for shape in ((28, 28), (5, 3, 28, 28), (5, 3, 8000), (8000,)):
        with pytest.raises(ValueError) as raised:
            make()(torch.zeros(shape))
        assert said in str(raised.value) and str(shape) in str(raised.value)
    with pytest.raises(TypeError, match=r"got torch\.uint8"):
        make()(torch.zeros(2, 1, *size).byte())


def by_hand(weights, images, how):
    """`downsampled_cnn` written out, without nn.Module; late and stride compute every position and drop most."""
    conv1 = F.conv2d(images, weights["conv1.weight"], weights["conv1.bias"], padding=2).clamp(min=0)
    if how == "stride":
        conv1 = conv1[:, :, ::2, ::2]
    pool = {"max": F.max_pool2d, "global": F.max_pool2d, "average": F.avg_pool2d}.get(how, lambda maps, _: maps)
    conv2 = F.conv2d(pool(conv1, 2), weights["conv2.weight"], weights["conv2.bias"], padding=2).clamp(min=0)
    step = {"stride": 2, "late": 4}.get(how, 1)
    maps = pool(conv2[:, :, ::step, ::step], 2)
    if how == "global":
        maps = maps.mean(dim=(2, 3), keepdim=True)
    return maps.reshape(len(images), -1) @ weights["out.weight"].T + weights["out.bias"]


@pytest.mark.parametrize("how", models.DOWNSAMPLING)
def test_the_tutorials_network_and_its_ways_down_by_hand(how):
    torch.manual_seed(0)
    network, images = downsampled_cnn(how), torch.rand(4, 1, 28, 28)
    expected = by_hand(network.state_dict(), images, how)
    assert_close(network(images), expected, rtol=0, atol=1e-5)
    if how == "max":
        tutorials = CNN()
        assert [name for name, _ in tutorials.named_children()] == ["conv1", "conv2", "out"]
        for name, layer in (("conv1", tutorials.conv1[0]), ("conv2", tutorials.conv2[0]), ("out", tutorials.out)):
            layer.load_state_dict(network.get_submodule(name).state_dict())
        assert_close(tutorials(images), expected, rtol=0, atol=1e-5)


def test_pooling_first_is_the_same_function_and_learns_the_same():
    """The same logits from the same weights, and the same gradient of each weight."""
    network, rival = CNN(), PooledFirstCNN()
    rival.load_state_dict(network.state_dict())
    images, labels = torch.randn(4, 1, 28, 28), torch.tensor([3, 1, 4, 1])
    for each in (network, rival):
        F.cross_entropy(each(images), labels).backward()
    assert_close(rival(images), network(images), rtol=0, atol=1e-6)
    for ours, theirs in zip(network.parameters(), rival.parameters(), strict=True):
        assert ours.grad.abs().max() > 0
        assert_close(theirs.grad, ours.grad, rtol=0, atol=1e-6)


@pytest.mark.parametrize("make", [ModernCNN, DeepCNN])
def test_the_normed_networks_by_hand(make):
    torch.manual_seed(0)
    model = make().eval()
    x = images = torch.rand(3, 1, 28, 28)
    layers, pools = list(model.blocks), [True, True, make is ModernCNN, True]
    sizes = []
    while layers:
        kernel = layers.pop(0).weight
        x = F.conv2d(x, kernel, padding=kernel.shape[2] // 2)
        if pools.pop(0):
            layers.pop(0)
            x = F.max_pool2d(x, 2)
        norm, _ = layers.pop(0), layers.pop(0)
        nn.init.normal_(norm.weight)  # else the norm does nothing in evaluation mode, at the start
        nn.init.uniform_(norm.running_var, 0.5, 2)
        nn.init.normal_(norm.running_mean)
        nn.init.normal_(norm.bias)
        mean, deviation = norm.running_mean[:, None, None], (norm.running_var[:, None, None] + norm.eps).sqrt()
        x = ((x - mean) / deviation * norm.weight[:, None, None] + norm.bias[:, None, None]).clamp(min=0)
        sizes.append(tuple(x.shape[1:]))
    fourth = [] if make is ModernCNN else [(64, 7, 7)]
    assert sizes == [(16, 14, 14), (32, 7, 7), *fourth, (64, 3, 3)]
    assert_close(model(images), x.reshape(3, -1) @ model.out.weight.T + model.out.bias, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("network", "of_nine"), [(ModernCNN, NineViewModernCNN), (DeepCNN, NineViewCNN)])
def test_nine_views_by_hand(network, of_nine):
    """The mean of nine log-probabilities, of the image cut out of a black frame; in training one view, as it is."""
    torch.manual_seed(0)
    images, one, nine = torch.rand(3, 1, 28, 28), network(), of_nine()
    nine.load_state_dict(one.state_dict())
    assert_close(nine(images), one(images), rtol=0, atol=0)  # moves the running means too
    framed = torch.zeros(3, 1, 30, 30)
    framed[..., 1:-1, 1:-1] = images
    one.eval()
    views = [one(framed[..., top : top + 28, left : left + 28]) for top in range(3) for left in range(3)]
    expected = sum(F.log_softmax(logits, 1) for logits in views) / 9
    assert_close(nine.eval()(images), expected, rtol=0, atol=1e-5)
    assert (expected - F.log_softmax(one(images), 1)).abs().max() > 1e-3


# --- locally connected ----------------------------------------------------------------------------------------------

SETTINGS = [
    # in_channels, out_channels, image_size, kernel_size, padding
    (1, 16, (28, 28), 5, 2),
    (2, 3, (5, 7), 3, 0),  # not square
    (3, 2, (4, 6), 2, 1),  # an even kernel, which makes the map larger
    (1, 1, (3, 3), 5, 1),  # a kernel that only fits the padded image
    (4, 5, (6, 1), 1, 0),
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_locally_connected_is_a_convolution_of_its_own_at_every_position(setting):
    in_channels, out_channels, (height, width), size, padding = setting
    torch.manual_seed(0)
    layer, images = LocallyConnected2d(*setting), torch.randn(3, in_channels, height, width)
    found = layer(images)
    padded = F.pad(images, [padding] * 4)
    columns = width + 2 * padding - size + 1
    assert found.shape == (3, out_channels, height + 2 * padding - size + 1, columns)
    for position, (weight, bias) in enumerate(zip(layer.weight, layer.bias, strict=True)):
        row, column = divmod(position, columns)
        patch = padded[:, :, row : row + size, column : column + size]
        expected = F.conv2d(patch, weight.view(out_channels, in_channels, size, size), bias)[:, :, 0, 0]
        assert_close(found[:, :, row, column], expected)


def test_locally_connected_starts_and_learns_as_a_convolution_does():
    torch.manual_seed(3)
    layer, convolution = LocallyConnected2d(4, 8, (9, 9), 3), nn.Conv2d(4, 800, 3)
    for ours, theirs in ((layer.weight, convolution.weight), (layer.bias, convolution.bias)):
        assert ours.abs().max().item() <= (4 * 9) ** -0.5
        assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.05)
    layer = LocallyConnected2d(2, 2, (3, 4), 2, padding=1).double()
    images = torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)

    def outputs(images, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, images)

    assert torch.autograd.gradcheck(outputs, (images, layer.weight, layer.bias))


def test_locally_connected_refuses_a_kernel_that_does_not_fit_and_other_images():
    with pytest.raises(ValueError, match=r"kernel_size=9, .* are 8"):
        LocallyConnected2d(1, 2, (6, 8), 9, padding=1)
    with pytest.raises(ValueError, match=r"\(N, 1, 6, 8\), got \(2, 1, 8, 6\)"):
        LocallyConnected2d(1, 2, (6, 8), 3)(torch.zeros(2, 1, 8, 6))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("dense", 784 * 12_544 + 12_544), ("local", 16 * 28 * 28 * (25 + 1)), ("shared", 16 * (25 + 1))],
)
def test_three_layers_with_the_same_outputs(name, parameters):
    layer, images = models.LAYERS[name](), torch.rand(2, 1, 28, 28)
    assert count_parameters(layer) == parameters
    assert layer(images).shape == (2, 16, 28, 28)


# --- sound and text -------------------------------------------------------------------------------------------------


def test_global_head_is_invariant_to_shifts_by_the_product_of_its_strides_and_flatten_is_not():
    waves = F.pad(torch.randn(4, 1, 2000), (3000, 3000))
    torch.manual_seed(0)
    for head, same in (("global", True), ("flatten", False)):
        network = SoundCNN(head=head).eval()
        with torch.inference_mode():
            moved = network(shift(waves, 8 * 4 * 4 * 4, 0))
            assert torch.allclose(moved, network(waves), atol=1e-5) == same


def test_log_spectrogram_is_scipys():
    waves = torch.randn(2, 1, 8000, dtype=torch.float64)
    scipys = ShortTimeFFT(get_window("hann", 256), hop=128, fs=8000)
    padded = np.pad(waves[1, 0].numpy(), 128, mode="reflect")  # torch.stft mirrors at both ends
    expected = np.log(np.abs(scipys.stft(padded)) + 0.01)
    found = models.log_spectrogram(waves)
    assert found.shape == (2, 1, 129, 63)
    assert np.abs(found[1, 0].numpy() - expected[:, 1:64]).max() < 1e-4  # scipy's first window lies before the wave


def test_text_network_is_counts_of_trigrams_it_found():
    torch.manual_seed(0)
    network = TextCNN(CHARACTERS, languages=12, filters=7)
    texts = encode(["abc", "Łódź"])
    responses = F.conv1d(texts, network.conv.weight, network.conv.bias, padding=1)
    expected = F.linear(responses.clamp(min=0).max(dim=2).values, network.out.weight, network.out.bias)
    assert_close(network(texts), expected, rtol=0, atol=1e-6)
    assert count_parameters(network) == 7 * (3 * CHARACTERS + 1) + 12 * (7 + 1)
    with pytest.raises(ValueError, match=rf"texts of shape \(N, {CHARACTERS}, L\)"):
        network(texts.transpose(1, 2))


@pytest.mark.parametrize(
    ("parameters", "inputs", "outputs"), [(45_546, 8000, 10), (27_020, 1584, 12), (100, 3, 2), (1, 3, 2)]
)
def test_dense_of_size_has_at_least_as_many(parameters, inputs, outputs):
    network = models.dense_of_size(parameters, inputs, outputs)
    assert network(torch.zeros(5, 1, inputs)).shape == (5, outputs)
    width = inputs + 1 + outputs  # parameters of one hidden unit; there is at least one
    assert parameters <= count_parameters(network) < max(parameters, outputs + 1) + width


def test_names_that_are_unknown():
    for make, wrong in ((downsampled_cnn, "min"), (SoundCNN, "mean")):
        with pytest.raises(ValueError, match=f"'{wrong}'; there are .*global"):
            make(wrong)


# --- any network ----------------------------------------------------------------------------------------------------


def test_frozen_parameters_are_not_counted():
    model = CNN()
    model.conv1.requires_grad_(False)
    assert count_parameters(model) == 28_938 - 416
    assert count_parameters(nn.ReLU()) == 0


def test_in_prediction_mode_kernels_lie_otherwise_and_come_back():
    """After an error too. Maps then lie with the channels last; a kernel that two layers share is no exception."""
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.MaxPool2d(2), nn.Conv2d(3, 2, 3), nn.Conv2d(2, 3, 3))
    model[3].weight = model[0].weight
    before = {name: (value.data_ptr(), value.clone()) for name, value in model.state_dict().items()}
    images = torch.rand(2, 2, 12, 12)
    expected = model(images)
    with pytest.raises(KeyError), models.prediction_mode(model):
        maps = model[:2](images)
        assert maps.is_contiguous(memory_format=torch.channels_last) and not maps.is_contiguous()
        assert not model.training
        assert_close(model(images), expected, rtol=0, atol=1e-6)
        raise KeyError
    assert model.training
    for name, value in model.state_dict().items():
        where, values = before[name]
        assert value.data_ptr() == where and torch.equal(value, values) and value.is_contiguous()
    with torch.no_grad():
        model[0].weight += 1  # autograd still knows it
    model(images).sum().backward()


def test_evaluation_mode_comes_and_goes_with_its_block():
    """Each module gets the mode back that it had, also after an error and when two blocks are nested."""
    shared = nn.Dropout()
    model = nn.Sequential(nn.Sequential(nn.BatchNorm1d(3), shared), nn.Sequential(shared, nn.BatchNorm1d(3)))
    model[0].eval()
    model[1][1].eval()
    before = [module.training for module in model.modules()]
    assert len(set(before)) == 2
    with pytest.raises(KeyError), models.evaluation_mode(model):
        assert not any(module.training for module in model.modules())
        with pytest.raises(IndexError), models.evaluation_mode(model):
            raise IndexError
        assert not any(module.training for module in model.modules())
        raise KeyError
    assert [module.training for module in model.modules()] == before


def test_recorded_says_what_layers_receive_and_give_in_running_order():
    """A layer that runs twice is recorded twice, and what is recorded outlives a later layer that works in place."""
    torch.manual_seed(0)
    double = nn.Linear(4, 4)
    model = nn.Sequential(nn.ReLU(inplace=True), double, nn.Sequential(nn.ReLU(inplace=True), double))
    x = torch.randn(3, 4)
    once = F.linear(x.relu(), double.weight, double.bias)
    twice = F.linear(once.relu(), double.weight, double.bias)
    with models.recorded(model, [double, "0", "2", double]) as calls:
        for _ in range(2):
            calls.clear()
            model(x.clone())
    assert [call.name for call in calls] == ["0", "1", "1", "2"]
    assert all(call.layer is model.get_submodule(call.name) for call in calls)
    expected = ((x, x.relu()), (x.relu(), once), (once.relu(), twice), (once, twice))
    for call, (received, gave) in zip(calls, expected, strict=True):
        assert_close(call.input, received)
        assert_close(call.output, gave)
    model(x)
    assert len(calls) == 4


@pytest.mark.parametrize("layers", [["conv1"], ["conv1", "conv9"], [nn.ReLU()]], ids=str)
def test_nothing_is_recorded_any_more_after_an_error(layers):
    model = CNN()
    said = r"got \(28, 28\)" if layers == ["conv1"] else r"no layer .* in the model; it has conv1, conv1\.0"
    with pytest.raises(ValueError, match=said), models.recorded(model, layers):
        model(torch.zeros(28, 28))
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.modules())
