"""MNIST on board: verified, unpacked once, split, and served in whole batches."""

import gzip
import os
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from filelock import FileLock
from platformdirs import user_cache_path
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, Sampler, SequentialSampler, Subset
from torchvision import datasets
from torchvision.datasets.utils import calculate_md5

from course_utils import repository

RAW = Path("MNIST", "raw")  # where torchvision looks below a root

VALIDATION_EVERY = 12  # 60,000 / 12 = 5,000 images
SPLIT_SEED = 2017  # the tutorial's year; fixed, so that every learner validates on the same images
# Images. At 200 the memory of the CNN's activations, 10 MB a layer, was asked of the system anew for each chunk, which
# took twice the time; and memory stays flat.
EVALUATION_CHUNK = 100

# Checksums of the unpacked files. Those of the archives come with torchvision.
UNPACKED_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


class DataError(RuntimeError):
    """Files in data/ are missing, damaged or can't be unpacked; the message says which and what to do."""


def data_root() -> Path:
    """The repository's data folder. Raises `FileNotFoundError` where there is no repository."""
    return repository.root() / "data"


class ImageSet(Dataset):
    """Images and their labels, kept as bytes and handed out as float32.

    `images` is (N, 1, 28, 28), float32, 0..1; `labels` is (N,), int64. `image_set[i]` is one pair; a slice, a
    list or a tensor of indices gives a whole batch at once, (B, 1, 28, 28) and (B,).
    """

    def __init__(self, pixels: Tensor, labels: Tensor):
        self._pixels = pixels.unsqueeze(1)  # (N, 1, 28, 28), uint8: a quarter of the memory of float32
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index) -> tuple[Tensor, Tensor]:
        if self._pixels.device.type != "cpu":
            return self._pixels[index] / 255, self.labels[index]
        # NumPy and not torch: torch would start its threads for each batch, which costs more than the batch itself,
        # and many times more on a machine that others use too.
        pixels = self._pixels.numpy()[index]
        return torch.from_numpy(pixels / np.float32(255)), self.labels[index]

    @cached_property
    def images(self) -> Tensor:
        return self._pixels.div(255)

    def to(self, device: torch.device) -> "ImageSet":
        """The same images, kept on `device` as bytes: batches are then taken there, and nothing is sent each step."""
        return ImageSet(self._pixels[:, 0].to(device), self.labels.to(device))


@dataclass(frozen=True)
class Mnist:
    """The splits: 55,000 `train`, 5,000 `validation`, 10,000 `test`, and the 60,000 `full_train` of the original."""

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    full_train: ImageSet

    @cached_property
    def test_first_2000(self) -> Subset:
        """The 2,000 test images that the original tutorial watches while it trains."""
        return Subset(self.test, range(2000))


def load_mnist(root: str | os.PathLike | None = None) -> Mnist:
    """Load MNIST from the archives in `root`/MNIST/raw (the repository's data folder if `root` is None).

    The first call unpacks them there, or in the user's cache folder where that is read-only. Nothing is
    downloaded. Raises `DataError` for a missing or altered file.
    """
    place = unpacked_root(root)
    full_train = datasets.MNIST(place, train=True)
    test = datasets.MNIST(place, train=False)
    validation_index, train_index = _stratified_split(full_train.targets)
    return Mnist(
        train=ImageSet(full_train.data[train_index], full_train.targets[train_index]),
        validation=ImageSet(full_train.data[validation_index], full_train.targets[validation_index]),
        test=ImageSet(test.data, test.targets),
        full_train=ImageSet(full_train.data, full_train.targets),
    )


def _stratified_split(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Indices of every 12th image and of the rest, counted class by class in a seeded order."""
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(SPLIT_SEED))
    by_class = shuffled[labels[shuffled].argsort(stable=True)]
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    chosen[by_class[::VALIDATION_EVERY]] = True
    return chosen.nonzero().squeeze(1), (~chosen).nonzero().squeeze(1)


def unpacked_root(root: str | os.PathLike | None = None) -> Path:
    """The root, `root` or the user's cache folder, in which torchvision finds the unpacked files."""
    root = data_root() if root is None else Path(root)
    _verify_archives(root / RAW)
    if not _not_unpacked(root / RAW):
        return root
    missing = [f"{name}.gz" for name in UNPACKED_MD5 if not (root / RAW / f"{name}.gz").exists()]
    if missing:
        raise DataError(
            f"MNIST is not complete in {root / RAW}: missing {', '.join(missing)}.\n"
            "The course ships the four files and downloads nothing. In its repository `git checkout -- data` "
            "brings them back; elsewhere, copy them from the repository's data/MNIST/raw."
        )
    cache = user_cache_path("course_utils")
    if not _not_unpacked(cache / RAW):
        return cache
    place = cache if _is_read_only(root / RAW) else root
    try:
        _unpack(root / RAW, place / RAW)
    except OSError as error:
        raise DataError(
            f"MNIST could not be unpacked into {place / RAW}: {error}.\n"
            "It needs 55 MB in a folder you may write to. Free some space there, or name another root: "
            "copy data/MNIST/raw to FOLDER/MNIST/raw and call load_mnist(FOLDER)."
        ) from error
    return place


def _verify_archives(raw: Path) -> None:
    """Raise `DataError` for the first archive in `raw` that is not the published one. A missing one passes."""
    for name, expected in datasets.MNIST.resources:
        archive = raw / name
        if archive.exists() and (found := calculate_md5(archive)) != expected:
            raise DataError(
                f"{archive} is damaged: it is not the file that MNIST's authors published.\n"
                f"  md5 found:    {found} ({archive.stat().st_size:,} bytes)\n"
                f"  md5 expected: {expected}\n"
                "Nothing was unpacked from it. In the course's repository `git checkout -- data` brings the right "
                "file back; elsewhere, copy it from the repository's data/MNIST/raw."
            )


def _not_unpacked(raw: Path) -> list[str]:
    """Names of the unpacked files that are not in `raw`, or are there but damaged."""
    return [
        name
        for name, expected in UNPACKED_MD5.items()
        if not (raw / name).exists() or calculate_md5(raw / name) != expected
    ]


def _is_read_only(folder: Path) -> bool:
    # The mode bits as well: for root, os.access says that everything may be written.
    return not os.access(folder, os.W_OK) or not folder.stat().st_mode & 0o222


def _unpack(archives: Path, target: Path) -> None:
    """Unpack the four archives into `target`. Safe with several processes at once, and when it is cut short."""
    target.mkdir(parents=True, exist_ok=True)
    with FileLock(target / ".unpack.lock"):
        for name in _not_unpacked(target):  # asked again inside the lock: another process may have done it
            part = target / f"{name}.part"
            try:
                with gzip.open(archives / f"{name}.gz") as source, open(part, "wb") as sink:
                    shutil.copyfileobj(source, sink)
                os.replace(part, target / name)  # atomic: a reader sees the whole file or none
            finally:
                part.unlink(missing_ok=True)


def on_device(images: ImageSet | Subset, device: torch.device) -> ImageSet | Subset:
    """One of the sets in `Mnist`, kept on `device`."""
    if isinstance(images, Subset):
        return Subset(images.dataset.to(device), images.indices)
    return images.to(device)


class Loaders(NamedTuple):
    """What `fit` trains on and what it watches, in batches."""

    train: DataLoader
    watched: DataLoader


def make_loaders(train: Dataset, watched: Dataset, batch_size: int, seed: int = 1) -> Loaders:
    """Shuffled batches of `train` and ordered chunks of `watched`, both taken whole by a list of indices.

    The datasets must take a list of indices, as `ImageSet`, torch's `TensorDataset` and a `Subset` of either do.
    The same `seed` gives the same order of batches.
    """
    generator = torch.Generator().manual_seed(seed)
    return Loaders(_batched(train, RandomSampler(train, generator=generator), batch_size), in_chunks(watched))


def in_chunks(dataset: Dataset) -> DataLoader:
    """The dataset in order, in chunks small enough that evaluating a model on them keeps memory flat."""
    return _batched(dataset, SequentialSampler(dataset), EVALUATION_CHUNK)


def _batched(dataset: Dataset, sampler: Sampler, batch_size: int) -> DataLoader:
    # batch_size=None switches the DataLoader's own batching off: the sampler hands it a list of indices, and
    # dataset[list] is the batch. https://docs.pytorch.org/docs/stable/data.html#disable-automatic-batching
    return DataLoader(dataset, batch_size=None, sampler=BatchSampler(sampler, batch_size, drop_last=False))
