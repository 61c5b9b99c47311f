"""The checkout is found from the package or from the working folder, and nowhere else."""

import shutil
from pathlib import Path

import pytest

from course_utils import evidence, load_mnist, repository
from course_utils.sound import load_spoken_digits

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The package as `pip install .` leaves it: in a folder of other packages, far from the checkout."""
    packages = tmp_path / "site-packages"
    (packages / "data").mkdir(parents=True)  # another package's
    (packages / "pyproject.toml").write_text('[project]\nname = "another"\n')  # likewise
    monkeypatch.setattr(repository, "__file__", str(packages / "course_utils" / "repository.py"))


def test_a_clone_is_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert repository.root() == CHECKOUT


@pytest.mark.parametrize("within", [".", "notebooks", "experiments/results"])
def test_an_installed_package_finds_the_checkout_that_one_works_in(installed, monkeypatch, within):
    monkeypatch.chdir(CHECKOUT / within)
    assert repository.root() == CHECKOUT
    assert evidence.load("recipes")["settings"]


@pytest.mark.parametrize("wanted", [load_mnist, load_spoken_digits, lambda: evidence.load("recipes")])
def test_an_installed_package_elsewhere_says_where_it_looked(installed, tmp_path, monkeypatch, wanted):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as raised:
        wanted()
    for part in (tmp_path, tmp_path / "site-packages", "pip install -e ."):
        assert str(part) in str(raised.value)


def test_a_working_folder_that_was_deleted_does_no_harm(installed, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    shutil.rmtree(gone)
    with pytest.raises(FileNotFoundError, match="Start Python in the checkout"):
        repository.root()
