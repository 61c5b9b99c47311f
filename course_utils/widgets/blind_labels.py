"""Blind labelling: say which digits you see, before you are told what the network and the file say."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor
from traitlets import Bool, Bytes, Dict, Int, default, observe, validate

from course_utils.plots import image_grid
from course_utils.validate import whole_number
from course_utils.widgets.base import Converted, CourseWidget, module, static
from course_utils.widgets.images import as_bytes, digit_images

UNSURE = "?"


class Row(NamedTuple):
    """Three answers to one image, counted from 0. None in `yours` is "can't tell", elsewhere that none was given."""

    image: int
    yours: int | None
    network: int | None
    file: int | None


class NotFinishedError(ValueError):
    """The table was asked for before every image had an answer."""


def check_answers(answers: Sequence | np.ndarray | Tensor, allow_unsure: bool, name: str) -> list[int | None]:
    """The answers as a plain list of whole numbers 0..9, and None where `allow_unsure`; `name` is what errors say.

    Raises `TypeError` for what is not a sequence of whole numbers, `ValueError` for a number that is no digit.
    """
    values = answers.tolist() if isinstance(answers, (np.ndarray, Tensor)) else answers
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"expected {name} as a list of digits, got {answers!r:.80}")
    return [_check_answer(value, allow_unsure, f"{name}[{index}]") for index, value in enumerate(values)]


def _check_answer(value: int | None, allow_unsure: bool, name: str) -> int | None:
    if value is None and allow_unsure:
        return None
    hint = ' or None for "can\'t tell"' if allow_unsure else ""
    return whole_number(f"{name}, a digit from 0 to 9{hint},", value, at_most=9)


def parse_answers(text: str) -> list[int | None]:
    """Answers from a line such as "7 2 ? 1": digits, and "?" for "can't tell", set apart by spaces or not at all.

    Raises `ValueError` for another character, `TypeError` for what is no string.
    """
    if not isinstance(text, str):
        raise TypeError(f'expected the answers as a string such as "7 2 ?", got {type(text).__name__}')
    characters = "".join(text.replace(",", " ").split())
    for place, character in enumerate(characters, start=1):
        if character not in "0123456789" + UNSURE:
            raise ValueError(f'answer {place} is {character!r}; write a digit, or "{UNSURE}" for "can\'t tell"')
    return [None if character == UNSURE else int(character) for character in characters]


class BlindLabels(CourseWidget):
    """Images (N, 1, 28, 28), shown one by one without labels, for you to label; then the table of three answers.

    `network` and `file` are N digits each, what the network and the data set say, or None. They stay in Python until
    every image is labelled and the table is asked for; from then on your answers are fixed. `value` is the list of
    your answers so far, in the order of the images: a digit, or None for "can't tell". Raises `ValueError` or
    `TypeError` for images, digits or numbers of them that do not fit.
    """

    title = "Blind labelling"
    _esm = module("blind_labels")
    _css = static("base.css") + static("blind_labels.css")

    value = Converted(lambda answers: check_answers(answers, True, "value")).tag(sync=True)
    count = Int(help="how many images").tag(sync=True)
    pixels = Bytes(help="the images, one byte a pixel").tag(sync=True)
    finished = Bool(False, help="the table is shown, the answers are fixed").tag(sync=True)
    table = Dict(help="empty until finished").tag(sync=True)
    _just_run = Bool(False, help="its cell was run: the page may give it the keyboard").tag(sync=True)

    def __init__(self, images: Tensor, network: Sequence | None = None, file: Sequence | None = None, **traits):
        self._images = digit_images(images, "images")
        self._theirs = {"network": network, "file": file}
        for name, answers in self._theirs.items():
            if answers is not None:
                self._theirs[name] = self._check_count(check_answers(answers, False, name), name)
        super().__init__(count=len(self._images), pixels=as_bytes(self._images), **traits)

    @classmethod
    def from_answers(
        cls, images: Tensor, answers: str, network: Sequence | None = None, file: Sequence | None = None
    ) -> "BlindLabels":
        """The form filled in and finished, for those without a browser: `answers` is a line such as "7 2 ? 1".

        Raises the errors of `parse_answers` and of the class, and `ValueError` for too few or too many answers.
        """
        form = cls(images, network, file, value=parse_answers(answers))
        form.results()
        return form

    def _repr_mimebundle_(self, **options):
        """What Jupyter shows; asked for when a cell is run, and not when a stored page is opened."""
        self._just_run = True
        return super()._repr_mimebundle_(**options)

    def results(self) -> list[Row]:
        """The three answers to each image. Finishes the labelling: your answers can't be changed any more.

        Raises `NotFinishedError`, a `ValueError`, while an image has no answer.
        """
        self.finished = True
        unknown = [None] * self.count
        network, file = (answers or unknown for answers in self._theirs.values())
        return [Row(*row) for row in zip(range(self.count), self.value, network, file, strict=True)]

    def agreement(self) -> dict[str, int | None]:
        """On how many images you agree with the network and with the file, None if that was not given; "unsure": on
        how many you can't tell. Errors as of `results`.
        """
        rows = self.results()
        counts = {
            name: sum(row.yours == getattr(row, name) for row in rows) if answers else None
            for name, answers in self._theirs.items()
        }
        return {**counts, "unsure": sum(row.yours is None for row in rows)}

    def figure(self) -> Figure:
        """The images, above each the answers: yours, the network's, the file's. Errors as of `results`."""
        shown = [["–" if answer is None else str(answer) for answer in row[1:]] for row in self.results()]
        for texts, answer in zip(shown, self.value, strict=True):
            texts[0] = UNSURE if answer is None else texts[0]
        return image_grid(
            self._images, [" · ".join(texts) for texts in shown], columns=min(9, self.count), vmin=0, vmax=1
        )

    @default("value")
    def _no_value(self) -> list:
        return []

    @validate("value")
    def _check_value(self, proposal) -> list:
        if self.finished and proposal.value != self.value:
            raise ValueError("the table has been shown, so your answers are fixed. For new ones make a new BlindLabels")
        if len(proposal.value) > self.count:
            raise ValueError(f"there are {self.count} images, but {len(proposal.value)} answers")
        return proposal.value

    @validate("finished")
    def _check_finished(self, proposal) -> bool:
        if self.finished and not proposal.value:
            raise ValueError("the table has been shown: it can't be made unseen. Make a new BlindLabels")
        if proposal.value and len(self.value) < self.count:
            raise NotFinishedError(
                f"{self.count - len(self.value)} of {self.count} images have no answer yet. Label them in the form, "
                'or in Python: BlindLabels.from_answers(images, "7 2 ?", …)'
            )
        return proposal.value

    @observe("finished")
    def _reveal(self, _change) -> None:
        """Only now do the other answers reach the page."""
        self.table = {**self._theirs, "text": self._in_words()}

    def _in_words(self) -> str:
        agreement = self.agreement()
        parts = [f"with the {name} on {agreement[name]}" for name in ("file", "network") if agreement[name] is not None]
        agreed = f"Of {self.count} images you agree {' and '.join(parts)}" if parts else f"{self.count} images labelled"
        return f"{agreed}; on {agreement['unsure']} you can't tell."

    def _check_count(self, answers: list[int | None], name: str) -> list[int | None]:
        if len(answers) != len(self._images):
            raise ValueError(f"there are {len(self._images)} images, but {len(answers)} answers in {name}")
        return answers
