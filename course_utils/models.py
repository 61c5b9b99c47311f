"""The tutorial's network, the one that a modern recipe trains, and the layers they are compared with."""

import math
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from itertools import chain, product
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from course_utils import validate
from course_utils.perturb import shift
from course_utils.sizes import conv_output_size


class CNN(nn.Module):
    """The network of the original tutorial: two blocks of convolution, ReLU and pooling, then one linear layer.

    Takes images (N, 1, 28, 28) and returns logits (N, 10). 28,938 parameters. Raises `ValueError` for another
    shape, `TypeError` for pixels that are not floating-point numbers.
    """

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(in_channels=1, out_channels=16, kernel_size=5, stride=1, padding=2),  # (N, 16, 28, 28)
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=2),  # (N, 16, 14, 14)
        )
        self.conv2 = nn.Sequential(
            nn.Conv2d(in_channels=16, out_channels=32, kernel_size=5, stride=1, padding=2),  # (N, 32, 14, 14)
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=2),  # (N, 32, 7, 7)
        )
        self.out = nn.Linear(in_features=32 * 7 * 7, out_features=10)

    def forward(self, images: Tensor) -> Tensor:
        validate.images(images, validate.IMAGE_SHAPE)
        features = self.conv2(self.conv1(images))
        return self.out(features.flatten(start_dim=1))


class PooledFirstCNN(CNN):
    """`CNN`, with pooling before ReLU: the same function, for the largest of four numbers is the same before and after.

    ReLU and its gradient then work on a quarter of the numbers. Weights, and what training makes of them, are `CNN`'s.
    """

    def __init__(self):
        super().__init__()
        for block in (self.conv1, self.conv2):
            block[1], block[2] = block[2], block[1]


class ModernCNN(nn.Module):
    """Three 3x3 blocks with batch normalisation, pooling before the activation. 29,178 parameters.

    Takes images (N, 1, 28, 28) and returns logits (N, 10), with the errors of `CNN`.
    """

    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(
            *_block(1, 16),  # (N, 16, 14, 14)
            *_block(16, 32),  # (N, 32, 7, 7)
            *_block(32, 64),  # (N, 64, 3, 3): the 7th row and column are left out
        )
        self.out = nn.Linear(64 * 3 * 3, 10)

    def forward(self, images: Tensor) -> Tensor:
        validate.images(images, validate.IMAGE_SHAPE)
        return self.out(self.blocks(images).flatten(start_dim=1))


class DeepCNN(ModernCNN):
    """`ModernCNN` with 5 by 5 windows first, and a fourth convolution at 7 by 7 pixels, where it costs little time.

    66,426 parameters.
    """

    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(
            *_block(1, 16, kernel_size=5),  # (N, 16, 14, 14)
            *_block(16, 32),  # (N, 32, 7, 7)
            *_block(32, 64, pool=False),  # (N, 64, 7, 7)
            *_block(64, 64),  # (N, 64, 3, 3)
        )
        self.out = nn.Linear(64 * 3 * 3, 10)


class _NineViews(nn.Module):
    """Put before another network's class: in evaluation mode it reads an image nine times, moved by up to a pixel.

    A prediction then takes nine times as long. What it returns in the place of logits, (N, 10), is the mean of nine
    log-probabilities. Averaging over views is test-time augmentation, as the ten crops of Krizhevsky et al., *ImageNet
    classification with deep convolutional neural networks*, 2012.
    """

    def forward(self, images: Tensor) -> Tensor:
        read = super().forward
        if self.training:
            return read(images)
        views = [shift(images, dx, dy) for dx, dy in product((-1, 0, 1), repeat=2)]
        return torch.stack([read(view).log_softmax(dim=1) for view in views]).mean(dim=0)


class NineViewCNN(_NineViews, DeepCNN):
    """`DeepCNN` that reads an image nine times: where it stands, and moved by a pixel to each side and corner."""


class NineViewModernCNN(_NineViews, ModernCNN):
    """`ModernCNN` that does the same."""


def _block(in_channels: int, out_channels: int, kernel_size: int = 3, pool: bool = True) -> tuple[nn.Module, ...]:
    """Convolution, pooling, batch normalisation, ReLU; max-pooling first leaves the rest a quarter of the work."""
    padding = kernel_size // 2
    return (
        nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, bias=False),  # the norm brings the bias
        *([nn.MaxPool2d(2)] if pool else []),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


class LocallyConnected2d(nn.Module):
    """A convolution without sharing: each output position has filters and biases of its own. Stride 1.

    Takes images (N, in_channels, H, W), with (H, W) = `image_size`, and returns (N, out_channels, H', W'), where
    H' = H + 2 * padding - kernel_size + 1. `weight` is (H' * W', out_channels, in_channels * kernel_size**2): for
    each position, row by row, what `nn.Conv2d` has once, as `conv.weight.flatten(1)`; `bias` is
    (H' * W', out_channels). Both start as those of `nn.Conv2d` do. Sizes and padding are in pixels. Raises
    `TypeError` for one that is no whole number, `ValueError` for one that is too small, for a kernel larger than
    the padded image, and for images of another shape.
    """

    def __init__(
        self, in_channels: int, out_channels: int, image_size: tuple[int, int], kernel_size: int, padding: int = 0
    ):
        super().__init__()
        self.in_channels = validate.whole_number("in_channels", in_channels, at_least=1)
        out_channels = validate.whole_number("out_channels", out_channels, at_least=1)
        self.image_size = validate.height_and_width("image_size", image_size)
        self.kernel_size = validate.whole_number("kernel_size", kernel_size, at_least=1)
        self.padding = validate.whole_number("padding", padding)
        self.output_size = tuple(conv_output_size(size, kernel_size, padding=padding) for size in self.image_size)
        positions, fan_in = math.prod(self.output_size), self.in_channels * self.kernel_size**2
        bound = fan_in**-0.5  # nn.Conv2d's: uniform in ±1/sqrt(number of weights that make one output)
        self.weight = nn.Parameter(torch.empty(positions, out_channels, fan_in).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(positions, out_channels).uniform_(-bound, bound))

    def forward(self, images: Tensor) -> Tensor:
        validate.images(images, (self.in_channels, *self.image_size))
        # p is a position, k a pixel of its patch, n an image, o an output channel. F.unfold would do this as well,
        # image by image, which is slow where threads have to wait for each other.
        patches = F.pad(images, [self.padding] * 4)
        for axis in (2, 3):
            patches = patches.unfold(axis, self.kernel_size, 1)  # in the end (N, C, H', W', kernel, kernel), a view
        patches = patches.permute(2, 3, 1, 4, 5, 0).reshape(len(self.weight), -1, len(images))  # (P, K, N)
        outputs = torch.einsum("pok,pkn->pon", self.weight, patches) + self.bias.unsqueeze(2)
        return outputs.permute(2, 1, 0).unflatten(2, self.output_size)

    def extra_repr(self) -> str:
        return f"image_size={self.image_size}, kernel_size={self.kernel_size}, padding={self.padding}"


# Three ways from an image (1, 28, 28) to 16 maps of 28 by 28: see notebook 02.
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "dense": lambda: nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 16 * 28 * 28), nn.Unflatten(1, (16, 28, 28))),
    "local": lambda: LocallyConnected2d(1, 16, image_size=(28, 28), kernel_size=5, padding=2),
    "shared": lambda: nn.Conv2d(1, 16, kernel_size=5, padding=2),
}


# Ways from 28 by 28 down to what the last layer reads: see notebook 03. The strides of the two convolutions, and the
# layer that follows each.
DOWNSAMPLING: dict[str, tuple[int, int, Callable[[], nn.Module] | None]] = {
    "max": (1, 1, lambda: nn.MaxPool2d(2)),
    "average": (1, 1, lambda: nn.AvgPool2d(2)),
    "stride": (2, 2, None),
    "late": (1, 4, None),
    "none": (1, 1, None),
    "global": (1, 1, lambda: nn.MaxPool2d(2)),
}


def downsampled_cnn(how: str) -> nn.Sequential:
    """The tutorial's network, with another way from 28 by 28 down to what its last layer reads.

    "max" is the tutorial's own. "average" pools by the mean. "stride" lets both convolutions move 2 pixels a step.
    "late" keeps all 28 by 28 positions of the first convolution and every 4th, across and down, of the second. These
    four end in (N, 32, 7, 7) and have 28,938 parameters. "none" leaves nothing out, so its last layer reads
    32 * 28 * 28 numbers; "global" is "max" with each of the 32 final maps averaged to one number. Takes images
    (N, 1, 28, 28) and returns logits (N, 10). Raises `ValueError` for another name.
    """
    stride1, stride2, pool = DOWNSAMPLING[validate.one_of("downsampling", how, DOWNSAMPLING)]
    layers = {"conv1": nn.Conv2d(1, 16, kernel_size=5, stride=stride1, padding=2), "relu1": nn.ReLU()}
    if pool:
        layers["pool1"] = pool()
    layers |= {"conv2": nn.Conv2d(16, 32, kernel_size=5, stride=stride2, padding=2), "relu2": nn.ReLU()}
    if pool:
        layers["pool2"] = pool()
    if how == "global":
        layers["mean"] = nn.AdaptiveAvgPool2d(1)
    positions = {"global": 1, "none": 28 * 28}.get(how, 7 * 7)
    return nn.Sequential(OrderedDict(layers | {"flatten": nn.Flatten(), "out": nn.Linear(32 * positions, 10)}))


class SoundCNN(nn.Module):
    """Four 1-D convolutions on a raw wave, each with batch normalisation and ReLU, three with pooling over time.

    Takes waves (N, 1, 8000), one second at 8 kHz, and returns logits (N, 10). With `head="global"` each of the 64
    last channels is reduced to its largest value over time, 45,546 parameters; with `head="flatten"` the last layer
    reads them at all 15 places, 54,506. Raises `ValueError` for another shape or head.
    """

    def __init__(self, head: str = "global"):
        super().__init__()
        validate.one_of("head", head, ("global", "flatten"))
        self.blocks = nn.Sequential(
            *_block1d(1, 16, kernel_size=64, stride=8, padding=28, pool=4),  # (N, 16, 250): 8 ms windows
            *_block1d(16, 32, kernel_size=9, pool=4),  # (N, 32, 62)
            *_block1d(32, 64, kernel_size=9, pool=4),  # (N, 64, 15)
            *_block1d(64, 64, kernel_size=5, pool=1),  # (N, 64, 15)
        )
        self.pool = nn.AdaptiveMaxPool1d(1) if head == "global" else nn.Identity()
        self.out = nn.Linear(64 if head == "global" else 64 * 15, 10)

    def forward(self, waves: Tensor) -> Tensor:
        validate.waves(waves)
        return self.out(self.pool(self.blocks(waves)).flatten(start_dim=1))


def _block1d(
    in_channels: int, out_channels: int, kernel_size: int, pool: int, stride: int = 1, padding: int | None = None
) -> tuple[nn.Module, ...]:
    """`_block` over time: convolution, pooling, batch normalisation, ReLU."""
    padding = kernel_size // 2 if padding is None else padding
    return (
        nn.Conv1d(in_channels, out_channels, kernel_size, stride, padding, bias=False),
        nn.MaxPool1d(pool),
        nn.BatchNorm1d(out_channels),
        nn.ReLU(),
    )


def log_spectrogram(waves: Tensor) -> Tensor:
    """How loud each frequency is at each time: waves (N, 1, T) to pictures (N, 1, 129, 1 + T // 128).

    The rows are 0 to 4,000 Hz in steps of 31.25 Hz, the columns windows of 256 samples, 32 ms, every 16 ms. The values
    are natural logarithms of the magnitudes, from -4.6, quiet, upwards.
    """
    window = torch.hann_window(256, device=waves.device)
    spectrum = torch.stft(waves.squeeze(1), n_fft=256, hop_length=128, window=window, return_complex=True)
    return (spectrum.abs() + 0.01).log().unsqueeze(1)


class SpectrogramCNN(nn.Module):
    """The usual way with sound: a picture of it first, then 2-D convolutions. 28,538 parameters.

    Takes waves (N, 1, 8000) and returns logits (N, 10), with the errors of `SoundCNN`.
    """

    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=3, stride=2, padding=1, bias=False),  # (N, 16, 65, 32)
            *(nn.MaxPool2d(2), nn.BatchNorm2d(16), nn.ReLU()),  # (N, 16, 32, 16)
            *_block(16, 32),  # (N, 32, 16, 8)
            *_block(32, 64),  # (N, 64, 8, 4)
        )
        self.out = nn.Linear(64 * 8, 10)

    def forward(self, waves: Tensor) -> Tensor:
        validate.waves(waves)
        features = self.blocks(log_spectrogram(waves)).amax(dim=3)  # over time: frequencies stay apart
        return self.out(features.flatten(start_dim=1))


class TextCNN(nn.Module):
    """Filters over three characters at a time, each reduced to its largest response, then one linear layer.

    Takes texts (N, characters, L), one row for each character, and returns logits (N, languages): the network of Kim,
    2014, arXiv:1408.5882, over characters instead of words and with one kernel size. Raises `ValueError` for another
    shape.
    """

    def __init__(self, characters: int, languages: int, filters: int = 128):
        super().__init__()
        self.characters = characters
        self.conv = nn.Conv1d(characters, filters, kernel_size=3, padding=1)
        self.out = nn.Linear(filters, languages)

    def forward(self, texts: Tensor) -> Tensor:
        validate.batch("texts", texts, (self.characters, "L"))
        return self.out(self.conv(texts).relu().amax(dim=2))


def dense_of_size(parameters: int, inputs: int, outputs: int) -> nn.Sequential:
    """A network of two linear layers with at least `parameters` parameters, and as few more as its width allows.

    Takes (N, …) with `inputs` numbers each and returns logits (N, outputs).
    """
    parameters = validate.whole_number("parameters", parameters)
    inputs = validate.whole_number("inputs", inputs, at_least=1)
    outputs = validate.whole_number("outputs", outputs, at_least=1)
    hidden = max(1, -(-(parameters - outputs) // (inputs + 1 + outputs)))  # rounded up
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def device_of(model: nn.Module) -> torch.device:
    """Where the model's parameters and buffers are; the CPU for a model without any."""
    return next((tensor.device for tensor in chain(model.parameters(), model.buffers())), torch.device("cpu"))


@contextmanager
def evaluation_mode(model: nn.Module) -> Generator[None]:
    """Put `model` into evaluation mode, and each of its modules back into the mode it had."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, was_training in modes.items():
            module.training = was_training


@contextmanager
def prediction_mode(model: nn.Module) -> Generator[None]:
    """`evaluation_mode`, with the kernels of the convolutions in `quick_layout`; at the end all is as it was.

    The maps between the layers then lie in memory in that order too, in which max-pooling takes a fraction of the time.
    """
    convolutions = [layer.weight for layer in model.modules() if type(layer) is nn.Conv2d]
    kernels = {weight: weight.data for weight in convolutions}
    layout = quick_layout(model, device_of(model))
    with evaluation_mode(model):
        try:
            for weight in kernels:
                weight.data = weight.data.to(memory_format=layout)
            yield
        finally:
            for weight, values in kernels.items():
                weight.data = values


def quick_layout(model: nn.Module, device: torch.device) -> torch.memory_format:
    """Channels last, in which the convolutions of the CPU library and of newer GPUs work, where `model` can take it.

    A network that somebody else wrote may not: `maps.view(len(maps), -1)`, as many tutorials have it, asks for the
    usual order. And on MPS batch normalisation gave wrong gradients or an error in that layout until the summer of
    2026: issue 175189 of pytorch/pytorch.
    """
    known = all(type(layer).__module__.startswith(("torch.nn.", __name__)) for layer in model.modules())
    return torch.channels_last if known and device.type != "mps" else torch.contiguous_format


class LayerCall(NamedTuple):
    """One run of a layer in a forward pass: its name in the model, what it received, and what it made of that."""

    name: str
    layer: nn.Module
    input: Tensor
    output: Tensor


@contextmanager
def recorded(model: nn.Module, layers: Iterable[nn.Module | str] | None = None) -> Generator[list[LayerCall]]:
    """A list that grows by one `LayerCall` each time one of `layers` has run in a forward pass of `model`.

    `layers` are modules of the model or their names in it, such as "conv1.0"; None is all that hold no other layers.
    What is recorded stays as it was, even where a later layer works in place. The list may be cleared between two
    passes. After the block nothing is recorded any more, whether the block ended or failed. Raises `ValueError` for a
    layer that is not in the model.
    """
    names = {module: name for name, module in model.named_modules()}
    layers = [layer for layer in names if not list(layer.children())] if layers is None else layers
    calls: list[LayerCall] = []
    received: list[Any] = []  # by the layers that are running, the innermost last

    def before(_layer: nn.Module, inputs: tuple, options: dict) -> None:
        received.append(_kept((*inputs, *options.values(), None)[0]))

    def after(layer: nn.Module, _inputs: tuple, output: Any) -> None:
        calls.append(LayerCall(names[layer], layer, received.pop(), _kept(output)))

    hooks: list[RemovableHandle] = []
    try:
        for layer in dict.fromkeys(_found(layer, names) for layer in layers):
            hooks.append(layer.register_forward_pre_hook(before, with_kwargs=True))
            hooks.append(layer.register_forward_hook(after))
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def _found(layer: nn.Module | str, names: dict[nn.Module, str]) -> nn.Module:
    module = {name: module for module, name in names.items()}.get(layer) if isinstance(layer, str) else layer
    if module not in names:
        raise ValueError(f"there is no layer {layer!r} in the model; it has {', '.join(filter(None, names.values()))}")
    return module


def _kept(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def count_parameters(module: nn.Module) -> int:
    """How many numbers training may change."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
