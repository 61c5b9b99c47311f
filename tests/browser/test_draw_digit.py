"""Drawing a digit by mouse and by keyboard, and what the network reads in it."""

import re

import pytest

NAME = "draw-digit"
# Strokes as corners, in units of the pad's side from its upper left.
ONE = [[(0.52, 0.12), (0.48, 0.88)]]
SEVEN = [[(0.25, 0.18), (0.75, 0.18), (0.45, 0.88)]]


@pytest.fixture
def part(widgets):
    return widgets.show(NAME)


def draw(lab, part, strokes) -> None:
    """With the mouse, as a hand does: through points in between."""
    pad = part.get_by_test_id("pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    mouse = lab.page.mouse
    for corners in strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
        mouse.move(*places[0])
        mouse.down()
        for place in places[1:]:
            mouse.move(*place, steps=12)
        mouse.up()


def test_a_blank_pad_predicts_nothing(lab, part):
    lab.expect_text(part, "status", "The pad is blank")
    lab.expect_text(part, "reading-mnist", "nothing to read")
    assert not part.get_by_test_id("bars-mnist").is_visible()
    assert part.get_by_test_id("maps").locator("canvas").count() == 0


@pytest.mark.parametrize(("strokes", "digit"), [(ONE, 1), (SEVEN, 7)], ids=["1", "7"])
def test_a_clear_digit_drawn_with_the_mouse_is_read(lab, part, strokes, digit):
    draw(lab, part, strokes)
    lab.expect_text(part, "reading-mnist", f"reads {digit}, ")
    lab.expect_text(part, "status", f"MNIST's way, the network reads {digit}")
    bars = part.get_by_test_id("bars-mnist").locator("li").all_inner_texts()
    shares = [int(re.search(r"(\d+) %", text)[1]) for text in bars]
    assert len(shares) == 10 and shares.index(max(shares)) == digit
    for layer in (1, 2):
        assert len(set(colours(part.get_by_test_id(f"maps-{layer}")))) > 3, "the feature maps are empty"
    lab.screenshot(f"{NAME}-{digit}", part)


def colours(picture) -> list[int]:
    return picture.locator("canvas").evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    )


def test_both_readings_stand_beside_the_pad_where_the_side_bar_leaves_room_for_it(lab, part):
    lab.resize(1024, 768)
    try:
        pad, *readings = [
            part.get_by_test_id(name).bounding_box() for name in ("pad", "reading-drawn", "reading-mnist")
        ]
        assert pad["x"] + pad["width"] <= readings[0]["x"] < readings[1]["x"]
        assert readings[0]["y"] == readings[1]["y"] < pad["y"] + pad["height"]
    finally:
        lab.resize(1280, 800)


def test_on_a_telephone_pad_and_answer_are_on_one_screen(lab, part):
    lab.resize(390, 844, side_bar=False)
    try:
        draw(lab, part, ONE)
        lab.expect_text(part, "reading-mnist", "reads 1, ")
        part.evaluate("part => part.scrollIntoView({block: 'start'})")
        assert part.get_by_test_id("pad").bounding_box()["width"] > 200
        for name in ("reading-drawn", "reading-mnist"):
            box = part.get_by_test_id(name).bounding_box()
            assert box["y"] + box["height"] < 844 - 24  # the status bar
    finally:
        lab.resize(1280, 800)


def test_off_centre_is_seen_by_the_two_readings(lab, part):
    small = [[(0.1 + 0.2 * x, 0.1 + 0.2 * y) for x, y in stroke] for stroke in SEVEN]
    draw(lab, part, small)
    lab.expect_text(part, "reading-drawn", "reads")
    assert lab.pixels(part.get_by_test_id("picture-drawn")) != lab.pixels(part.get_by_test_id("picture-mnist"))


def test_undo_clear_and_next_example(lab, part):
    draw(lab, part, ONE)
    lab.expect_text(part, "reading-mnist", "reads 1, ")
    one = lab.pixels(part.get_by_test_id("pad"))
    draw(lab, part, [[(0.1, 0.5), (0.9, 0.5)]])
    assert lab.pixels(part.get_by_test_id("pad")) != one
    part.get_by_test_id("undo").click()
    lab.expect_text(part, "reading-mnist", "reads 1, ")
    assert lab.pixels(part.get_by_test_id("pad")) == one
    part.get_by_test_id("next-example").click()
    lab.expect_text(part, "reading-mnist", "reads 7, ")  # the first test image
    part.get_by_test_id("clear").click()
    lab.expect_text(part, "status", "The pad is blank")


def test_a_digit_drawn_with_the_keyboard_is_read(lab, part):
    pad = part.get_by_test_id("pad")
    pad.focus()
    keyboard = lab.page.keyboard
    keyboard.press("Home")  # aslant: up and left
    for _ in range(3):
        keyboard.press("ArrowUp")
    lab.expect_text(part, "pen-status", "Pen up at column 5, row 2")
    for key in ("ArrowLeft", "ArrowLeft", "Space", *["ArrowRight"] * 5, *["ArrowDown", "ArrowDown", "End"] * 2):
        keyboard.press(key)
    for _ in range(2):
        keyboard.press("ArrowDown")
    lab.expect_text(part, "pen-status", "Pen down")
    keyboard.press("Space")
    lab.expect_text(part, "reading-mnist", "reads 7, ")
    lab.screenshot(f"{NAME}-keyboard", part)
    assert lab.has_visible_focus()
    keyboard.press("Backspace")
    lab.expect_text(part, "status", "The pad is blank")


def test_buttons_are_reached_by_keyboard(lab, part):
    part.get_by_test_id("pad").focus()
    for button in ("undo", "clear", "next-example"):
        lab.page.keyboard.press("Tab")
        assert lab.focused() == button
        assert lab.has_visible_focus()
    lab.page.keyboard.press("Enter")
    lab.expect_text(part, "reading-mnist", "reads 7, ")


def test_two_pads_do_not_share_a_drawing(lab, widgets):
    pads = widgets.show(NAME, "display(DrawDigit(model))\nDrawDigit(model)")
    pads.nth(1).wait_for()
    draw(lab, pads.nth(0), ONE)
    lab.expect_text(pads.nth(0), "reading-mnist", "reads 1, ")
    lab.expect_text(pads.nth(1), "status", "The pad is blank")


def test_python_has_the_drawing(lab, part, widgets):
    draw(lab, part, ONE)
    lab.expect_text(part, "reading-mnist", "reads 1, ")
    assert widgets.ask("len(pad.value), int(pad.predict().argmax())") == "(1, 1)"
