"""The web edition, built and opened in Chromium from a plain file server: make site, then pages and parts."""

import hashlib
import importlib.util
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from course_utils import evidence, load_checkpoint, load_mnist
from tests.browser.lab import INSTALL, QUIET, find_chromium

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


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass


@pytest.fixture(scope="module")
def address(built):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=HTML))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


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


def test_built_twice_it_has_the_same_bytes_and_is_small(built):
    again = build()
    assert {name for name in built.keys() | again.keys() if built.get(name) != again.get(name)} == set()
    assert sum((HTML / name).stat().st_size for name in again) < 25e6
    for name in again:
        assert not name.endswith(".html") or (HTML / name).stat().st_size < 1.5e6, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_every_page_opens_and_fits(page, address, width, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    for path in sorted(HTML.glob("*.html")):
        page.goto(address + path.name)
        assert page.locator("h1").count() >= 1, path.name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
        without = page.locator("main img:not([alt]), main img[alt='']").count()
        assert path.name == "search.html" or without == 0, f"{path.name}: {without} pictures without a text"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_page_is_open_to_all(page, address, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(address + "index.html")
    page.wait_for_selector("[data-ready]")
    found = Axe().run(page, options={"preload": False})  # or axe asks for stylesheets by wrong addresses
    assert found.violations_count == 0, found.generate_report()


def test_a_drawn_digit_is_read_and_leads_to_notebook_01(page, address):
    page.goto(address + "index.html")
    page.wait_for_selector("[data-ready]")
    box = page.get_by_test_id("pad").bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    for x, y in [(0.7, 0.2), (0.5, 0.5), (0.45, 0.85)]:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
    page.mouse.up()
    assert "the network reads 7" in page.get_by_test_id("status").inner_text()
    assert page.locator("[data-testid^=maps-]").count() == 2
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
