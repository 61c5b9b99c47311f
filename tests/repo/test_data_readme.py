"""data/README.md tells the truth about the files: sizes, counts, checksums, and where they come from."""

import gzip
import hashlib
import re
import shutil
import subprocess
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest
from torchvision import datasets

from tools import spoken_digits

DATA = Path(__file__).resolve().parents[2] / "data"
SETS = {"MNIST": datasets.MNIST, "FashionMNIST": datasets.FashionMNIST}


def table(folder: str) -> dict[str, list[str]]:
    """The cells of a data set's table by file name, without backticks and thousands separators."""
    text = (DATA / "README.md").read_text(encoding="utf-8").split(f"| File in `{folder}/raw` |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| `(\S+\.gz)` \|(.+)\|$", text, re.MULTILINE)
    return {name: [cell.strip(" `").replace(",", "") for cell in cells.split("|")] for name, cells in rows}


@pytest.mark.parametrize("folder", SETS)
def test_the_table_lists_the_files_that_are_there_with_torchvisions_checksums(folder):
    assert sorted(table(folder)) == sorted(path.name for path in (DATA / folder / "raw").glob("*.gz"))
    assert {name: cells[4] for name, cells in table(folder).items()} == dict(SETS[folder].resources)


@pytest.mark.parametrize(("folder", "name"), [(folder, name) for folder in SETS for name, _ in SETS[folder].resources])
def test_a_row_equals_its_file(folder, name):
    packed = (DATA / folder / "raw" / name).read_bytes()
    unpacked = gzip.decompress(packed)
    assert table(folder)[name][1:] == [
        str(int.from_bytes(unpacked[4:8], "big")),  # the first size in an IDX header
        str(len(packed)),
        str(len(unpacked)),
        hashlib.md5(packed).hexdigest(),
        hashlib.sha256(packed).hexdigest(),
    ]


SPOKEN = DATA / "spoken_digits" / "spoken_digits.zip"


def rows_of_spoken_digits() -> dict[str, list[str]]:
    text = (DATA / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(spoken_digits.zip|train|validation|test)` \|(.+)\|$", text, re.MULTILINE)
    return {name: [cell.strip(" `").replace(",", "") for cell in cells.split("|")] for name, cells in rows}


def test_the_rows_of_the_spoken_digits_equal_their_archive():
    content = SPOKEN.read_bytes()
    with zipfile.ZipFile(SPOKEN) as archive:
        assert archive.testzip() is None
        names = [Path(name) for name in archive.namelist()]
    voices = {name: name.stem.split("_")[1] for name in names}
    rows = rows_of_spoken_digits()
    counted = [str(len(names)), str(len(set(voices.values())))]
    assert rows["spoken_digits.zip"][1:] == [*counted, str(len(content)), hashlib.sha256(content).hexdigest()]
    for split in ("train", "validation", "test"):
        inside = [name for name in names if name.parent.name == split]
        assert rows[split] == [str(len(inside)), str(len({voices[name] for name in inside}))]


def test_the_format_of_the_spoken_digits_is_as_written():
    with zipfile.ZipFile(SPOKEN) as archive:
        for name in archive.namelist()[::100]:
            with archive.open(name) as file, wave.open(file) as sound:
                assert (sound.getnchannels(), sound.getframerate(), sound.getsampwidth()) == (1, 8000, 1)


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_the_script_makes_a_recording_again():
    version = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True).stdout
    if "1.51" not in version:
        pytest.skip("another version of espeak-ng speaks otherwise")
    assert {"Mr serious", "Storm", "m1"} < set(spoken_digits.all_variants())
    quick, slow = (spoken_digits.speak("seven", "m1", speed=speed) for speed in (190, 130))
    assert len(slow) > 1.2 * len(quick) > 2000 and abs(quick).max() == 1
    for accent in spoken_digits.ACCENTS:  # espeak-ng forgets the voice after some names of accents, en-gb for one
        assert not np.array_equal(
            spoken_digits.speak("five", "f5", accent), spoken_digits.speak("five", "m1", accent)
        ), accent
    assert spoken_digits.distinct(["caleb", "klatt", "m4"]) == ["caleb", "m4"]  # two names, one sound


def test_the_row_of_the_words_equals_their_file():
    content = (DATA / "words" / "words.tsv").read_bytes().replace(b"\r\n", b"\n")  # as in the repository
    row = re.search(r"^\| `words.tsv` \|(.+)\|$", (DATA / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    counted = [cell.strip(" `").replace(",", "") for cell in row[1].split("|")[1:]]
    assert counted == [str(content.count(b"\n")), str(len(content)), hashlib.sha256(content).hexdigest()]
