"""The data: its splits, its loaders, and what it says about files that it can't use."""

import errno
import hashlib
import os
import shutil
import socket
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, RandomSampler, Subset
from torchvision import datasets
from torchvision.transforms import ToTensor

from course_utils.data import (
    CLOTHES,
    DataError,
    ImageSet,
    data_root,
    in_batches,
    in_chunks,
    load_fashion_mnist,
    load_mnist,
    on_device,
)

SETS = {"MNIST": (load_mnist, datasets.MNIST), "FashionMNIST": (load_fashion_mnist, datasets.FashionMNIST)}
RAW = Path("MNIST", "raw")
ARCHIVES = sorted((data_root() / RAW).glob("*.gz"))
POSIX = pytest.mark.skipif(os.name == "nt", reason="file modes forbid nothing on Windows")
NOBODY = 65534  # a user who owns nothing


@pytest.fixture(scope="module")
def no_network():
    def refuse(*_, **__):
        raise AssertionError("tried to reach the network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


@pytest.fixture
def root():
    """A data folder with the archives, which everybody may read; pytest's own folders are closed to others."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        for name in SETS:
            (root / name / "raw").mkdir(parents=True)
            for archive in (data_root() / name / "raw").glob("*.gz"):
                shutil.copyfile(archive, root / name / "raw" / archive.name)
        yield root
        for name in SETS:
            for path in (root / name, root / name / "raw"):  # what a test has forbidden
                if path.exists():
                    path.chmod(0o755)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory, no_network):
    """A root that torchvision has unpacked the archives in, as the tutorial's script asks it to."""
    root = tmp_path_factory.mktemp("data")
    for name, (_, oracle) in SETS.items():
        shutil.copytree(data_root() / name / "raw", root / name / "raw", ignore=shutil.ignore_patterns("*-ubyte"))
        oracle(root, download=True)
    yield root
    shutil.rmtree(root)


@contextmanager
def as_a_learner():
    """For root, who may read everything, run as a user who may not."""
    if os.name == "nt" or os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


# --- splits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("split", "count"), [("train", 55_000), ("validation", 5_000), ("test", 10_000), ("full_train", 60_000)]
)
def test_sizes_types_and_ranges(mnist, split, count):
    image_set = getattr(mnist, split)
    assert isinstance(image_set, Dataset)
    assert len(image_set) == count
    assert image_set.images.shape == (count, 1, 28, 28)
    assert image_set.images.dtype == torch.float32
    assert (image_set.images.min(), image_set.images.max()) == (0, 1)
    assert image_set.labels.shape == (count,)
    assert image_set.labels.dtype == torch.int64
    del image_set.images  # cached: 188 MB for full_train


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(("split", "train"), [("full_train", True), ("test", False)])
def test_same_as_torchvision(unpacked, name, split, train):
    """The original's pipeline is the oracle: all pixels and labels of torchvision's dataset, and ToTensor's bits."""
    load, published = SETS[name]
    ours, oracle = getattr(load(), split), published(unpacked, train=train, transform=ToTensor())
    assert torch.equal(ours[:][0].mul(255).round().byte()[:, 0], oracle.data)
    assert torch.equal(ours.labels, oracle.targets)
    for index in (0, 1, 9_999):
        assert torch.equal(ours[index][0], oracle[index][0])


def test_a_set_can_be_indexed_like_a_tensor(mnist):
    images, labels = mnist.test.images, mnist.test.labels
    indices = [7, 3, 7, 9_999]
    for index in (0, -1, slice(2, 9, 3), indices, torch.tensor(indices), torch.tensor(5)):
        image, label = mnist.test[index]
        assert torch.equal(image, images[index])
        assert torch.equal(label, labels[index])
    with pytest.raises(IndexError):
        mnist.test[10_000]


def test_changing_a_batch_leaves_the_data_alone(mnist):
    before = mnist.test[:4][0].clone()
    images, _ = mnist.test[:4]
    images.zero_()
    assert torch.equal(mnist.test[:4][0], before)


def test_first_2000_test_images(mnist):
    assert len(mnist.test_first_2000) == 2000
    for index in (0, 1999):
        assert torch.equal(mnist.test_first_2000[index][0], mnist.test[index][0])


def test_validation_keeps_the_class_proportions(mnist):
    """A twelfth of each class, to within one image."""
    for splits in (mnist, load_fashion_mnist()):
        for label in range(10):
            exact = (splits.full_train.labels == label).sum().item() / 12
            assert abs((splits.validation.labels == label).sum().item() - exact) <= 1


def test_the_names_of_the_clothes_are_torchvisions(unpacked):
    assert [name.lower().split("/")[0] for name in datasets.FashionMNIST(unpacked).classes] == [
        name.lower() for name in CLOTHES
    ]


def test_train_and_validation_share_out_full_train(mnist):
    def contents(image_set) -> Counter:
        chunks = (image_set[start : start + 5000][0] for start in range(0, len(image_set), 5000))
        images = (image.tobytes() for chunk in chunks for image in chunk.mul(255).round().byte().numpy())
        return Counter(zip(images, image_set.labels.tolist(), strict=True))

    train, validation, full_train = map(contents, (mnist.train, mnist.validation, mnist.full_train))
    assert not train.keys() & validation.keys()
    assert train + validation == full_train


def test_the_split_is_the_one_that_stored_results_were_made_with():
    """Whatever else has used torch's random numbers, which loading in turn leaves alone."""
    torch.manual_seed(99)
    state = torch.get_rng_state()
    validation = load_mnist().validation
    assert torch.equal(torch.get_rng_state(), state)
    pixels = validation.images.mul(255).round().byte().numpy()
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == "d30ee54efa81f1bd"


def test_works_with_a_plain_dataloader(mnist):
    images, labels = next(iter(DataLoader(mnist.train, batch_size=16)))
    assert torch.equal(images, mnist.train[:16][0])
    assert torch.equal(labels, mnist.train[:16][1])


# --- loaders ----------------------------------------------------------------------------------------------------


@pytest.fixture
def numbered():
    """103 images of random pixels, whose labels are their numbers."""
    pixels = torch.randint(0, 256, (103, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return ImageSet(pixels, torch.arange(103))


def _order(loader) -> list[int]:
    return torch.cat([labels for _, labels in loader]).tolist()


def test_seed_fixes_the_order(numbered):
    first = _order(in_batches(numbered, 10, seed=3))
    torch.rand(5)  # torch's own random numbers play no part
    assert _order(in_batches(numbered, 10, seed=3)) == first
    assert _order(in_batches(numbered, 10, seed=4)) != first


def test_each_epoch_has_another_order(numbered):
    loader = in_batches(numbered, 10, seed=3)
    assert _order(loader) != _order(loader)


@pytest.mark.parametrize("batch_size", [1, 10, 103, 500])
def test_every_image_comes_exactly_once_in_full_batches(numbered, batch_size):
    loader = in_batches(numbered, batch_size)
    sizes = [len(labels) for _, labels in loader]
    full, rest = divmod(103, batch_size)
    assert sizes == [batch_size] * full + [rest] * (rest > 0)
    assert len(loader) == len(sizes)
    assert sorted(_order(loader)) == list(range(103))
    assert _order(loader) != list(range(103))


def test_watched_images_come_in_order(numbered):
    assert _order(in_chunks(numbered)) == list(range(103))


def test_chunks_of_watched_images_are_small(mnist):
    """10,000 at once would take 500 MB in the CNN; Binder has 2 GB for everything."""
    assert max(len(labels) for _, labels in in_chunks(mnist.test)) <= 1000


def test_same_batches_as_the_originals_loader(mnist, unpacked):
    """In the same order, whole batches hold what torchvision and ToTensor give image by image."""
    images = datasets.MNIST(unpacked, transform=ToTensor())
    some = range(0, 60_000, 251)  # 240 images: four full batches and a part
    sampler = RandomSampler(some, generator=torch.Generator().manual_seed(5))
    original = DataLoader(Subset(images, some), batch_size=50, sampler=sampler)
    course = in_batches(Subset(mnist.full_train, some), 50, seed=5)
    assert len(original) == len(course) == 5
    for (expected_images, expected_labels), (batch, labels) in zip(original, course, strict=True):
        assert torch.equal(batch, expected_images)
        assert torch.equal(labels, expected_labels)


# --- faults -----------------------------------------------------------------------------------------------------


def test_loading_writes_nothing_and_needs_neither_home_nor_network(root, no_network, monkeypatch):
    """So a shared checkout may be read-only, on any file system, and opened first by anybody."""
    before = sorted(root.rglob("*"))
    for path in (root, *before):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR"):
        monkeypatch.setenv(name, "/nonexistent")
    with as_a_learner():
        assert len(load_mnist(str(root)).full_train) == 60_000  # a path may be text
    assert sorted(root.rglob("*")) == before


def _truncate(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flip(position):
    def altered(content: bytes) -> bytes:
        index = position % len(content)
        return content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :]

    return altered


DAMAGES = {
    "truncated": _truncate,
    "empty": lambda content: b"",
    "one bit in the time stamp": _flip(4),  # which gzip itself would not mind
    "one bit in the middle": _flip(2000),
    "one bit at the end": _flip(-1),
}


@pytest.mark.parametrize("folder", SETS)
@pytest.mark.parametrize(
    ("name", "damage"),
    [(ARCHIVES[0].name, damage) for damage in DAMAGES] + [(archive.name, "empty") for archive in ARCHIVES[1:]],
)
def test_damaged_archive(root, folder, name, damage):
    archive = root / folder / "raw" / name
    published = hashlib.md5(archive.read_bytes()).hexdigest()
    archive.write_bytes(DAMAGES[damage](archive.read_bytes()))
    with pytest.raises(DataError) as caught:
        SETS[folder][0](root)
    for said in (
        str(archive),
        f"{folder}'s authors",
        hashlib.md5(archive.read_bytes()).hexdigest(),
        published,
        "git checkout -- data",
    ):
        assert said in str(caught.value)


def _remove(archive: Path) -> None:
    archive.unlink()


def _remove_all(archive: Path) -> None:
    shutil.rmtree(archive.parents[2])


def _forbid(archive: Path) -> None:
    archive.chmod(0)


def _forbid_folder(archive: Path) -> None:
    archive.parent.chmod(0)


def _make_folder(archive: Path) -> None:
    archive.unlink()
    archive.mkdir()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_remove, "git checkout -- data"),
        (_remove_all, "git checkout -- data"),
        pytest.param(_forbid, "chmod -R a+rX", marks=POSIX),
        pytest.param(_forbid_folder, "chmod -R a+rX", marks=POSIX),
        (_make_folder, os.strerror(errno.EISDIR)),
    ],
)
def test_what_to_do_fits_what_is_wrong(root, no_network, change, said):
    archive = root / RAW / ARCHIVES[-1].name
    change(archive)
    with as_a_learner(), pytest.raises(DataError) as caught:
        load_mnist(root)
    assert str(archive.parent) in str(caught.value)
    assert said in str(caught.value)


# --- on a GPU ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["meta", "cuda", "mps"])
def test_images_stay_on_the_device(device, mnist):
    """Batches of the same values, taken there. PyTorch's "meta" device knows shapes and kinds only, on any machine."""
    if device != "meta" and not getattr(torch, device).is_available():
        pytest.skip(f"no {device} here")
    for here in (mnist.validation, mnist.test_first_2000):
        there = on_device(here, torch.device(device))
        assert len(there) == len(here)
        for found, expected in zip(there[[5, 0, 9]], here[[5, 0, 9]], strict=True):
            assert found.device.type == device
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
            assert device == "meta" or torch.equal(found.cpu(), expected)
