"""The tutorial's network, and the one that a modern recipe trains."""

from torch import Tensor, nn

IMAGE_SHAPE = (1, 28, 28)


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
        check_images(images)
        features = self.conv2(self.conv1(images))
        return self.out(features.flatten(start_dim=1))


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
        check_images(images)
        return self.out(self.blocks(images).flatten(start_dim=1))


def _block(in_channels: int, out_channels: int) -> tuple[nn.Module, ...]:
    """Convolution, pooling, batch normalisation, ReLU; max-pooling first leaves the rest a quarter of the work."""
    return (
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),  # the norm brings the bias
        nn.MaxPool2d(2),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


def check_images(images: Tensor) -> None:
    """Raise an error that says which shape or type arrived and which was expected."""
    if images.dim() != 4 or tuple(images.shape[1:]) != IMAGE_SHAPE:
        raise ValueError(
            f"expected a batch of images of shape (N, 1, 28, 28), got {tuple(images.shape)}.{_shape_hint(images)}"
        )
    if not images.is_floating_point():
        raise TypeError(f"expected pixels as float32 in 0..1, got {images.dtype}. Convert them: images.float() / 255")


def _shape_hint(images: Tensor) -> str:
    shape = tuple(images.shape)
    if shape == IMAGE_SHAPE:
        return " One image is a batch of one: images.unsqueeze(0)"
    if shape == IMAGE_SHAPE[1:]:
        return " One image is a batch of one with one channel: images[None, None]"
    if len(shape) == 3 and shape[1:] == IMAGE_SHAPE[1:]:
        return " The channel axis is missing: images.unsqueeze(1)"
    if len(shape) == 4 and shape[-1] == 1:
        return " PyTorch wants the channel axis second: images.permute(0, 3, 1, 2)"
    return ""


def count_parameters(module: nn.Module) -> int:
    """How many numbers training may change."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
