"""The original tutorial's script in today's PyTorch: python -m experiments._reference_script [SEED]

Its network, loader, loop and log. Each image is taken by itself, as a PIL picture through ToTensor; the first 2,000
test images are watched every 100 steps. What today's PyTorch asks for is all that changed: no `Variable`,
`torch.no_grad()` for `volatile=True`, `.item()`. `make bench` runs it as the reference.
"""

import sys
import time

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets
from torchvision.transforms import ToTensor

EPOCHS = 1
BATCH_SIZE = 50
LEARNING_RATE = 0.001
LOG_EVERY = 100
LOGS = EPOCHS * 60_000 // BATCH_SIZE // LOG_EVERY  # each over the 2,000 watched images


class CNN(nn.Module):
    """The tutorial's network, with its layers in its order; the course's own `CNN` plays no part here."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(1, 16, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(2))
        self.conv2 = nn.Sequential(nn.Conv2d(16, 32, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(2))
        self.out = nn.Linear(32 * 7 * 7, 10)

    def forward(self, x):
        x = self.conv2(self.conv1(x))
        return self.out(x.view(x.size(0), -1))


def train(root: str, seed: int = 1) -> tuple[nn.Module, dict[str, float]]:
    """The trained network and the seconds that each part of its loop took.

    As in the tutorial, torchvision finds MNIST below `root`: it unpacks the archives there and downloads none.
    """
    torch.manual_seed(seed)
    train_data = datasets.MNIST(root, train=True, transform=ToTensor(), download=True)
    train_loader = DataLoader(train_data, batch_size=BATCH_SIZE, shuffle=True)
    test_data = datasets.MNIST(root, train=False)
    test_x = test_data.data.unsqueeze(1).float()[:2000] / 255
    test_y = test_data.targets[:2000]

    cnn = CNN()
    optimizer = torch.optim.Adam(cnn.parameters(), lr=LEARNING_RATE)
    loss_function = nn.CrossEntropyLoss()
    seconds = {"load": 0.0, "learn": 0.0, "watch": 0.0}
    mark = time.perf_counter()
    for epoch in range(EPOCHS):
        for step, (x, y) in enumerate(train_loader):
            mark = _add_time(seconds, "load", mark)
            loss = loss_function(cnn(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            mark = _add_time(seconds, "learn", mark)
            if step % LOG_EVERY == 0:
                with torch.no_grad():
                    predicted = torch.max(cnn(test_x), 1)[1]
                accuracy = (predicted == test_y).sum().item() / test_y.size(0)
                print(f"Epoch: {epoch} |Step: {step} |train loss:{loss.item():.4f} |test accuracy:{accuracy:.4f}")
                mark = _add_time(seconds, "watch", mark)
    return cnn, seconds


def _add_time(seconds: dict[str, float], part: str, since: float) -> float:
    now = time.perf_counter()
    seconds[part] += now - since
    return now


if __name__ == "__main__":
    from course_utils.data import data_root

    _, seconds = train(data_root(), *map(int, sys.argv[1:]))
    print(f"{sum(seconds.values()):.1f} s:", {part: round(value, 1) for part, value in seconds.items()})
