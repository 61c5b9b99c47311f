"""Words of twelve languages and their tensors."""

from importlib.metadata import version

import pytest
import torch

from course_utils import evidence, text
from course_utils.data import DataError, data_root
from course_utils.text import ALPHABET, CHARACTERS, LANGUAGES, LENGTH, cleaned, encode, load_names, without_accents


@pytest.fixture(scope="module")
def names():
    return load_names()


def decoded(text: torch.Tensor) -> str:
    """The characters of one text (CHARACTERS, LENGTH); an unknown one is ?, a place after the end nothing."""
    return "".join((ALPHABET + "?")[column.argmax()] for column in text.T if column.any())


def test_encoded_text_can_be_read_back():
    texts = encode(["Österreich", "SÃO TOMÉ", "İzmir", "e\u0301te", "Łódź", "x" * 40, "Αθήνα"])
    assert texts.shape == (7, CHARACTERS, LENGTH) and texts.dtype == torch.float32
    read = [decoded(text) for text in texts]
    assert read == [" österreich ", " são tomé ", " izmir ", " éte ", " łódź ", " " + "x" * (LENGTH - 1), " ????? "]
    assert texts.sum(1).max() == 1  # one character in a place


@pytest.mark.parametrize("text", ["", "   ", "123", "?!", "-"])
def test_a_text_without_letters_is_an_error(text):
    with pytest.raises(ValueError, match="holds no letter"):
        encode(["fine", text])


def test_one_string_is_an_error():
    with pytest.raises(TypeError, match=r"use encode\(\['word'\]\)"):
        encode("word")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Côte d\u2019Ivoire", "côte d ivoire"), ("St. Pierre & Miquelon", "st pierre miquelon"), ("UTC+02:00", "utc")],
)
def test_cleaned(text, expected):
    assert cleaned(text) == expected


def test_no_word_nor_its_beginning_is_on_two_sides(names):
    beginnings = [{without_accents(word)[:4] for word in part.spelled} for part in names[:3]]
    assert sum(map(len, beginnings)) == len(set.union(*beginnings))
    words = [without_accents(word) for part in names[:3] for word in part.spelled]
    assert len(set(words)) == len(words)  # and no word in two languages


def test_the_words_are_those_that_stored_results_were_made_with(names):
    stored = evidence.load("words")["results"]["words"]
    assert [len(part) for part in names[:3]] == stored
    assert sum(stored) == names.found - names.shared
    for part in names[:3]:
        assert part.labels.unique().tolist() == list(range(len(LANGUAGES)))


def test_some_words_are_where_they_belong(names):
    language = {
        word: list(LANGUAGES.values())[label]
        for part in names[:3]
        for word, label in zip(part.spelled, part.labels.tolist(), strict=True)
    }
    assert (
        language["frankreich"] == "German"
        and language["ranska"] == "Finnish"
        and language["németország"] == "Hungarian"
    )
    assert "peru" not in language and "kenya" not in language  # several languages have them


def test_a_list_of_indices_is_a_batch(names):
    texts, labels = names.train[[3, 5]]
    assert torch.equal(texts, encode([names.train.spelled[3], names.train.spelled[5]]))
    assert torch.equal(labels, names.train.labels[[3, 5]])


def copied(root, change=lambda content: content):
    """A data folder with the list of words, changed."""
    (root / text.WORDS).parent.mkdir()
    (root / text.WORDS).write_bytes(change((data_root() / text.WORDS).read_bytes()))
    return root


def test_line_ends_of_a_windows_checkout_change_nothing(names, tmp_path):
    again = load_names(copied(tmp_path, lambda content: content.replace(b"\n", b"\r\n")))
    assert again.train.spelled == names.train.spelled


@pytest.mark.parametrize(
    "change", [lambda content: content[:-1000], lambda content: content.replace(b"ranska", b"suomea"), lambda _: b""]
)
def test_an_altered_list_is_refused(tmp_path, change):
    with pytest.raises(DataError, match="git checkout -- data"):
        load_names(copied(tmp_path, change))


def test_the_list_is_made_from_babels_names():
    """Another version of Babel knows some other names."""
    words = pytest.importorskip("tools.words", reason="Babel is not installed")
    lines = (data_root() / text.WORDS).read_text(encoding="utf-8").splitlines()
    for code in LANGUAGES:
        shipped = {line.split("\t")[1] for line in lines if line.startswith(f"{code}\t")}
        made = set(words.spellings(code).values())
        assert made == shipped if version("babel") == text.BABEL else len(made & shipped) > 0.9 * len(shipped)
