"""Blind labelling by mouse and by keyboard. The images are a 7, a 2, a 1 and a 0; the network takes the 0 for a 6."""

import pytest

NAME = "blind-labels"


@pytest.fixture
def part(widgets):
    return widgets.show(NAME)


def rows(part) -> list[list[str]]:
    """The table, without its pictures."""
    return [row.locator("td").all_inner_texts() for row in part.get_by_test_id("results").locator("tbody tr").all()]


def test_labelling_with_the_mouse(lab, part):
    first = lab.pixels(part.get_by_test_id("image"))
    part.get_by_test_id("digit-7").click()
    lab.expect_text(part, "progress", "Image 2 of 4")
    assert lab.pixels(part.get_by_test_id("image")) != first
    part.get_by_test_id("digit-3").click()
    part.get_by_test_id("undo").click()
    lab.expect_text(part, "progress", "Image 2 of 4")
    part.get_by_test_id("digit-2").click()
    part.get_by_test_id("unsure").click()
    lab.screenshot(f"{NAME}-form", part)
    part.get_by_test_id("digit-0").click()
    lab.expect_text(part, "progress", "All 4 images labelled")
    assert "The network" not in part.inner_text(), "the answers are shown before they are asked for"
    part.get_by_test_id("show").click()
    lab.expect_text(part, "agreement", "Of 4 images you agree with the file on 3 and with the network on 2; on 1 you")
    assert rows(part) == [
        ["7", "7", "7", "network and file"],
        ["2", "2", "2", "network and file"],
        ["can't tell", "1", "1", "–"],
        ["0", "6", "0", "file"],
    ]
    lab.screenshot(NAME, part)


def test_labelling_with_one_key_a_digit(lab, part, widgets):
    keyboard = lab.page.keyboard
    part.get_by_test_id("image").focus()
    keyboard.press("7")
    assert lab.has_visible_focus()
    keyboard.press("?")
    lab.expect_text(part, "status", "Image 2: you can't tell")
    keyboard.press("Backspace")
    lab.expect_text(part, "progress", "Image 2 of 4")
    for key in "213":  # 1, which JupyterLab would take to make a heading of the cell
        keyboard.press(key)
    lab.expect_text(part, "progress", "All 4 images labelled")
    assert lab.focused() == "show"
    assert lab.has_visible_focus()
    keyboard.press("Enter")
    lab.expect_text(part, "agreement", "you agree with the file on 3 and with the network on 3")
    assert rows(part)[3] == ["3", "6", "0", "neither"]
    assert lab.focused() == "agreement"  # and not nowhere: what had the focus is gone
    assert {cell.kind for cell in lab.cells()} == {"code"}
    assert widgets.ask("form.value, form.agreement()['file']") == "([7, 2, 1, 3], 3)"


def test_its_keys_work_as_soon_as_its_cell_is_run_but_not_when_the_page_is_opened_again(lab, part, widgets):
    lab.expect_text(part, "keys", "Keys: 0 to 9")
    lab.page.keyboard.press("7")
    lab.expect_text(part, "progress", "Image 2 of 4")
    assert lab.has_visible_focus()
    lab.page.keyboard.press("Shift+Enter")
    lab.expect_text(part, "keys", "Click here")
    part.get_by_test_id("keys").click()
    lab.page.keyboard.press("2")
    lab.expect_text(part, "progress", "Image 3 of 4")
    lab.reload()
    again = widgets.root(NAME)
    lab.expect_text(again, "progress", "Image 3 of 4")
    lab.expect_text(again, "keys", "Click here")


def test_two_forms_do_not_share_answers(lab, widgets):
    forms = widgets.show(NAME, "display(BlindLabels(digits))\nBlindLabels(digits)")
    forms.nth(1).wait_for()
    forms.nth(0).get_by_test_id("digit-4").click()
    lab.expect_text(forms.nth(0), "progress", "Image 2 of 4")
    lab.expect_text(forms.nth(1), "progress", "Image 1 of 4")
