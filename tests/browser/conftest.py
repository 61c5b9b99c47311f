"""Fixtures of the browser tests: Chromium, JupyterLab, and a page that shows it; and what to say when a test fails."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Error, sync_playwright

from tests.browser import scratch
from tests.browser.lab import INSTALL, QUIET, Lab, Network, Server, find_chromium

MISSING = f"no Chromium or Chrome found. Install one: {INSTALL}"


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


# As long as one of these files follows another, which finds JupyterLab's scripts loaded and compiled. And no longer:
# Playwright keeps an asyncio loop running, which nbval's kernels mind.
@pytest.fixture(scope="package")
def browser():
    executable = find_chromium()
    if executable is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("jupyterlab"))
    yield server
    server.stop()


@pytest.fixture(scope="package")
def network():
    return Network()


@pytest.fixture(scope="package")
def lab(browser, server, network):
    """A window of 1280 x 800 pixels. When the tests are over, nothing may have been asked from outside."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, service_workers="block")
    context.set_default_timeout(120_000)  # ms: a shared machine has slow minutes
    network.watch(context)
    yield Lab(server, context.new_page())
    context.close()
    assert network.inside, "the guard saw no request at all, not even to the server: it does not watch"
    assert not network.outside, f"requests left the machine: {network.outside}"


@pytest.fixture(scope="module")
def widgets(lab, server):
    """A notebook with all interactive parts, open, its imports run. All modules share its kernel."""
    if not (server.root / scratch.NAME).exists():
        scratch.write_notebook(server.root)
    if lab.path() != scratch.NAME:
        lab.open(scratch.NAME)
    troubles = lab.run(0, seconds=180).troubles()
    assert not troubles, troubles
    return scratch.Widgets(lab)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """A failed test leaves a screenshot, and its report says what the selected cell shows."""
    report = yield
    lab = item.funcargs.get("lab") if hasattr(item, "funcargs") else None
    if report.when != "teardown" and report.failed and isinstance(lab, Lab):
        try:
            picture = lab.screenshot(f"failed-{item.name}")
            cell = lab.page.locator(".jp-Notebook:visible .jp-Cell.jp-mod-active").inner_text(timeout=1000)
            report.sections.append(("JupyterLab", f"{picture}\nselected cell:\n{cell}"))
        except Error as error:  # the page may be what has failed
            report.sections.append(("JupyterLab", f"no screenshot or no selected cell: {error}"))
    return report


def pytest_terminal_summary(terminalreporter):
    """Where the browser tests were skipped, say so once more and in colour: `-q` hides reasons."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if MISSING in str(report.longrepr)]
    if skipped:
        terminalreporter.section("BROWSER TESTS DID NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.write_line(f"{len(skipped)} tests: {MISSING}", red=True, bold=True)
