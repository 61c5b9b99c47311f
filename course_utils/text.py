"""Words of twelve languages, from their names of countries, languages and cities; and words as tensors."""

import hashlib
import os
import random
import re
import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import TensorDataset

from course_utils.data import DataError, data_root, read_shipped, restored_by_git

WORDS = Path("words", "words.tsv")
WORDS_SHA256 = "e3778342b96b0ca703affc583bfa365e21246e4409a72e441dbdeb4e843325f7"
BABEL = "2.18.0"  # the version whose names the words were cut from

LANGUAGES = {
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "hu": "Hungarian",
    "it": "Italian",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "sv": "Swedish",
    "tr": "Turkish",
}
ALPHABET = " abcdefghijklmnopqrstuvwxyzßàáâãäåæçèéêëíîïñóôõöøúüąęğıłńőśşšűźżž"  # noqa: RUF001
CHARACTERS = len(ALPHABET) + 1  # one more for any character that is not in it
LENGTH = 24  # characters that every text is brought to, the space before and after it included
SHORTEST = 3  # letters
BEGINNING = 4  # letters: words that begin alike are on one side of the split
SPLIT_SEED, VALIDATION_SHARE, TEST_SHARE = 2017, 0.1, 0.2


class Words(TensorDataset):
    """Words and their languages: `words[i]` is a text (CHARACTERS, LENGTH), as `encode` makes it, and its label, int64.

    A list of indices gives a batch. `spelled` has the words as strings; a label is a place in `LANGUAGES`.
    """

    def __init__(self, spelled: list[str], labels: list[int]):
        super().__init__(encode(spelled), torch.tensor(labels))
        self.spelled = spelled
        self.labels = self.tensors[1]


class Names(NamedTuple):
    """The words, split, and how many there were."""

    train: Words
    validation: Words
    test: Words
    found: int  # different words, a word in two languages counted once
    shared: int  # of these, left out because more than one language has them


def load_names(root: str | os.PathLike | None = None) -> Names:
    """The words in `root`/words (the repository's data folder if `root` is None) that only one of the languages has.

    Words are compared without accents. All words that begin with the same four letters are in the same split, so that
    no test word, nor a relative of it with another ending, was seen in training. Raises `DataError` if the list is
    missing or altered.
    """
    spellings = _spellings((data_root() if root is None else Path(root)) / WORDS)
    beginnings = defaultdict(list)
    for plain, languages in sorted(spellings.items()):
        if len(languages) == 1:
            beginnings[plain[:BEGINNING]].append(next(iter(languages.items())))
    groups = list(beginnings.values())
    random.Random(SPLIT_SEED).shuffle(groups)
    first, second = (round(share * len(groups)) for share in (TEST_SHARE, TEST_SHARE + VALIDATION_SHARE))
    test, validation, train = (_words(part) for part in (groups[:first], groups[first:second], groups[second:]))
    return Names(train, validation, test, len(spellings), sum(len(each) > 1 for each in spellings.values()))


def _spellings(path: Path) -> dict[str, dict[str, str]]:
    """For each word without accents: the languages that have it, and how it is spelled there."""
    lines = read_shipped(path).splitlines()  # whatever ends them: git may have changed that
    if hashlib.sha256(b"\n".join(lines)).hexdigest() != WORDS_SHA256:
        raise DataError(f"{path} is not the list that the course ships.\n{restored_by_git(path)}")
    spellings = defaultdict(dict)
    for line in lines:
        code, word = line.decode("utf-8").split("\t")
        spellings[without_accents(word)][code] = word
    return spellings


def _words(groups: list[list[tuple[str, str]]]) -> Words:
    codes = list(LANGUAGES)
    pairs = sorted(pair for group in groups for pair in group)
    return Words([word for _, word in pairs], [codes.index(code) for code, _ in pairs])


def cleaned(text: str) -> str:
    """`text` in lower case, its letters and one space between words; hyphens, digits and signs become spaces."""
    lower = unicodedata.normalize("NFC", text.lower()).replace("i\u0307", "i")  # what lower() makes of Turkish İ
    return " ".join(re.findall(r"[^\W\d_]+", lower))


def without_accents(word: str) -> str:
    """`word` with its accents taken off: é becomes e. Letters such as ß and ł, which have none, stay."""
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))


def encode(texts: list[str]) -> Tensor:
    """Texts as tensors (N, CHARACTERS, LENGTH), float32: 1 in the row of the character that stands there, else 0.

    Each is `cleaned`, gets a space before and after it, and is cut after `LENGTH` characters. Characters that are not
    in `ALPHABET` share the last row; places after the end are 0 in all rows. Raises `ValueError` for a text without
    letters, and `TypeError` for one string instead of a list.
    """
    if isinstance(texts, str):
        raise TypeError(f"expected a list of texts, got one string: use encode([{texts!r}])")
    codes = torch.zeros(len(texts), LENGTH, dtype=torch.int64)  # 0 is nothing, 1 the first of the alphabet
    for row, text in zip(codes, texts, strict=True):
        letters = cleaned(text)
        if not letters:
            raise ValueError(f"{text!r} holds no letter: there is no language to name. Give a word")
        known = [ALPHABET.find(c) % CHARACTERS + 1 for c in f" {letters} "[:LENGTH]]  # find's -1 becomes the last row
        row[: len(known)] = torch.tensor(known)
    return F.one_hot(codes, CHARACTERS + 1)[..., 1:].transpose(1, 2).float()
