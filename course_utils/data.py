"""MNIST and Fashion-MNIST on board: verified, split, and served in whole batches."""

import gzip
import hashlib
import io
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, Sampler, SequentialSampler, Subset

from course_utils import repository

# MD5 of the archives as published, which torchvision knows too, by the folder where it looks for them below a root.
CHECKSUMS = {
    "MNIST": {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    },
    "FashionMNIST": {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    },
}
CLOTHES = (  # the names of Fashion-MNIST's ten classes, by label
    *("T-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)

VALIDATION_EVERY = 12  # 60,000 / 12 = 5,000 images
SPLIT_SEED = 2017  # the year of the tutorial's code; fixed, so that every learner validates on the same images
# Images. At 200 the memory of the CNN's activations, 10 MB a layer, was asked of the system anew for each chunk, which
# took twice the time; and memory stays flat.
EVALUATION_CHUNK = 100
UNPACKED_AT_ONCE = 2**20  # bytes: at once, a file would stand in memory three times while it is read


class DataError(RuntimeError):
    """A file in data/ is missing, damaged or can't be read; the message says which and what to do."""


def data_root() -> Path:
    """The repository's data folder. Raises `FileNotFoundError` where there is no repository."""
    return repository.root() / "data"


def read_shipped(path: Path) -> bytes:
    """What a file of the repository's data folder holds. Raises `DataError` if it is missing or can't be read."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            f"{path} is missing. The course ships it and downloads nothing.\n{restored_by_git(path)}"
        ) from error
    except PermissionError as error:
        raise DataError(
            f"you may not read {path}. Whoever owns it can let everybody read the course's folder "
            "(chmod -R a+rX FOLDER); or make a clone of the course's repository that is your own."
        ) from error
    except OSError as error:
        raise DataError(f"{path} can't be read: {error}.\n{restored_by_git(path)}") from error


def restored_by_git(path: Path) -> str:
    """What to do about a file of the data folder that is missing or damaged."""
    return (
        "In the course's repository `git checkout -- data` brings it back; "
        f"elsewhere, copy {path.name} from the repository's data folder."
    )


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
        if isinstance(index, list) and index and isinstance(index[0], Tensor):
            index = torch.stack(index)  # torch takes a list of fewer than 32 tensors as an index for each axis
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
class Splits:
    """The splits: 55,000 `train`, 5,000 `validation`, 10,000 `test`, and the 60,000 `full_train` of the original."""

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    full_train: ImageSet

    @cached_property
    def test_first_2000(self) -> Subset:
        """The 2,000 test images that the original tutorial watches while it trains."""
        return Subset(self.test, range(2000))


def load_mnist(root: str | os.PathLike | None = None) -> Splits:
    """Load MNIST from the archives in `root`/MNIST/raw (the repository's data folder if `root` is None).

    They are read as they are: nothing is unpacked beside them, written or downloaded. Raises `DataError` for a file
    that is missing, altered or can't be read.
    """
    return _load("MNIST", root)


def load_fashion_mnist(root: str | os.PathLike | None = None) -> Splits:
    """Load Fashion-MNIST, ten kinds of clothes (`CLOTHES`), from `root`/FashionMNIST/raw, as `load_mnist` does MNIST.

    H. Xiao, K. Rasul, R. Vollgraf, *Fashion-MNIST*, 2017, arXiv:1708.07747.
    """
    return _load("FashionMNIST", root)


def _load(name: str, root: str | os.PathLike | None) -> Splits:
    raw = (data_root() if root is None else Path(root)) / name / "raw"
    pixels, labels = _idx(raw / "train-images-idx3-ubyte.gz"), _idx(raw / "train-labels-idx1-ubyte.gz").long()
    validation_index, train_index = _stratified_split(labels)
    return Splits(
        train=ImageSet(pixels[train_index], labels[train_index]),
        validation=ImageSet(pixels[validation_index], labels[validation_index]),
        test=ImageSet(_idx(raw / "t10k-images-idx3-ubyte.gz"), _idx(raw / "t10k-labels-idx1-ubyte.gz").long()),
        full_train=ImageSet(pixels, labels),
    )


def _idx(archive: Path) -> Tensor:
    """The array in an IDX file packed with gzip, uint8, in the shape that its header gives (see data/README.md)."""
    with gzip.GzipFile(fileobj=io.BytesIO(_verified(archive))) as unpacked:
        dimensions = unpacked.read(4)[3]
        values = np.empty(np.frombuffer(unpacked.read(4 * dimensions), ">i4"), np.uint8)
        content = values.reshape(-1).data  # a view, byte for byte
        for start in range(0, len(content), UNPACKED_AT_ONCE):
            content[start : start + UNPACKED_AT_ONCE] = unpacked.read(UNPACKED_AT_ONCE)
    return torch.from_numpy(values)


def _verified(archive: Path) -> bytes:
    """The bytes of one of a data set's archives, if they are the published ones."""
    name, packed = archive.parents[1].name, read_shipped(archive)
    found, expected = hashlib.md5(packed, usedforsecurity=False).hexdigest(), CHECKSUMS[name][archive.name]
    if found != expected:
        raise DataError(
            f"{archive} is damaged: it is not the file that {name}'s authors published.\n"
            f"  md5 found:    {found} ({len(packed):,} bytes)\n"
            f"  md5 expected: {expected}\n{restored_by_git(archive)}"
        )
    return packed


def _stratified_split(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Indices of every 12th image and of the rest, counted class by class in a seeded order."""
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(SPLIT_SEED))
    by_class = shuffled[labels[shuffled].argsort(stable=True)]
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    chosen[by_class[::VALIDATION_EVERY]] = True
    return chosen.nonzero().squeeze(1), (~chosen).nonzero().squeeze(1)


def on_device(dataset: Dataset, device: torch.device) -> Dataset:
    """An `ImageSet`, or a `Subset` of one, kept on `device`; any other dataset as it is."""
    if isinstance(dataset, ImageSet):
        return dataset.to(device)
    if isinstance(dataset, Subset):
        return Subset(on_device(dataset.dataset, device), dataset.indices)
    return dataset


def in_batches(dataset: Dataset, batch_size: int, seed: int = 1) -> DataLoader:
    """Shuffled batches, each taken whole by a list of indices; the same `seed` gives the same order.

    The dataset must take a list of indices, as `ImageSet`, torch's `TensorDataset` and a `Subset` of either do.
    """
    generator = torch.Generator().manual_seed(seed)
    sampler = RandomSampler(dataset, generator=generator)  # ty: ignore[invalid-argument-type]  what we take has a length
    return _batched(dataset, sampler, batch_size)


def in_chunks(dataset: Dataset) -> DataLoader:
    """The dataset in order, in chunks small enough that evaluating a model on them keeps memory flat."""
    return _batched(dataset, SequentialSampler(dataset), EVALUATION_CHUNK)  # ty: ignore[invalid-argument-type]


def _batched(dataset: Dataset, sampler: Sampler, batch_size: int) -> DataLoader:
    # batch_size=None switches the DataLoader's own batching off: the sampler hands it a list of indices, and
    # dataset[list] is the batch. https://docs.pytorch.org/docs/stable/data.html#disable-automatic-batching
    return DataLoader(dataset, batch_size=None, sampler=BatchSampler(sampler, batch_size, drop_last=False))
