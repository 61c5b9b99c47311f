"""The guards of the browser tests can fail: each is shown what it is there to find."""

import nbformat
import pytest

from tests.browser.lab import Network
from tests.browser.scratch import PYTHON

SICK = ("import sys", "print('a warning', file=sys.stderr)", "1 / 0", "print('not reached')")


@pytest.fixture
def sick(lab, server) -> str:
    """A notebook, open in JupyterLab, with a cell that writes to stderr and one that fails."""
    cells = [nbformat.v4.new_code_cell(source) for source in SICK]
    cells.append(nbformat.v4.new_markdown_cell("![](no-such-picture.png)"))
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=PYTHON), server.root / "sick.ipynb")
    lab.open("sick.ipynb")


def test_an_error_and_a_warning_are_seen(lab, sick):
    _, warns, fails = (cell.troubles() for cell in lab.run_to(2))
    assert warns == ["cell 1, \"print('a warning', file=sys.stderr)\" writes to stderr: a warning\n"]
    assert fails == ["cell 2, '1 / 0' shows ZeroDivisionError: division by zero"]
    assert lab.cells()[3].count is None
    warning, error, picture = lab.broken()
    assert "cell 1" in warning and "a warning" in warning
    assert "cell 2" in error and "ZeroDivisionError" in error
    assert "cell 4: an image is not shown" in picture


@pytest.mark.parametrize("address", ["http://192.0.2.1/", "https://example.org/a.js"])
def test_a_request_to_elsewhere_is_counted_and_aborted(browser, address):
    network = Network()
    context = browser.new_context()
    network.watch(context)
    page = context.new_page()
    answer = page.evaluate("address => fetch(address).then(() => 'answered', error => error.name)", address)
    context.close()
    assert answer == "TypeError"
    assert network.outside == [address]


def test_a_websocket_to_elsewhere_is_counted(browser):
    network = Network()
    context = browser.new_context()
    network.watch(context)
    page = context.new_page()
    page.evaluate(
        "() => new Promise(done => { const socket = new WebSocket('ws://192.0.2.1/'); socket.onerror = done;"
        " setTimeout(done, 500); })"
    )
    context.close()
    assert network.outside == ["ws://192.0.2.1/"]
