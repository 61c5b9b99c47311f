"""data/README.md tells the truth about the files: sizes, counts, checksums, and that they are the published ones."""

import gzip
import hashlib
import re
from pathlib import Path

import pytest
from torchvision import datasets

DATA = Path(__file__).resolve().parent.parent / "data"
RAW = DATA / "MNIST" / "raw"


def table() -> dict[str, list[str]]:
    """The table's cells by file name, without backticks and thousands separators."""
    rows = re.findall(r"^\| `(\S+\.gz)` \|(.+)\|$", (DATA / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    return {name: [cell.strip(" `").replace(",", "") for cell in cells.split("|")] for name, cells in rows}


def test_the_table_lists_the_files_that_are_there():
    assert sorted(table()) == sorted(path.name for path in RAW.glob("*.gz"))


def test_the_checksums_are_those_in_torchvision():
    assert {name: cells[4] for name, cells in table().items()} == dict(datasets.MNIST.resources)


@pytest.mark.parametrize("name", [name for name, _ in datasets.MNIST.resources])
def test_a_row_equals_its_file(name):
    packed = (RAW / name).read_bytes()
    unpacked = gzip.decompress(packed)
    assert table()[name][1:] == [
        str(int.from_bytes(unpacked[4:8], "big")),  # the first size in an IDX header
        str(len(packed)),
        str(len(unpacked)),
        hashlib.md5(packed).hexdigest(),
        hashlib.sha256(packed).hexdigest(),
    ]
