"""The glossary has every term that a notebook sets in italics where it defines it, and no other."""

import re

import pytest

from tests.notebooks.test_form import NOTEBOOKS, ROOT, markdown_of

ENTRY = re.compile(r"^- \*\*(.+?)\*\*: .+ \(\[(\d\d)\]\(\.\./notebooks/(\S+)\)\)$", re.M)
ITALIC = re.compile(r"(?<![*\w])\*([^*\n]+)\*(?!\*)")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
TERMS = {term.lower(): (number, name) for term, number, name in ENTRY.findall(GLOSSARY)}
# How a term stands in the text, where that is another form than the glossary's.
FORMS = {
    "overfits": "overfitting",
    "expected calibration error": "ece",
    "mel": "mel spectrogram",
    "dilated": "dilation",
    "dense": "dense layer",
}
# Italics that define nothing. A new one belongs here or into the glossary.
STRESSED = """\
a convolution is shift-equivariant; global average pooling after it makes the network nearly shift-i\
nvariant; flatten and a linear layer make it neither|\
a network forgives what it has met|adds|after the ones above it|alone|among the training images|and|another|\
any|are|before|below|beside|both|called|combines|correct|cost|costs|each|easier|exactly|fails|far|help|holds|\
holds partly|is it brighter on the right than on the left?|is there an edge, whichever side is bright?|left|\
less|more|not right yet|not tried yet|on colab only|one|one piece|order|others|over the batch|per process|\
right|rounded down|run|serve|seven|sure|test|that|times positions|trained on|used|when|worse"""
NAMED = """\
accuracies|all kinds|all positions|as drawn|average|background|berlin|better|blur|blur more|\
channels last|clock|corner|edge|equivariant|every 4th|flat|flatten|forgiven|gloo|\
grey levels|ink|kernel playground|kernel → interrupt|kernel → restart kernel|largest of 4 by 4|layer|linear|\
local|machines|maximum|mnist's way|mode|nbgitpuller|nccl|network|not sure|notebook|\
outputs = matrix × pixels|padded|peru|pieces|plain|probabilities|processor|random|raw|shallow|shared|\
spectrogram cnn|steps|threshold|tolerance|training|turned|unmixed|untrained|\
validation images|weight × pixel"""
TITLES = """\
a kernel of 1 by 1|a kernel that is learned|a test that can fail|a word about the word|benchmark|deeper|\
dilation and groups|sanity checks for saliency maps|stride and padding, written by you"""
OTHERS = {word for words in (STRESSED, NAMED, TITLES) for word in words.split("|")}


def italics(path) -> list[str]:
    prose = re.sub(r"\*\*Read more\.\*\*.*|`[^`\n]*`|\*\*.*?\*\*", "", markdown_of(path))
    return [found.strip(" .,:;").lower() for found in ITALIC.findall(prose)]


def term_of(word: str) -> str | None:
    """The glossary's term for a word in italics, which may stand in the plural."""
    forms = (FORMS.get(word, word), word.removesuffix("s"), word.removesuffix("es"))
    return next((form for form in forms if form in TERMS), None)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_defines_is_in_the_glossary(path):
    # Parts of words that notebook 08 quotes have up to three letters.
    unknown = {word for word in italics(path) if not term_of(word) and word not in OTHERS and len(word) > 3}
    assert not unknown, "a term belongs into docs/glossary.md, an emphasis into this test's list"


def test_the_glossary_names_where_its_terms_are_defined():
    assert list(TERMS) == sorted(TERMS) and len(TERMS) == GLOSSARY.count("\n- **")
    defined = {path.name: {term_of(word) for word in italics(path)} for path in NOTEBOOKS}
    for term, (number, name) in TERMS.items():
        assert name.startswith(number)
        assert term in defined[name], f"{term!r} is not in italics in {name}"
