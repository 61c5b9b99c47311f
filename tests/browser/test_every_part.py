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
    lab.page.set_viewport_size({"width": 1280, "height": 800})


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


@every_part
def test_axe_finds_nothing(lab, widgets, name):
    part = widgets.show(name)
    assert violations(lab, part) == []


@every_part
def test_dark_theme(lab, widgets, name, light_again):
    part = widgets.show(name)
    lab.choose_theme("JupyterLab Dark")
    background = part.evaluate("part => getComputedStyle(part).backgroundColor")
    assert sum(int(level) for level in background[4:-1].split(",")[:3]) < 3 * 80, background
    lab.screenshot(f"{name}-dark", part)
    assert violations(lab, part) == []  # contrast, above all


# 200 % zoom in a window of 1280 x 800 pixels leaves 640 x 400 for the page.
@every_part
@pytest.mark.parametrize(("width", "height"), [(1024, 768), (640, 400)], ids=["1024 px", "200 % zoom"])
def test_nothing_is_cut_off(lab, widgets, name, wide_again, width, height):
    part = widgets.show(name)
    lab.page.set_viewport_size({"width": width, "height": height})
    lab.screenshot(f"{name}-{width}", part)
    assert part.evaluate(CUT_OFF) == []


# Elements that stand out of the part, or of what holds it, to the right or the left; and a part with a scroll bar.
CUT_OFF = """part => {
    const holder = part.closest('.jp-OutputArea-output').getBoundingClientRect();
    const {left, right} = part.getBoundingClientRect();
    const outside = [...part.querySelectorAll('*')].filter(element => {
        const box = element.getBoundingClientRect();
        return box.width && !element.closest('.sr-only') && (box.left < left - 1 || box.right > right + 1);
    });
    if (right > holder.right + 1 || part.scrollWidth > part.clientWidth) outside.push(part);
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


@every_part
def test_a_reloaded_page_shows_it_again(lab, server, widgets, name):
    widgets.show(name)
    lab.reload()
    assert "widgets" not in nbformat.read(server.root / NAME, as_version=4).metadata, "its state is in the notebook"
    widgets.root(name).wait_for()
    assert widgets.root(name).get_attribute("data-kernel") == "live"


def test_a_restarted_kernel_is_told_and_running_the_cell_again_mends_it(lab, widgets):
    for name in CELLS:
        widgets.show(name)
    lab.restart_kernel()
    for name in CELLS:
        lab.expect_text(widgets.root(name), "kernel-lost", "run this cell again")
        assert widgets.root(name).get_attribute("data-kernel") == "lost"
    lab.screenshot("kernel-lost", widgets.root(name))
    assert not lab.run(0, seconds=180).troubles()
    for name in CELLS:
        lab.expect_text(widgets.show(name), "kernel-lost", "")
