"""The kernel playground by mouse and by keyboard. Its arithmetic is compared with Python in the unit tests."""

import re

import pytest

NAME = "kernel-playground"
HOLD_DOWN = """async (element, key) => {
    for (let repeat = 0; repeat < 75; repeat++) { // three seconds
        element.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
        await new Promise(done => setTimeout(done, 40));
    }
}"""


@pytest.fixture
def part(widgets):
    return widgets.show(NAME)


def said(part, testid: str) -> str:
    return part.get_by_test_id(testid).inner_text()


def test_hovering_shows_window_products_and_sum(lab, part):
    output = part.get_by_test_id("output")
    output.hover(position={"x": 5, "y": 5})
    lab.expect_text(part, "sum", "row 0, column 0")
    box = output.bounding_box()
    side = box["width"] / 26  # of an output pixel
    output.hover(position={"x": 15.5 * side, "y": 13.5 * side})
    lab.expect_text(part, "sum", "row 13, column 15")
    assert len(part.get_by_test_id("window").locator("td").all()) == 9
    products = [number(cell) for cell in part.get_by_test_id("products").locator("td").all_inner_texts()]
    total = number(re.search(r"add up to (\S+)\.$", said(part, "sum"))[1])
    assert sum(products) == pytest.approx(total, abs=0.05)  # each product is shown with two decimals
    assert total != 0
    lab.screenshot(NAME, part)


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def test_arrow_keys_move_over_the_output(lab, part):
    part.get_by_test_id("output").focus()
    for key, place in [
        ("Home", "row 13, column 0"),
        ("ArrowRight", "row 13, column 1"),
        ("ArrowDown", "row 14, column 1"),
        ("End", "row 14, column 25"),
        ("ArrowRight", "row 14, column 25"),
        ("ArrowUp", "row 13, column 25"),
    ]:
        lab.page.keyboard.press(key)
        lab.expect_text(part, "sum", place)


def test_output_follows_the_kernel(lab, part):
    before = lab.pixels(part.get_by_test_id("output"))
    part.get_by_test_id("preset").select_option(label="blur")
    lab.expect_text(part, "sum", "9 products")
    blurred = lab.pixels(part.get_by_test_id("output"))
    assert blurred != before
    part.get_by_label("Weight, row 0, column 0").fill("1/0")
    lab.expect_text(part, "message", "row 0, column 0 must be a number")
    part.get_by_label("Weight, row 0, column 0").fill("-3")
    lab.expect_text(part, "message", "")
    assert lab.pixels(part.get_by_test_id("output")) != blurred
    assert part.get_by_test_id("preset").input_value() == "your own"


def test_what_is_typed_while_the_kernel_answers_stays(lab, part, widgets):
    """A busy kernel, or a hub far away, answers late to the blur: it must not undo the weight that was typed since."""
    widgets.keep_busy(2)
    part.get_by_test_id("preset").select_option(label="blur")
    lab.page.wait_for_timeout(300)  # it is on its way to the kernel
    part.get_by_label("Weight, row 0, column 0").fill("-3")
    part.get_by_test_id("output").evaluate(HOLD_DOWN, "ArrowDown")  # and the learner goes on, until after the answer
    assert part.get_by_label("Weight, row 0, column 0").input_value() == "-3"
    assert widgets.ask("playground.kernel[0][0], playground.position[0]") == "(-3.0, 25)"


def tops(part, *testids) -> list[float]:
    """Of elements, from the part's own top: the notebook may have been scrolled."""
    return [part.get_by_test_id(testid).bounding_box()["y"] - part.bounding_box()["y"] for testid in testids]


@pytest.mark.parametrize(("width", "side_bar"), [(1280, True), (1024, True), (390, False)])
def test_what_is_wrong_is_said_where_room_is_kept_for_it(lab, part, width, side_bar):
    lab.resize(width, 800, side_bar)
    try:
        parts = ("output", "sum", "products")
        part.get_by_label("Size").select_option("7")
        before = tops(part, *parts)
        part.get_by_label("Weight, row 0, column 0").fill("x")
        lab.expect_text(part, "message", "row 0, column 0 must be a number")
        assert tops(part, *parts) == pytest.approx(before, abs=1)
        part.get_by_label("Weight, row 0, column 0").fill("0")
        part.get_by_label("Stride").fill("")
        lab.expect_text(part, "message", "whole number")
        assert tops(part, *parts) == pytest.approx(before, abs=1)
    finally:
        lab.resize(1280, 800)


def test_a_kernel_of_7_by_7_stands_between_window_and_products(part):
    part.get_by_label("Size").select_option("7")
    boxes = [part.get_by_test_id(testid).bounding_box() for testid in ("window", "kernel", "products")]
    assert max(box["y"] for box in boxes) - min(box["y"] for box in boxes) < 3
    assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]


def test_size_formula_follows_stride_padding_and_size(lab, part):
    lab.expect_text(part, "output-size", "⌊(28 + 2·0 − 3) / 1⌋ + 1 = 26")
    part.get_by_label("Stride").fill("2")
    lab.expect_text(part, "output-size", "⌊(28 + 2·0 − 3) / 2⌋ + 1 = 13")
    part.get_by_label("Padding").fill("2")
    lab.expect_text(part, "output-size", "⌊(28 + 2·2 − 3) / 2⌋ + 1 = 15")
    part.get_by_label("Size").select_option("5")
    lab.expect_text(part, "output-size", "⌊(28 + 2·2 − 5) / 2⌋ + 1 = 14")


def test_everything_is_reached_and_changed_by_keyboard(lab, part):
    keyboard = lab.page.keyboard
    part.get_by_test_id("preset").focus()
    keyboard.press("ArrowDown")
    assert part.get_by_test_id("preset").input_value().startswith("brighter below")
    for control in ("kernel-size", "stride", "padding"):
        keyboard.press("Tab")
        assert lab.focused() == control
    keyboard.press("ArrowUp")
    lab.expect_text(part, "output-size", "2·1")
    keyboard.press("Tab")
    assert lab.focused() == "output"
    keyboard.press("Home")
    lab.expect_text(part, "sum", ", column 0")
    assert lab.has_visible_focus()
    keyboard.press("Tab")
    keyboard.press("ArrowDown")  # within the kernel, arrows go from weight to weight
    keyboard.press("ArrowRight")
    keyboard.type("5")
    assert part.get_by_label("Weight, row 1, column 1").input_value() == "5"
    assert part.get_by_test_id("preset").input_value() == "your own"
    assert lab.has_visible_focus()


def test_python_hears_what_the_page_changed(lab, part, widgets):
    part.get_by_label("Stride").fill("3")
    lab.expect_text(part, "output-size", "= 9")
    assert widgets.ask("playground.stride, playground.output_size") == "(3, (9, 9))"


def test_two_playgrounds_do_not_share_a_kernel(lab, widgets):
    parts = widgets.show(NAME, "display(KernelPlayground(digits[0]))\nKernelPlayground(digits[0])")
    parts.nth(1).wait_for()
    parts.nth(0).get_by_label("Stride").fill("2")
    lab.expect_text(parts.nth(0), "output-size", "= 13")
    lab.expect_text(parts.nth(1), "output-size", "= 26")
