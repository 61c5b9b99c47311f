"""What every interactive part must be: accessible, readable when small, large or dark, alone, and honest when lost."""

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.scratch import CELLS, NAME

every_part = pytest.mark.parametrize("name", CELLS)


@pytest.fixture
def light_again(lab):
    yield
    lab.choose_theme("JupyterLab Light")


@pytest.fixture
def wide_again(lab):
    yield
    lab.resize(1280, 800)


def violations(lab, part) -> list[str]:
    """What axe-core says against a part, a line for each element."""
    selector = part.evaluate("part => { part.id ||= `audited-${part.dataset.widget}`; return `#${part.id}`; }")
    response = Axe().run(lab.page, context=selector).response
    assert response["passes"], "axe-core has looked at nothing"
    return [
        f"{violation['id']}: {node['failureSummary']}\n{node['html']}"
        for violation in response["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_nothing(lab, widgets, theme, light_again):
    """In the dark, contrast above all."""
    lab.choose_theme(f"JupyterLab {theme}")
    found = {}
    for name in CELLS:
        part = widgets.show(name)
        background = part.evaluate("part => getComputedStyle(part).backgroundColor")
        levels = sum(int(level) for level in background[4:-1].split(",")[:3])
        assert (levels < 3 * 80) == (theme == "Dark"), (name, background)
        lab.screenshot(f"{name}-{theme.lower()}", part)
        found[name] = violations(lab, part)
    assert not any(found.values()), found


# 200 % zoom in a window of 1280 x 800 pixels leaves 640 x 400 for the page; 390 x 844 is a telephone.
SIZES = {
    "1024 px": (1024, 768, True),
    "1024 px, no side bar": (1024, 768, False),
    "200 % zoom": (640, 400, True),
    "390 px": (390, 844, False),
}


def test_nothing_is_cut_off_or_too_small_to_read(lab, widgets, wide_again):
    parts = {name: widgets.show(name) for name in CELLS}
    found = {}
    for size, (width, height, side_bar) in SIZES.items():
        lab.resize(width, height, side_bar)
        for name, part in parts.items():
            lab.screenshot(f"{name}-{width}", part)
            found[name, size] = part.evaluate(CUT_OFF)
    assert not any(found.values()), found


# In the notebook, 0 0 restarts the kernel, d d deletes the cell, 1 makes a heading of it, b adds one below.
@every_part
def test_after_a_click_anywhere_in_it_keys_are_not_the_notebooks(lab, widgets, name):
    part = widgets.show(name)
    cells = [(cell.kind, cell.source) for cell in lab.cells()]
    part.click(position={"x": 4, "y": 4})  # between its edge and what is in it
    assert part.evaluate("part => part.contains(document.activeElement)")
    assert part.evaluate("part => getComputedStyle(part).boxShadow") != "none", "nothing shows where keys go"
    for key in "00dd1b":
        lab.page.keyboard.press(key)
    assert not lab.page.locator(".jp-Dialog").count(), "the notebook took a key"
    assert [(cell.kind, cell.source) for cell in lab.cells()] == cells
    here = lab.selected()
    count = lab.cells()[here].count
    lab.page.keyboard.press("Shift+Enter")  # the notebook goes on, and the part stays as it is
    assert (lab.selected(), lab.cells()[here].count) == (here + 1, count)
    assert not part.evaluate("part => part.contains(document.activeElement)")


# What a finger does, and the text that tells that it has been understood. The photo reader's one control, a file, is
# the browser's own.
TOUCHED = {
    "kernel-playground": ("output", [(0.01, 0.01)], "sum", "row 0, column 0"),
    "weight-sharing": ("output", [(0.9, 0.9)], "status", "row 3, column 3"),
    "shift-explorer": ("digit", [(0.5, 0.5 + 0.02 * step) for step in range(10)], "offset", "down"),
    "draw-digit": ("pad", [(0.5, 0.15 + 0.05 * step) for step in range(14)], "reading-mnist", "reads 1, "),
    "blind-labels": ("digit-7", [(0.5, 0.5)], "progress", "Image 2 of 4"),
}


def operate(lab, part, name) -> None:
    testid, path, says, text = TOUCHED[name]
    lab.touch(part.get_by_test_id(testid), path)
    lab.expect_text(part, says, text)


@pytest.mark.parametrize("name", TOUCHED)
def test_a_finger_operates_it_and_does_not_move_the_page(lab, widgets, name, wide_again):
    part = widgets.show(name)
    lab.resize(390, 844, side_bar=False)
    target = part.get_by_test_id(TOUCHED[name][0])
    for _ in range(2):  # cells get their true heights when they come into view
        target.scroll_into_view_if_needed()
        lab.page.wait_for_timeout(500)
    before = target.bounding_box()
    operate(lab, part, name)
    assert target.bounding_box()["y"] == before["y"]


# Elements that stand out of the part, or of what holds it, to the right or the left; a part with a scroll bar; and
# text smaller than 9 points.
CUT_OFF = """part => {
    const holder = part.closest('.jp-OutputArea-output').getBoundingClientRect();
    const {left, right} = part.getBoundingClientRect();
    const outside = [...part.querySelectorAll('*')].filter(element => {
        const box = element.getBoundingClientRect();
        return box.width && !element.closest('.sr-only') && (box.left < left - 1 || box.right > right + 1);
    });
    if (right > holder.right + 1 || part.scrollWidth > part.clientWidth) outside.push(part);
    const size = element => parseFloat(getComputedStyle(element).fontSize);
    outside.push(...[...part.querySelectorAll('*')].filter(element => size(element) < 12));
    return outside.map(element => element.outerHTML.slice(0, 200));
}"""


@every_part
def test_two_views_and_two_parts_have_no_id_in_common(lab, widgets, name):
    variable = CELLS[name].splitlines()[-1]
    widgets.show(name, f"{CELLS[name]}\ndisplay({variable})\n{CELLS[name]}")
    parts = widgets.root(name)
    parts.nth(1).wait_for()
    assert parts.count() == 2
    ids = lab.page.evaluate("() => [...document.querySelectorAll('.course-widget [id]')].map(({id}) => id)")
    assert len(ids) == len(set(ids))


def test_a_reloaded_page_shows_them_as_they_were(lab, server, widgets):
    for name in CELLS:
        part = widgets.show(name)
        if name in TOUCHED:
            part.get_by_test_id(TOUCHED[name][0]).scroll_into_view_if_needed()
            operate(lab, part, name)
    pad = lab.pixels(widgets.root("draw-digit").get_by_test_id("pad"))
    weight = widgets.root("kernel-playground").get_by_label("Weight, row 0, column 0")
    weight.fill("2.5")
    assert widgets.ask("playground.kernel[0][0]") == "2.5"
    lab.reload()
    assert "widgets" not in nbformat.read(server.root / NAME, as_version=4).metadata, "their state is in the notebook"
    for name in CELLS:
        part = widgets.root(name)
        part.wait_for(state="attached")  # some lie outside the view
        assert part.get_attribute("data-kernel") == "live", name
        if name in TOUCHED:
            lab.expect_text(part, *TOUCHED[name][2:])
    assert weight.input_value() == "2.5"
    assert lab.pixels(widgets.root("draw-digit").get_by_test_id("pad")) == pad


def test_a_restarted_kernel_is_told_and_what_is_advised_mends_it(lab, widgets):
    for name in CELLS:
        widgets.show(name)
    lab.restart_kernel()
    for name in CELLS:
        lab.expect_text(widgets.root(name), "kernel-lost", "Run All Above Selected Cell")
        assert widgets.root(name).get_attribute("data-kernel") == "lost"
    lab.screenshot("kernel-lost", widgets.root(name))
    last = widgets.root(name)
    last.get_by_test_id("kernel-lost").click()
    index = lab.selected()
    assert lab.cells()[index].source == CELLS[name]
    lab.menu("Run", "Run All Above Selected Cell")
    for name in list(CELLS)[:-1]:
        lab.expect_text(widgets.root(name), "kernel-lost", "")
    last.get_by_test_id("kernel-lost").click()
    lab.page.keyboard.press("Shift+Enter")
    lab.expect_text(last, "kernel-lost", "")
