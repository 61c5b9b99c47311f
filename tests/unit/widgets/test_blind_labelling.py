"""Blind labelling without a browser: blind until the end, and right about who agrees with whom."""

import matplotlib.pyplot as plt
import pytest
import torch

from course_utils.widgets.blind_labels import BlindLabels, NotFinishedError, parse_answers

IMAGES = torch.arange(4 * 784).view(4, 1, 28, 28) % 256 / 255
NETWORK, FILE = [7, 2, 1, 6], [7, 2, 3, 0]


def a_form(**traits):
    return BlindLabels(IMAGES, network=NETWORK, file=torch.tensor(FILE), **traits)


def state_of(form) -> dict:
    """All that the page gets."""
    return {name: value for name, value in form.get_state().items() if name not in ("layout", "_anywidget_id")}


def test_the_page_knows_nothing_before_the_end():
    forms = [a_form(), BlindLabels(IMAGES, network=[0, 0, 0, 0], file=[9, 9, 9, 9]), BlindLabels(IMAGES)]
    for form in forms:
        for answers in ([7], [7, None], [7, None, 3, 0]):
            form.value = answers
    assert state_of(forms[0]) == state_of(forms[1]) == state_of(forms[2])
    forms[0].finished = True
    assert forms[0].table["network"] == NETWORK and forms[0].table["file"] == FILE


def test_results_and_agreement():
    form = a_form(value=[7, 2, 3, None])
    assert form.results() == [(0, 7, 7, 7), (1, 2, 2, 2), (2, 3, 1, 3), (3, None, 6, 0)]
    assert form.agreement() == {"network": 2, "file": 3, "unsure": 1}
    assert form.finished
    assert (
        form.table["text"] == "Of 4 images you agree with the file on 3 and with the network on 2; on 1 you can't tell."
    )


def test_without_the_others_answers():
    form = BlindLabels(IMAGES[:, 0], value=[1, 1, None, None])
    assert form.results()[3] == (3, None, None, None)
    assert form.agreement() == {"network": None, "file": None, "unsure": 2}
    assert form.table["text"] == "4 images labelled; on 2 you can't tell."


@pytest.mark.parametrize("given", [[], [7], [7, 2, 3]], ids=str)
def test_no_results_before_every_image_has_an_answer(given):
    form = a_form(value=given)
    with pytest.raises(NotFinishedError, match=f"{4 - len(given)} of 4 images"):
        form.results()
    with pytest.raises(NotFinishedError):
        form.finished = True
    assert not form.finished and form.table == {}


def test_answers_are_fixed_once_the_table_is_shown():
    form = a_form(value=[7, 2, 3, None])
    form.value = [7, 2, 3, 0]  # not shown yet
    form.results()
    with pytest.raises(ValueError, match="your answers are fixed"):
        form.value = [7, 2, 1, 6]
    with pytest.raises(ValueError, match="made unseen"):
        form.finished = False
    form.results()
    assert form.value == [7, 2, 3, 0]


@pytest.mark.parametrize(
    ("answers", "error", "says"),
    [
        ({"value": [10]}, ValueError, r"value\[0\].*from 0 to 9 or None"),
        ({"value": [3, -1]}, ValueError, r"value\[1\]"),
        ({"value": [True]}, TypeError, "whole number"),
        ({"value": ["7"]}, TypeError, "whole number"),
        ({"value": "7 2"}, TypeError, "list of digits"),
        ({"value": [1, 2, 3, 4, 5]}, ValueError, "4 images, but 5 answers"),
        ({"network": [7, 2, 1]}, ValueError, "4 images, but 3 answers in network"),
        ({"network": [7, 2, 1, 10]}, ValueError, r"network\[3\]"),
        ({"file": [7, 2, 1, None]}, TypeError, r"file\[3\].*from 0 to 9, .* got None"),
        ({"file": torch.tensor([0.1, 0.2, 0.3, 0.4])}, TypeError, r"file\[0\]"),
        ({"network": 7}, TypeError, "network as a list"),
    ],
    ids=str,
)
def test_answers_that_do_not_fit_are_refused(answers, error, says):
    with pytest.raises(error, match=says):
        BlindLabels(IMAGES, **answers)


def test_a_refused_answer_leaves_the_old_ones():
    form = a_form(value=[7])
    with pytest.raises(ValueError):
        form.value = [10]
    assert form.value == [7]


def test_an_empty_selection_is_refused():
    with pytest.raises(ValueError, match="images is empty"):
        BlindLabels(IMAGES[:0], network=[], file=[])


def test_answers_as_a_line_of_text():
    assert parse_answers("7 2 ? 1") == parse_answers("72?1") == parse_answers(" 7,2,\n?  1 ") == [7, 2, None, 1]
    form = BlindLabels.from_answers(IMAGES, "7 2 ? 1", NETWORK, FILE)
    assert form.value == [7, 2, None, 1] and form.finished
    assert form.agreement() == {"network": 2, "file": 2, "unsure": 1}


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("7 2 x 1", ValueError, "answer 3 is 'x'"),
        ("7 2 ² 1", ValueError, "answer 3 is '²'"),  # "²".isdigit() is true
        ("7 2 1", NotFinishedError, "1 of 4 images"),
        ("7 2 10 6", ValueError, "but 5 answers"),
        ([7, 2, 1, 6], TypeError, "as a string"),
    ],
    ids=str,
)
def test_text_that_does_not_fit_is_refused(text, error, says):
    with pytest.raises(error, match=says):
        BlindLabels.from_answers(IMAGES, text)


def test_messages_from_the_page():
    form = a_form()
    form.set_state({"value": [7, None]})
    form.set_state({"value": [7, None, 1, 6]})
    assert form.table == {}
    form.set_state({"finished": True})
    assert form.table["network"] == NETWORK
    both = a_form()
    both.set_state({"value": [7, None, 1, 6], "finished": True})  # where the page sends two changes at once
    assert both.table == form.table


def test_two_forms_do_not_share_answers():
    one, other = a_form(), a_form()
    one.value = [3]
    assert other.value == []


def test_the_pixels_of_the_page_are_those_of_the_images():
    assert a_form().pixels == (255 * IMAGES).round().byte().numpy().tobytes()


def test_the_static_figure_names_all_answers():
    figure = a_form(value=[7, 2, 3, None]).figure()
    titles = [axes.get_title() for axes in figure.axes]
    plt.close(figure)
    assert titles == ["7 · 7 · 7", "2 · 2 · 2", "3 · 1 · 3", "? · 6 · 0"]
