"""The web edition, built and opened in Chromium from a plain file server: make site, then pages and parts."""

import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright

from course_utils import evidence, load_checkpoint, load_mnist
from tests.browser.lab import INSTALL, QUIET, find_chromium
from tests.checks.cases import WRONG
from tests.site.server import served
from tools import site_pages

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "site" / "_build" / "html"
MISSING = 'Sphinx, myst-nb and the theme are not installed, so the web edition was not built: pip install -e ".[site]"'
pytestmark = [pytest.mark.slow, pytest.mark.browser]


def build() -> dict[str, str]:
    """Build the site; return the digest of each of its files."""
    subprocess.run([sys.executable, "-m", "tools.build_site"], cwd=ROOT, check=True)
    files = sorted(path for path in HTML.rglob("*") if path.is_file())
    return {str(path.relative_to(HTML)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def built():
    if not all(map(importlib.util.find_spec, ("sphinx", "myst_nb", "latex2mathml"))):
        pytest.skip(MISSING)
    return build()


@pytest.fixture(scope="module")
def address(built):
    with served(HTML) as address:
        yield address


@pytest.fixture(scope="module")
def browser(built):
    executable = find_chromium()
    if executable is None:
        pytest.skip(f"no Chromium or Chrome found. Install one: {INSTALL}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """A page that may ask nobody else for anything, and whose script may not complain."""
    context = browser.new_context(viewport={"width": 1024, "height": 800})
    page, troubles, asked = context.new_page(), [], []
    page.on("console", lambda message: message.type == "error" and troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    context.close()
    foreign = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    assert asked and not foreign, f"requests left the page's origin: {foreign}"
    assert not troubles, troubles


def open_page(page, url: str) -> None:
    """Open a page, wait for its parts, and unfold all that is folded."""
    page.goto(url)
    page.wait_for_function("[...document.querySelectorAll('[data-part]')].every((part) => part.dataset.ready)")
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    page.evaluate("Promise.all(document.getAnimations().map((animation) => animation.finished))")  # folds fade in


def fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def notebooks() -> list[tuple[str, list[dict]]]:
    """The name and the cells of each notebook."""
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    return [(path.stem, json.loads(path.read_text(encoding="utf-8"))["cells"]) for path in paths]


def parsed(name: str) -> BeautifulSoup:
    """The page of a notebook."""
    return BeautifulSoup((HTML / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


def test_built_twice_it_has_the_same_bytes_and_is_small(built):
    shutil.rmtree(ROOT / "site" / "_cache")
    again = build()
    assert {name for name in built.keys() | again.keys() if built.get(name) != again.get(name)} == set()
    assert sum((HTML / name).stat().st_size for name in again) < 25e6
    for name in again:
        assert not name.endswith(".html") or (HTML / name).stat().st_size < 1.5e6, name


# Code and formulas are thousands of elements, for which axe would take minutes: it judges one of each kind.
ONE_OF_EACH_KIND = """() => {
  // All styles are read before anything changes: in turns, the browser would lay the page out anew for each.
  const tokens = [...document.querySelectorAll("pre span")];
  const kinds = tokens.map((token) => token.className + getComputedStyle(token.closest("pre")).backgroundColor);
  tokens.forEach((token, at) => {
    if (kinds.indexOf(kinds[at]) < at && !token.querySelector("a")) token.replaceWith(...token.childNodes);
  });
  [...document.querySelectorAll("math")].slice(2).forEach((formula) => formula.replaceChildren("formula"));
}"""


SCROLLS = "pre, .cell_output > .output, .pst-scrollable-table-container"
SCROLLS_BY_KEYS = f"""[...document.querySelectorAll("{SCROLLS}")].every((block) =>
  block.tabIndex >= 0 || (block.scrollWidth <= block.clientWidth && block.scrollHeight <= block.clientHeight))"""


def test_every_page_fits_and_is_open_to_all(page, address):
    """In both colour schemes, on a screen and on a telephone."""
    wrong = []
    for path in sorted(HTML.glob("*.html")):
        open_page(page, address + path.name)
        for width in (1440, 1024, 390):
            page.set_viewport_size({"width": width, "height": 800})
            wrong += [] if fits(page) else [f"{path.name}: too wide for {width} px"]
        if path.stem != "search" and page.locator("main img:not([alt]), main img[alt='']").count():
            wrong.append(f"{path.name}: a picture without a text")
        page.evaluate(ONE_OF_EACH_KIND)
        for scheme, width in (("dark", 390), ("light", 1024)):
            show(page, scheme, width)
            # without preload: false, axe asks for stylesheets by wrong addresses
            found = Axe().run(page, options={"preload": False, "resultTypes": ["violations"]})
            wrong += [f"{path.name}, {scheme}: {found.generate_report()}"] if found.violations_count else []
            wrong += [f"{path.name}: no heading"] if page.locator("main h1:visible").count() != 1 else []
    assert not wrong, "\n".join(wrong)


def show(page, scheme: str, width: int) -> None:
    """The page in a colour scheme and a width, when the theme has followed: it needs a while.

    Which ends with an error where the theme makes no key scroll a block of code, or a table.
    """
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_function("scheme => document.documentElement.dataset.theme === scheme", arg=scheme)
    page.wait_for_function(SCROLLS_BY_KEYS)
    page.evaluate("Promise.all(document.getAnimations().map((animation) => animation.finished))")


class Links(HTMLParser):
    """What a page links to, and the places in it that can be linked to."""

    def __init__(self, text: str):
        super().__init__()
        self.targets, self.places = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.places.add(found.get("id"))
        if tag == "a" and "href" in found:
            self.targets.append(found["href"])


def test_every_link_leads_somewhere(built):
    pages = {path.name: Links(path.read_text(encoding="utf-8")) for path in HTML.glob("*.html")}
    for name, page in pages.items():
        for target in page.targets:
            path, _, place = target.partition("#")
            if path.startswith(("https://", "http://")):
                continue
            assert path in pages or (HTML / (path or name)).is_file(), f"{name}: {target}"
            assert not place or unquote(place) in pages[path or name].places, f"{name}: {target}"
    assert "running.html" in pages["teaching.html"].targets
    assert any("#beyond-images-cell-07-43-b" in target for target in pages["08_beyond_images.html"].targets)


def test_each_figure_has_its_own_text(built):
    for name, cells in notebooks():
        outputs = [output for cell in cells if cell["cell_type"] == "code" for output in cell["outputs"]]
        texts = [output["metadata"]["image/png"]["alt"] for output in outputs if "image/png" in output.get("data", {})]
        assert [image["alt"] for image in parsed(name).select(".cell_output img")] == texts, name


def test_an_exercise_has_hints_of_its_check_and_its_solution_folded(built):
    for name, cells in notebooks():
        page = parsed(name)
        ladders = page.select(".course-exercise")
        calls = ["".join(cell["source"]) for cell in cells]
        checked = [calls[at + 1] for at, cell in enumerate(cells) if "exercise" in cell["metadata"].get("tags", ())]
        assert len(ladders) == len(checked)
        solutions = ["solution" in cell["metadata"].get("tags", ()) for cell in cells]
        folds = page.select("details:not([open]) > summary")
        assert sum("Show a solution" in fold.text for fold in folds) == sum(solutions)
        for ladder, call in zip(ladders, checked, strict=True):
            check = re.match(r"checks\.(\w+)", call)[1]
            known = [hint.replace("`", "") for _, hint in WRONG[check].values() if hint]
            steps = [" ".join(step.text.split()) for step in ladder.select("details > p")]
            assert f"{name}.ipynb" in ladder.text and 1 <= len(steps) <= 3
            assert all(any(hint in step for hint in known) for step in steps), (check, steps)


def test_a_page_is_used_with_the_keyboard(page, address):
    page.goto(address + "01_convolution_intuition.html")
    keyboard = page.keyboard
    hint = page.locator(".course-exercise summary").first
    hint.focus()
    keyboard.press("Enter")
    keyboard.press("Tab")  # the second one, inside the first
    assert page.evaluate("document.activeElement.innerText") == "Hint 2"
    keyboard.press("Enter")
    assert page.locator(".course-exercise").first.get_by_text("the kernel lies on its side").is_visible()
    page.locator(".theme-switch-button:visible").focus()
    for key in ("Enter", "Tab", "ArrowDown", "ArrowDown", "Enter"):  # open its list, into it, from auto to dark
        keyboard.press(key)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    keyboard.press("Control+k")
    keyboard.type("dilation")
    keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=dilation*")
    page.get_by_role("link", name="Convolution intuition").first.wait_for()


def test_a_term_leads_to_the_glossary(page, address):
    page.goto(address + "04_building_the_cnn.html")
    term = page.locator("a.course-term", has_text="receptive field")
    assert term.get_attribute("title") == "The pixels of the image on which one number of a layer depends."
    term.click()
    page.wait_for_url("**/glossary.html#term-receptive-field")
    assert "The pixels of the image on which" in page.locator("li:has(:target)").inner_text()


def test_on_paper_there_is_the_page_alone(page, address):
    page.goto(address + "03_pooling.html")
    page.emulate_media(media="print")
    for name in (".bd-header", ".bd-sidebar-primary", ".bd-sidebar-secondary", ".prev-next-area", ".course-run"):
        assert not any(part.is_visible() for part in page.locator(name).all()), name
    assert page.locator("article p").first.is_visible()


def test_once_there_is_an_address_a_page_says_where_else_it_runs(monkeypatch):
    assert "Colab" not in site_pages.where_to_run("05_training.ipynb")
    monkeypatch.setattr(site_pages.address, "repository", lambda: "https://github.com/someone/course")
    links = Links(site_pages.where_to_run("05_training.ipynb")).targets
    colab = "https://colab.research.google.com/github/someone/course/blob/main/notebooks/05_training.ipynb"
    binder = "https://mybinder.org/v2/gh/someone/course/HEAD?urlpath=lab/tree/notebooks/05_training.ipynb"
    assert {"notebooks/05_training.ipynb", colab, binder, "running.html#on-colab"} < set(links)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_a_drawn_digit_is_read_and_leads_to_notebook_01(page, address, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(address + "index.html")
    page.wait_for_selector("[data-ready]")
    box = page.get_by_test_id("pad").bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    for x, y in [(0.7, 0.2), (0.5, 0.5), (0.45, 0.85)]:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
    page.mouse.up()
    assert "the network reads 7" in page.get_by_test_id("status").inner_text()
    assert page.locator("[data-testid^=maps-]").count() == 2 and fits(page)
    page.get_by_role("link", name="Begin here").click()
    page.wait_for_url("**/01_convolution_intuition.html")


def test_the_page_computes_what_pytorch_does(page, address):
    images = load_mnist().test.images[:100]
    network = load_checkpoint(evidence.folder() / "modern_network.pt").eval()
    with torch.no_grad():
        expected = network(images)
    page.goto(address + "index.html")
    script = """async (images) => {
      const { logitsOf } = await import("./_static/parts.js");
      return Promise.all(images.map(logitsOf));
    }"""
    computed = torch.tensor(page.evaluate(script, images.flatten(1).tolist()))
    torch.testing.assert_close(computed, expected, atol=1e-4, rtol=0)


def test_parts_without_a_python_half_are_operated(page, address):
    page.goto(address + "02_local_connections_and_weight_sharing.html")
    part = page.locator("[data-part=weight_sharing][data-ready]")
    before = part.inner_text()
    part.get_by_role("application").first.focus()
    page.keyboard.press("ArrowRight")
    assert part.inner_text() != before
    page.goto(address + "01_convolution_intuition.html")
    part = page.locator("[data-part=kernel_playground][data-ready]")
    part.get_by_test_id("stride").fill("1")
    page.keyboard.press("Tab")
    assert "28 by 28 pixels" in part.inner_text()


def test_the_shift_explorer_is_operated(page, address):
    page.goto(address + "03_pooling.html")
    page.set_viewport_size({"width": 390, "height": 800})
    part = page.locator("[data-part=shift_explorer][data-ready]")
    part.get_by_test_id("digit").focus()
    page.keyboard.press("ArrowLeft")
    assert "Moved by 1 to the left" in part.get_by_test_id("offset").inner_text()
    before = part.get_by_test_id("prediction").all_inner_texts()
    for _ in range(7):
        page.keyboard.press("ArrowDown")
    assert "Moved by 1 to the left, 7 down" in part.get_by_test_id("offset").inner_text()
    assert part.get_by_test_id("prediction").all_inner_texts() != before
    assert fits(page)


def test_blind_labelling_is_operated_and_tells_at_its_end(page, address):
    page.goto(address + "06_error_analysis.html")
    page.set_viewport_size({"width": 390, "height": 800})
    part = page.locator("[data-part=blind_labels][data-ready]")
    part.get_by_test_id("image").focus()
    for key in ["7", "Backspace", "?", *"4" * 24]:
        assert not part.get_by_test_id("results").is_visible()
        page.keyboard.press(key)
    page.keyboard.press("Enter")  # on the button that shows the answers
    part.get_by_text("Of 25 images you agree with the file on").wait_for()
    rows = part.get_by_test_id("results").locator("tbody tr")
    theirs = [row.locator("td").all_inner_texts()[1:3] for row in rows.all()]
    assert len(theirs) == 25 and all(network != file for network, file in theirs)  # its mistakes, all of them
    assert fits(page)
