"""How much faster whole batches are than image by image: python -m tools.bench.loader

Both loaders hand out all 60,000 training images in shuffled batches of 50. The original's takes each image through
PIL and ToTensor; the course's takes 50 at once by their indices.
"""

import statistics
import time

from torch.utils.data import DataLoader
from torchvision import datasets
from torchvision.transforms import ToTensor

from course_utils import threads
from course_utils.data import data_root, in_batches, load_mnist

BATCH_SIZE = 50


def measure(rounds: int = 2, course_passes: int = 3) -> dict:
    """Seconds of each pass of both loaders, and `ratio`, by which the course's median is the smaller one.

    A round is one pass of the original's loader and `course_passes` of the course's, so that a machine that others
    use too slows both.
    """
    mnist = load_mnist()
    images = datasets.MNIST(data_root(), download=True, transform=ToTensor())
    original = DataLoader(images, batch_size=BATCH_SIZE, shuffle=True)
    course = in_batches(mnist.full_train, BATCH_SIZE)

    next(iter(original)), _seconds_of_pass(course)  # warm-up
    original_seconds, course_seconds = [], []
    for _ in range(rounds):
        original_seconds.append(_seconds_of_pass(original))
        course_seconds += [_seconds_of_pass(course) for _ in range(course_passes)]
    ratio = statistics.median(original_seconds) / statistics.median(course_seconds)
    return {"original_seconds": original_seconds, "course_seconds": course_seconds, "ratio": ratio}


def _seconds_of_pass(loader: DataLoader) -> float:
    start = time.perf_counter()
    count = sum(len(labels) for _, labels in loader)
    seconds = time.perf_counter() - start
    assert count == 60_000  # a loader that skips images would be fast too
    return seconds


def report(measured: dict) -> str:
    """The three lines that the benchmark prints."""
    lines = []
    for name in ("original", "course"):
        seconds = measured[f"{name}_seconds"]
        lines.append(
            f"{name:>8}: {statistics.median(seconds):7.3f} s for 60,000 images in batches of {BATCH_SIZE} "
            f"(median of {len(seconds)}, {min(seconds):.3f} to {max(seconds):.3f})"
        )
    return "\n".join([*lines, f"   ratio: {measured['ratio']:.1f}"])


if __name__ == "__main__":
    threads.choose()
    print(report(measure()))
