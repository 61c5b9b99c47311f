"""The shift explorer by mouse and by keyboard. What it says is compared with what the networks answer in Python."""

import pytest

NAME = "shift-explorer"
PIXELS = 28


@pytest.fixture
def part(widgets):
    return widgets.show(NAME)


def drag(lab, part, dx, dy) -> None:
    """The digit, by that many of its pixels."""
    digit = part.get_by_test_id("digit")
    digit.scroll_into_view_if_needed()
    box = digit.bounding_box()
    x, y, pixel = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box["width"] / PIXELS
    mouse = lab.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + dx * pixel, y + dy * pixel, steps=8)
    mouse.up()


def says(part) -> list[str]:
    """The digit that each network reads, as the page shows it."""
    return [text.split()[1] for text in part.get_by_test_id("prediction").all_inner_texts()]


def test_dragging_moves_digit_predictions_and_maps(lab, part, widgets):
    digit = lab.pixels(part.get_by_test_id("digit"))
    maps = lab.pixels(part.get_by_test_id("feature-map").first)
    assert "7" in part.get_by_test_id("prediction").nth(1).inner_text()
    drag(lab, part, 5, -2)
    lab.expect_text(part, "offset", "Moved by 5 to the right, 2 up")
    assert lab.pixels(part.get_by_test_id("digit")) != digit
    assert lab.pixels(part.get_by_test_id("feature-map").first) != maps
    assert part.get_by_test_id("bars").nth(0).locator("li").count() == 10
    lab.screenshot(NAME, part)
    assert widgets.ask("[explorer.dx, explorer.dy, *explorer.value.values()]") == f"[5, -2, {', '.join(says(part))}]"


def test_the_page_answers_as_the_networks_do(lab, part, widgets):
    drag(lab, part, 6, 6)
    lab.expect_text(part, "offset", "6 to the right, 6 down")
    moved = "nn.functional.pad(digits[:1], (6, -6, 6, -6))"
    answers = widgets.ask(f"[int(network({moved}).argmax()) for network in (dense, model)]")
    assert answers == f"[{', '.join(says(part))}]"


def test_arrow_keys_move_it_as_far_as_was_computed(lab, part):
    part.get_by_test_id("digit").focus()
    lab.page.keyboard.press("ArrowLeft")
    assert lab.has_visible_focus()
    lab.expect_text(part, "offset", "Moved by 1 to the left")
    for _ in range(10):
        lab.page.keyboard.press("ArrowDown")
    lab.expect_text(part, "offset", "Moved by 1 to the left, 8 down")
    lab.page.keyboard.press("Tab")
    assert lab.focused() == "home"
    lab.page.keyboard.press("Enter")
    lab.expect_text(part, "offset", "In the middle")


def test_two_parts_do_not_move_together(lab, widgets):
    source = "display(ShiftExplorer(digits[0], {'CNN': model}))\nShiftExplorer(digits[0], {'CNN': model})"
    parts = widgets.show(NAME, source)
    parts.nth(1).wait_for()
    drag(lab, parts.nth(0), 3, 0)
    lab.expect_text(parts.nth(0), "offset", "3 to the right")
    lab.expect_text(parts.nth(1), "offset", "In the middle")
