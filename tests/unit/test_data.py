"""The data: its splits, its loaders, and every way in which unpacking it can go wrong."""

import errno
import gzip
import hashlib
import multiprocessing
import os
import shutil
import socket
import stat
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, RandomSampler, Subset
from torchvision import datasets
from torchvision.transforms import ToTensor

from course_utils import data
from course_utils.data import DataError, ImageSet, load_mnist, make_loaders, on_device

RAW = Path("MNIST", "raw")
ARCHIVES = sorted((data.data_root() / RAW).glob("*.gz"))
UNPACKED = [archive.stem for archive in ARCHIVES]
LOCK = ".unpack.lock"  # empty, stays


@pytest.fixture(scope="module")
def mnist():
    return load_mnist()


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """The user's cache folder, empty, so that no test finds or leaves anything in the real one."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(data, "user_cache_path", lambda name: folder / name)
    return folder / "course_utils"


@pytest.fixture
def root(tmp_path, cache):
    """A fresh data folder with the four archives and nothing unpacked; removed afterwards, it has up to 70 MB."""
    folder = tmp_path / "data"
    (folder / RAW).mkdir(parents=True)
    for archive in ARCHIVES:
        shutil.copy(archive, folder / RAW)
    yield folder
    _set_writable(folder, True)
    shutil.rmtree(tmp_path)


def _set_writable(folder: Path, writable: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode | 0o200 if writable else mode & ~0o222)


def _listing(folder: Path) -> set[str]:
    return {path.name for path in (folder / RAW).iterdir()}


def _pixel_bytes(image_set, chunk=5000):
    """The images as published, one byte for a pixel, in chunks."""
    for start in range(0, len(image_set), chunk):
        images, _ = image_set[start : start + chunk]
        yield (images.numpy() * 255).round().astype("uint8")


def _checksums(image_set) -> tuple[str, str]:
    """md5 of all pixels and of all labels, in order."""
    pixels = hashlib.md5()
    for chunk in _pixel_bytes(image_set):
        pixels.update(chunk.tobytes())
    return pixels.hexdigest(), hashlib.md5(image_set.labels.to(torch.uint8).numpy().tobytes()).hexdigest()


def _published_checksums() -> dict[str, tuple[str, str]]:
    """The same, straight from the archives: IDX is a header of 16 bytes (images) or 8 (labels), then the values."""

    def md5(name: str, header: int) -> str:
        return hashlib.md5(gzip.decompress((data.data_root() / RAW / name).read_bytes())[header:]).hexdigest()

    return {
        split: (md5(f"{prefix}-images-idx3-ubyte.gz", 16), md5(f"{prefix}-labels-idx1-ubyte.gz", 8))
        for split, prefix in (("full_train", "train"), ("test", "t10k"))
    }


def _assert_right(loaded) -> None:
    assert {name: _checksums(getattr(loaded, name)) for name in ("full_train", "test")} == _published_checksums()


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
    assert image_set.images.min() == 0
    assert image_set.images.max() == 1
    assert image_set.labels.shape == (count,)
    assert image_set.labels.dtype == torch.int64
    assert image_set.labels.unique().tolist() == list(range(10))
    del image_set.images  # cached: 188 MB for full_train


def test_images_are_the_published_ones(mnist):
    _assert_right(mnist)


def test_same_bits_as_torchvision_with_to_tensor(mnist):
    """The original's pipeline is the oracle: torchvision's dataset with ToTensor."""
    root = data.unpacked_root()
    for ours, train, indices in ((mnist.full_train, True, (0, 1, 33_333, 59_999)), (mnist.test, False, (0, 9_999))):
        oracle = datasets.MNIST(root, train=train, transform=ToTensor())
        for index in indices:
            image, label = ours[index]
            expected_image, expected_label = oracle[index]
            assert torch.equal(image, expected_image)
            assert image.dtype == expected_image.dtype
            assert label == expected_label


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
    for digit in range(10):
        exact = (mnist.full_train.labels == digit).sum().item() / 12
        assert abs((mnist.validation.labels == digit).sum().item() - exact) <= 1


def test_train_and_validation_share_out_full_train(mnist):
    def contents(image_set) -> Counter:
        images = (image.tobytes() for chunk in _pixel_bytes(image_set) for image in chunk)
        return Counter(zip(images, image_set.labels.tolist(), strict=True))

    train, validation, full_train = map(contents, (mnist.train, mnist.validation, mnist.full_train))
    assert not train.keys() & validation.keys()
    assert train + validation == full_train


def test_the_split_is_the_same_each_time(mnist):
    """Whatever else has used torch's random numbers, which loading in turn leaves alone."""
    torch.manual_seed(99)
    state = torch.get_rng_state()
    again = load_mnist()
    assert torch.equal(torch.get_rng_state(), state)
    for split in ("train", "validation"):
        assert _checksums(getattr(again, split)) == _checksums(getattr(mnist, split))


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
    first = _order(make_loaders(numbered, numbered, 10, seed=3).train)
    torch.rand(5)  # torch's own random numbers play no part
    assert _order(make_loaders(numbered, numbered, 10, seed=3).train) == first
    assert _order(make_loaders(numbered, numbered, 10, seed=4).train) != first


def test_each_epoch_has_another_order(numbered):
    loader = make_loaders(numbered, numbered, 10, seed=3).train
    assert _order(loader) != _order(loader)


@pytest.mark.parametrize("batch_size", [1, 10, 103, 500])
def test_every_image_comes_exactly_once_in_full_batches(numbered, batch_size):
    loader = make_loaders(numbered, numbered, batch_size).train
    sizes = [len(labels) for _, labels in loader]
    full, rest = divmod(103, batch_size)
    assert sizes == [batch_size] * full + [rest] * (rest > 0)
    assert len(loader) == len(sizes)
    assert sorted(_order(loader)) == list(range(103))
    assert _order(loader) != list(range(103))


def test_watched_images_come_in_order(numbered):
    assert _order(make_loaders(numbered, numbered, 10).watched) == list(range(103))


def test_chunks_of_watched_images_are_small(mnist):
    """10,000 at once would take 500 MB in the CNN; Binder has 2 GB for everything."""
    assert max(len(labels) for _, labels in make_loaders(mnist.test, mnist.test, 50).watched) <= 1000


def test_same_batches_as_the_originals_loader(mnist):
    """In the same order, whole batches hold what torchvision and ToTensor give image by image."""
    images = datasets.MNIST(data.unpacked_root(), transform=ToTensor())
    some = range(0, 60_000, 251)  # 240 images: four full batches and a part
    sampler = RandomSampler(some, generator=torch.Generator().manual_seed(5))
    original = DataLoader(Subset(images, some), batch_size=50, sampler=sampler)
    course = make_loaders(Subset(mnist.full_train, some), mnist.test, 50, seed=5).train
    assert len(original) == len(course) == 5
    for (expected_images, expected_labels), (batch, labels) in zip(original, course, strict=True):
        assert torch.equal(batch, expected_images)
        assert torch.equal(labels, expected_labels)


# --- faults -----------------------------------------------------------------------------------------------------


def test_checksums_of_the_unpacked_files_are_those_of_the_archives_contents():
    contents = {archive.stem: hashlib.md5(gzip.decompress(archive.read_bytes())).hexdigest() for archive in ARCHIVES}
    assert contents == data.UNPACKED_MD5


def test_first_run_unpacks_beside_the_archives(root, cache):
    before = _listing(root)
    _assert_right(load_mnist(root))
    assert _listing(root) == before | {*UNPACKED, LOCK}
    assert not cache.exists()


def test_root_may_be_text(root):
    assert len(load_mnist(str(root)).test) == 10_000


def _start_worker(barrier, cache: str) -> None:
    global _barrier
    torch.set_num_threads(1)
    _barrier = barrier
    data.user_cache_path = lambda name: Path(cache, name)


def _open_at_once(root: str) -> tuple[int, dict]:
    _barrier.wait(timeout=60)  # so that each process gets one task, and all begin together
    loaded = load_mnist(root)
    return os.getpid(), {name: _checksums(getattr(loaded, name)) for name in ("full_train", "test")}


def test_eight_processes_at_once_on_a_first_run(root, cache):
    # A fork server has imported torch once for all eight. Windows has none.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload(["course_utils"])
    initial = (context.Barrier(8), str(cache))
    with ProcessPoolExecutor(8, context, initializer=_start_worker, initargs=initial) as pool:
        results = list(pool.map(_open_at_once, [str(root)] * 8, timeout=100))
    assert len({process for process, _ in results}) == 8
    expected = _published_checksums()
    for _, found in results:
        assert found == expected
    assert _listing(root) == {*(archive.name for archive in ARCHIVES), *UNPACKED, LOCK}


def _truncate(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flip(position):
    def altered(content: bytes) -> bytes:
        index = position % len(content)
        return content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :]

    return altered


def _assert_refused(root: Path, name: str, damage) -> None:
    """With the archive `name` damaged, loading says all there is to say and changes nothing."""
    archive = root / RAW / f"{name}.gz"
    archive.write_bytes(damage(archive.read_bytes()))
    before = _listing(root)
    with pytest.raises(DataError) as caught:
        load_mnist(root)
    message = str(caught.value)
    assert str(archive) in message
    assert f"found:    {hashlib.md5(archive.read_bytes()).hexdigest()}" in message
    assert f"expected: {hashlib.md5((data.data_root() / RAW / archive.name).read_bytes()).hexdigest()}" in message
    assert "git checkout -- data" in message
    assert _listing(root) == before


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_truncate, id="truncated"),
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(_flip(4), id="one-bit-in-the-time-stamp"),  # which gzip itself would not mind
        pytest.param(_flip(2000), id="one-bit-in-the-middle"),
        pytest.param(_flip(-1), id="one-bit-at-the-end"),
    ],
)
@pytest.mark.parametrize("name", UNPACKED)
def test_damaged_archive(root, cache, name, damage):
    _assert_refused(root, name, damage)
    assert not cache.exists()


@pytest.mark.parametrize("damage", [_truncate, _flip(2000)], ids=["truncated", "one-bit"])
def test_damaged_archive_beside_good_unpacked_files(root, damage):
    data.unpacked_root(root)
    _assert_refused(root, "train-images-idx3-ubyte", damage)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_truncate, id="truncated"),
        pytest.param(_flip(12_345), id="one-bit"),
        pytest.param(None, id="gone"),
    ],
)
def test_damaged_unpacked_file_is_unpacked_again(root, damage):
    data.unpacked_root(root)
    file = root / RAW / "train-images-idx3-ubyte"
    if damage:
        file.write_bytes(damage(file.read_bytes()))
    else:
        file.unlink()
    _assert_right(load_mnist(root))


def test_unpacked_files_will_do_without_the_archives(root):
    data.unpacked_root(root)
    for archive in (root / RAW).glob("*.gz"):
        archive.unlink()
    assert len(load_mnist(root).full_train) == 60_000


def test_full_disk_leaves_nothing_half_unpacked(root, cache, monkeypatch):
    before = _listing(root)

    def run_out_of_space(source, sink, *_):
        sink.write(source.read(1000))
        sink.flush()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(data.shutil, "copyfileobj", run_out_of_space)
        with pytest.raises(DataError) as caught:
            load_mnist(root)
    assert str(root / RAW) in str(caught.value)
    assert os.strerror(errno.ENOSPC) in str(caught.value)
    assert "Free some space" in str(caught.value)
    assert _listing(root) == before | {LOCK}
    assert len(load_mnist(root).full_train) == 60_000  # and with space again, all is well


def test_interrupt_leaves_nothing_half_unpacked(root, monkeypatch):
    before = _listing(root)

    def interrupted(source, sink, *_):
        sink.write(source.read(1000))
        raise KeyboardInterrupt

    monkeypatch.setattr(data.shutil, "copyfileobj", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_mnist(root)
    assert _listing(root) == before | {LOCK}


def test_what_a_killed_process_left_does_no_harm(root):
    (root / RAW / "train-images-idx3-ubyte.part").write_bytes(b"half of it")
    _assert_right(load_mnist(root))
    assert not [name for name in _listing(root) if name.endswith(".part")]


def test_read_only_folder_unpacks_to_the_cache(root, cache, monkeypatch):
    if sys.platform == "win32":  # which ignores the write bit of a folder
        monkeypatch.setattr(data.os, "access", lambda path, mode: mode != os.W_OK)
    before = _listing(root)
    _set_writable(root, False)
    _assert_right(load_mnist(root))
    assert _listing(root) == before
    assert _listing(cache) == {*UNPACKED, LOCK}


def test_read_only_file_system_unpacks_to_the_cache(root, cache, monkeypatch):
    """Where the folder's mode promises what the file system then refuses, as with a disk mounted read-only."""
    before = _listing(root)
    monkeypatch.setattr(data.os, "access", lambda path, mode: False)
    _assert_right(load_mnist(root))
    assert _listing(root) == before
    assert _listing(cache) == {*UNPACKED, LOCK}


def test_second_run_on_a_read_only_folder_finds_the_cache(root, cache, monkeypatch):
    monkeypatch.setattr(data, "_is_read_only", lambda folder: True)
    load_mnist(root)

    def no_second_time(*_):
        raise AssertionError("unpacked again")

    monkeypatch.setattr(data, "_unpack", no_second_time)
    assert len(load_mnist(root).full_train) == 60_000


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the cache folder's place is the system's here")
def test_cache_folder_is_where_the_user_wants_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert data.user_cache_path("course_utils") == tmp_path / "course_utils"


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("tried to reach the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("missing", [UNPACKED[:1], UNPACKED[2:], UNPACKED], ids=["one", "two", "all"])
def test_missing_archives(root, no_network, missing):
    for name in missing:
        (root / RAW / f"{name}.gz").unlink()
    with pytest.raises(DataError) as caught:
        load_mnist(root)
    message = str(caught.value)
    assert str(root / RAW) in message
    assert "downloads nothing" in message
    assert "git checkout -- data" in message
    for name in UNPACKED:
        assert (f"{name}.gz" in message) == (name in missing)


def test_missing_folder(tmp_path, cache, no_network):
    with pytest.raises(DataError, match="missing"):
        load_mnist(tmp_path / "no" / "such" / "folder")


def test_loading_needs_no_network(root, no_network):
    assert len(load_mnist(root).full_train) == 60_000


def test_a_wrong_root_is_an_error_even_if_the_cache_has_mnist(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    (cache / "MNIST").mkdir(parents=True)
    shutil.copytree(data.data_root() / data.RAW, cache / data.RAW)
    load_mnist(cache)  # unpacks there
    monkeypatch.setattr(data, "user_cache_path", lambda name: cache)
    with pytest.raises(data.DataError, match="missing"):
        load_mnist(tmp_path / "typo")


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
