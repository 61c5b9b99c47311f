"""PyTorch's own MNIST example (github.com/pytorch/examples, mnist/main.py), one epoch: the peer that people know.

Its network, loader, optimiser and rate, written after it: two convolutions of 3 by 3 without padding, one pooling,
dropout, two linear layers, Adadelta. Images are shuffled, as the example does with a graphics card. It watches nothing
within an epoch. `make bench` runs it beside the rest.
"""

import time

from torch import manual_seed, nn
from torch.optim import Adadelta
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

BATCH_SIZE = 64
LEARNING_RATE = 1.0


def network() -> nn.Module:
    """The example's network, 1,199,882 parameters, for normalised images (N, 1, 28, 28)."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU()),  # (N, 32, 26, 26)
        *(nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)),  # (N, 64, 12, 12)
        *(nn.Flatten(), nn.Linear(64 * 12 * 12, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
    )


def train(root: str, seed: int = 1) -> tuple[nn.Module, float]:
    """The network after one epoch, for pixels 0..1, and the seconds that it took. torchvision finds MNIST in `root`."""
    manual_seed(seed)
    normalise = transforms.Normalize((0.1307,), (0.3081,))  # mean and deviation of the training pixels
    prepare = transforms.Compose([transforms.ToTensor(), normalise])
    data = datasets.MNIST(root, train=True, transform=prepare, download=True)
    loader = DataLoader(data, batch_size=BATCH_SIZE, shuffle=True)
    model = network()
    optimizer = Adadelta(model.parameters(), lr=LEARNING_RATE)
    start = time.perf_counter()
    for images, labels in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()  # there: log_softmax, then nll_loss
        optimizer.step()
    return nn.Sequential(normalise, model).eval(), time.perf_counter() - start
