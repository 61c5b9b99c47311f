"""The weight-sharing view by mouse and by keyboard: 6 by 6 pixels, a 3 by 3 kernel, 4 by 4 outputs."""

import pytest

NAME = "weight-sharing"


@pytest.fixture
def part(widgets):
    return widgets.show(NAME)


def click_output(part, row, column) -> None:
    output = part.get_by_test_id("output")
    side = output.bounding_box()["width"] / 4
    output.click(position={"x": (column + 0.5) * side, "y": (row + 0.5) * side})


def test_a_click_shows_what_an_output_uses(lab, part):
    before = lab.pixels(part.get_by_test_id("matrix-local"))
    click_output(part, 2, 3)
    lab.expect_text(part, "status", "Output row 2, column 3 (counted from 0) of 4 by 4; 2 of 16 visited.")
    lab.expect_text(part, "counts-dense", "uses 36 weights; 0 of them are used by other outputs too")
    lab.expect_text(part, "counts-local", "uses 9 weights; 0 of them are used by other outputs too")
    lab.expect_text(part, "counts-shared", "uses 9 weights; 9 of them are used by other outputs too")
    assert lab.pixels(part.get_by_test_id("matrix-local")) != before
    lab.screenshot(NAME, part)


def test_the_output_is_a_grid_of_pixels(part):
    style = part.get_by_test_id("output").evaluate(
        "output => { const {content, backgroundImage, backgroundSize} = getComputedStyle(output, '::after');"
        " return [content, backgroundImage, backgroundSize]; }"
    )
    assert style[0] == '""' and style[1].count("linear-gradient") == 2 and style[2] == "25% 100%, 100% 25%"


def test_the_count_runs_on_and_starts_again(lab, part):
    for place in ((0, 1), (1, 1), (0, 1)):  # with the first, at row 0, column 0: three outputs
        click_output(part, *place)
    lab.expect_text(part, "so-far-dense", "3 outputs, 108 of 576 weights used")
    lab.expect_text(part, "so-far-local", "3 outputs, 27 of 144 weights used")
    lab.expect_text(part, "so-far-shared", "3 outputs, 9 of 9 weights used")
    part.get_by_test_id("restart").click()
    lab.expect_text(part, "so-far-local", "1 output, 9 of 144 weights used")


def test_arrow_keys_pick_an_output(lab, part, widgets):
    output = part.get_by_test_id("output")
    output.focus()
    lab.page.keyboard.press("ArrowDown")
    lab.page.keyboard.press("End")
    assert lab.has_visible_focus()
    lab.expect_text(part, "status", "row 1, column 3")
    lab.page.keyboard.press("Tab")
    assert lab.focused() == "restart"
    lab.page.keyboard.press("Enter")
    lab.expect_text(part, "so-far-dense", "1 output, 36 of 576 weights used")
    assert widgets.ask("sharing.visited, tuple(sharing.uses('dense'))") == "([[1, 3]], (36, 0, 36))"


def test_two_parts_do_not_share_their_count(lab, widgets):
    parts = widgets.show(NAME, "display(WeightSharing())\nWeightSharing()")
    parts.nth(1).wait_for()
    click_output(parts.nth(0), 3, 3)
    lab.expect_text(parts.nth(0), "status", "2 of 16 visited")
    lab.expect_text(parts.nth(1), "status", "1 of 16 visited")
