"""JupyterLab as `make lab` opens it, the browser that the tests drive, and what a learner does in its window."""

import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import BrowserContext, Locator, Page, expect

from course_utils import copies

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SCREENSHOTS = Path(__file__).parent / "screenshots"

INSTALL = "apt-get update && apt-get install -y chromium   (or name one: CHROMIUM=/path/to/chromium)"
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
)
# Chromium itself asks for updates, lists and translations. These tests count requests, so it must not.
QUIET = (
    "--no-sandbox",  # Chromium's sandbox refuses root, which one is in a container
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LOOPBACK = re.compile(r"^(https?|wss?)://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/|$)")
INSIDE = re.compile(r"^(data|blob|about|chrome-error|devtools):")  # never reach a network
START_SECONDS = 180


def find_chromium() -> str | None:
    """Path of Chromium or Chrome: $CHROMIUM, else the first of `BROWSERS` that is installed."""
    return next(filter(None, map(shutil.which, filter(None, (os.environ.get("CHROMIUM"), *BROWSERS)))), None)


class Server:
    """JupyterLab on loopback, at a free port, over a learner's copies; of its settings, only the course's count."""

    def __init__(self, folder: Path):
        self.root = folder / "my notebooks"
        copies.update(self.root)
        self._settings = folder / "jupyter"
        self._settings.mkdir()
        self._log = (folder / "server.log").open("w+")
        self._process = self._start()
        try:
            self.url, self.token = self._address()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> subprocess.Popen:
        ours = {f"JUPYTER_{name}_DIR": str(self._settings) for name in ("CONFIG", "DATA", "RUNTIME")}
        ours |= {
            "JUPYTERLAB_SETTINGS_DIR": str(self._settings / "user"),
            "JUPYTERLAB_WORKSPACES_DIR": str(self._settings / "workspaces"),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
            "TQDM_DISABLE": "1",
        }
        launched = copies.lab_environment()
        course = {name: launched.pop(name) for name in ("JUPYTER_CONFIG_PATH", "JUPYTER_PREFER_ENV_PATH")}
        theirs = {name: value for name, value in launched.items() if not name.startswith("JUPYTER")}
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": 0,
            "LabApp.expose_app_in_browser": True,  # window.jupyterapp: the tests read the notebook's model there
            "LabApp.extension_manager": "readonly",
        }
        return subprocess.Popen(
            copies.lab_command(self.root, "--no-browser", *(f"--{name}={value}" for name, value in options.items())),
            cwd=self.root.parent,
            env={"OMP_NUM_THREADS": "1"} | theirs | course | ours,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def _address(self) -> tuple[str, str]:
        """URL and token, which the server writes down once it answers."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            for path in self._settings.glob("jpserver-*.json"):
                try:
                    written = json.loads(path.read_text())
                except json.JSONDecodeError:  # it is being written
                    continue
                return written["url"].rstrip("/"), written["token"]
            time.sleep(0.1)
        self._log.seek(0)
        raise RuntimeError(f"JupyterLab did not start within {START_SECONDS} s:\n{self._log.read()}")

    def stop(self) -> None:
        """Stop the server, which stops its kernels."""
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


@dataclass
class Network:
    """Counts what a browser's pages ask from anywhere but this machine, and lets none of it out."""

    outside: list[str] = field(default_factory=list)
    inside: int = 0

    def watch(self, context: BrowserContext) -> None:
        context.on("request", lambda request: self._note(request.url))
        context.on("page", lambda page: page.on("websocket", lambda socket: self._note(socket.url)))
        context.route(lambda url: not (LOOPBACK.match(url) or INSIDE.match(url)), lambda route: route.abort())

    def _note(self, url: str) -> None:
        if LOOPBACK.match(url):
            self.inside += 1
        elif not INSIDE.match(url):
            self.outside.append(url)


# A notebook as JupyterLab holds it, which is all of it, whatever part of it is on screen.
READ_CELLS = """() => window.jupyterapp.shell.currentWidget.content.widgets.map(({model}) => ({
    kind: model.type,
    source: model.sharedModel.getSource(),
    count: model.executionCount ?? null,
    outputs: model.outputs ? model.outputs.toJSON() : [],
    tags: model.getMetadata('tags') ?? [],
}))"""
IS_OPEN = """path => {
    const panel = window.jupyterapp?.shell.currentWidget;
    return panel?.context?.path === path && panel.context.isReady && panel.sessionContext.isReady
        && panel.sessionContext.session?.kernel?.status === 'idle' && !!panel.content.widgets.length;
}"""
IS_SHOWN = """path => {
    const panel = window.jupyterapp?.shell.currentWidget;
    return panel?.context?.path === path && panel.context.isReady && !!panel.content.widgets.length;
}"""
# As a click on its name opens it, but for the kernel.
SHOW = """async path => {
    const kernelPreference = {autoStartDefault: false, shouldStart: false};
    await window.jupyterapp.commands.execute('docmanager:open', {path, kernelPreference});
}"""
HAVE_RUN = """index => {
    const panel = window.jupyterapp.shell.currentWidget;
    const cells = panel.content.widgets.slice(0, index + 1).map(cell => cell.model)
        .filter(model => model.type === 'code' && model.sharedModel.getSource().trim());
    const failed = cells.some(({outputs}) => outputs.length && outputs.get(outputs.length - 1).type === 'error');
    const run = cells.every(model => model.executionCount);
    return panel.sessionContext.session.kernel.status === 'idle' && (failed || run);
}"""
# JupyterLab puts cells on the page when they come into view: each is scrolled to, and waited for until it is there.
BROKEN = """async () => {
    const {content} = window.jupyterapp.shell.currentWidget, found = [];
    const broken = ["[data-mime-type='application/vnd.jupyter.error']",
                    "[data-mime-type='application/vnd.jupyter.stderr']", ".jp-mod-error", "mjx-merror"].join();
    const words = /Error displaying widget|Loading widget/;
    for (const [index, {node, model}] of content.widgets.entries()) {
        const folded = model.getMetadata('jupyter')?.outputs_hidden;
        const parts = folded ? 0 : model.outputs?.length ?? 0;
        const say = what => found.push(`cell ${index}: ${what}`);
        const there = () => node.isConnected && node.querySelectorAll('.jp-OutputArea-output').length >= parts;
        await content.scrollToItem(index);
        for (let wait = 0; wait < 600 && !there(); wait++) await new Promise(done => setTimeout(done, 50));
        if (!there()) { say(`its ${parts} outputs are not on the page`); continue; }
        for (const element of node.querySelectorAll(broken)) say(element.outerHTML.slice(0, 300));
        for (const output of node.querySelectorAll('.jp-OutputArea-output'))
            if (words.test(output.textContent)) say(output.textContent.match(words)[0]);
        for (const image of node.querySelectorAll('img'))
            await image.decode().catch(error => say(`an image is not shown: ${error}`));
    }
    return found;
}"""

FORGET_COUNT = """index => {
    window.jupyterapp.shell.currentWidget.content.widgets[index].model.executionCount = null;
}"""
HAS_RUN = """index => {
    const panel = window.jupyterapp.shell.currentWidget;
    return panel.content.widgets[index].model.executionCount && panel.sessionContext.session.kernel.status === 'idle';
}"""

# An output looks for its widget for 2 s (jupyterlab_widgets, get_model). Where the page is so busy that the kernel's
# widgets arrive while that time runs out, it says "model not found" for good, though kernel and widget are both there:
# a busy machine's race that no setting of ours can end. To reload again, as a learner would, shows them.
# Each of them is there, or an error in its place: before that, one that will get lost can't be told from one to come.
WIDGETS_ARE_SETTLED = """() => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    const outputs = notebook.widgets.flatMap(cell => cell.model.outputs?.toJSON() ?? []);
    const views = outputs.filter(output => output.data?.['application/vnd.jupyter.widget-view+json']).length;
    // textContent: innerText leaves out what JupyterLab doesn't render while it lies outside the view
    const lost = notebook.node.textContent.split('Error displaying widget').length - 1;
    return notebook.node.querySelectorAll('.course-widget').length + lost >= views;
}"""

# Asked of the server: a page may think otherwise.
HAS_NO_KERNEL = """async path => {
    const answer = await fetch(new URL('/api/sessions', location.href));
    return (await answer.json()).every(session => session.path !== path);
}"""


@dataclass
class Cell:
    """A cell of the open notebook: what its model holds."""

    index: int
    kind: str
    source: str
    count: int | None
    outputs: list[dict]
    tags: list[str]

    def text(self) -> str:
        """What it printed or displayed, as text, its errors included."""
        return "".join(
            "".join(output.get("text", output.get("traceback", output.get("data", {}).get("text/plain", ""))))
            + output.get("evalue", "")
            for output in self.outputs
        )

    def troubles(self) -> list[str]:
        """A line for each error and each piece of standard error that the cell shows."""
        where = f"cell {self.index}, {self.source.strip()[:60]!r}"
        found = [
            f"{where} shows {output['ename']}: {output['evalue']}"
            for output in self.outputs
            if output["output_type"] == "error"
        ]
        return found + [
            f"{where} writes to stderr: {''.join(output['text'])[:500]}"
            for output in self.outputs
            if output.get("name") == "stderr"
        ]


class Lab:
    """JupyterLab in a page, and what a learner does there."""

    def __init__(self, server: Server, page: Page):
        self.server, self.page = server, page

    def go(self, path: str) -> None:
        """To the address of a file, in a window with no other."""
        address = f"{self.server.url}/lab/tree/{path}?reset&token={self.server.token}"
        self.page.goto(address, wait_until="commit")

    def open(self, path: str) -> None:
        """Open a notebook by its address, in a window with no other."""
        self.go(path)
        self.wait_until_open(path)

    def show(self, path: str) -> None:
        """Open a notebook in the window as it is, without a kernel."""
        self.page.evaluate(SHOW, path)
        self.wait_for(IS_SHOWN, path)

    def wait_until_open(self, path: str) -> None:
        """Until that notebook is in front and its kernel has nothing to do."""
        self.wait_for(IS_OPEN, path)

    def wait_for(self, condition: str, argument: object = None, seconds: float = 180) -> None:
        """Until a JavaScript function returns something true. Asked five times a second: the kernel needs the cores."""
        self.page.wait_for_function(condition, arg=argument, timeout=1000 * seconds, polling=200)

    def path(self) -> str | None:
        """Of the notebook in front."""
        return self.page.evaluate("() => window.jupyterapp?.shell.currentWidget?.context?.path ?? null")

    def menu(self, *names: str) -> None:
        """Choose from the menus, as in `menu("Run", "Run All Cells")`."""
        bar, *entries = names
        self.page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{bar}$")).click()
        for entry in entries:
            self.page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{re.escape(entry)}$")).click()

    def cells(self) -> list[Cell]:
        """All cells of the notebook in front."""
        return [Cell(index, **cell) for index, cell in enumerate(self.page.evaluate(READ_CELLS))]

    def cell(self, index: int) -> Locator:
        """The cell on screen, scrolled to."""
        self.page.evaluate(
            "async index => { const {content} = window.jupyterapp.shell.currentWidget;"
            " content.activeCellIndex = index; content.mode = 'command'; await content.scrollToItem(index); }",
            index,
        )
        return self.page.locator(f".jp-Notebook:visible .jp-Cell[data-windowed-list-index='{index}']")

    def write(self, index: int, source: str) -> None:
        """Replace what a cell says, with the keyboard."""
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(source)

    def run(self, index: int, seconds: float = 180) -> Cell:
        """Run one cell with Shift+Enter and return it when it has finished."""
        cell = self.cell(index)
        editor = cell.locator(".cm-content:visible")
        if editor.count():
            editor.click()
        else:  # its source is folded
            cell.focus()
        self.page.evaluate(FORGET_COUNT, index)  # it may be 1 again
        self.page.keyboard.press("Shift+Enter")
        self.wait_for(HAS_RUN, index, seconds)
        return self.cells()[index]

    def run_to(self, index: int) -> list[Cell]:
        """Clear all outputs, so that none of them is an old one; run the cells down to that one, and return them."""
        self.menu("Edit", "Clear Outputs of All Cells")
        assert not any(cell.outputs or cell.count for cell in self.cells()), "cells keep their outputs"
        self.cell(index + 1)
        self.menu("Run", "Run All Above Selected Cell")
        self.wait_for(HAVE_RUN, index, seconds=600)
        return self.cells()[: index + 1]

    def broken(self) -> list[str]:
        """What the page shows amiss, a line for each: errors, parts that don't load, images that aren't there."""
        return self.page.evaluate(BROKEN)

    def restart_kernel(self) -> None:
        """Restart the kernel from the menu, and confirm; wait until it answers."""
        self.menu("Kernel", "Restart Kernel…")
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.wait_for(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.kernelDisplayStatus === 'idle'"
            " && !document.querySelector('.jp-Dialog')"
        )

    def save(self) -> None:
        """Save the notebook in front."""
        self.menu("File", "Save Notebook")
        self.wait_for("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")

    def reload(self) -> None:
        """Save the notebook, reload the page, and wait until the notebook is there again."""
        path = self.path()
        self.save()
        for _ in range(3):
            self.page.reload()
            self.wait_until_open(path)
            self.wait_for(WIDGETS_ARE_SETTLED)
            if not self.page.get_by_text("Error displaying widget: model not found").count():
                return

    def resize(self, width: int, height: int, side_bar: bool = True) -> None:
        """Of the window; and show or hide the side bar with the files, which takes a quarter of it."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.evaluate(
            "shown => { const {shell} = window.jupyterapp; shown ? shell.expandLeft() : shell.collapseLeft(); }",
            side_bar,
        )
        self.page.wait_for_timeout(300)  # it is laid out after that

    def touch(self, part: Locator, path: list[tuple[float, float]]) -> None:
        """Put a finger on `part`, move it and lift it; the path in shares of the part's width and height."""
        box = part.bounding_box()
        points = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in path]
        session = self.page.context.new_cdp_session(self.page)
        for event, point in zip(["touchStart", *["touchMove"] * (len(points) - 1)], points, strict=True):
            session.send("Input.dispatchTouchEvent", {"type": event, "touchPoints": [point]})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        session.detach()

    def selected(self) -> int:
        """The index of the selected cell."""
        return self.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex")

    def choose_theme(self, name: str) -> None:
        """JupyterLab Dark or JupyterLab Light."""
        self.menu("Settings", "Theme", name)
        light = str("Light" in name).lower()
        self.wait_for("light => document.body.dataset.jpThemeLight === light", light)

    def close(self, path: str) -> None:
        """Close a notebook's tab and wait until no kernel is left of it: with PyTorch it has 1 GB."""
        tab = self.page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text=path.rpartition("/")[2])
        tab.locator(".lm-TabBar-tabCloseIcon").click()
        self.wait_for(HAS_NO_KERNEL, path)

    def expect_text(self, part: Locator, testid: str, text: str) -> None:
        """Until the element says `text` somewhere, or says nothing if it is empty."""
        expect(part.get_by_test_id(testid)).to_have_text(re.compile(re.escape(text) if text else "^$"), timeout=60_000)

    def pixels(self, picture: Locator) -> str:
        """The content of the canvas in `picture`, to be compared."""
        return picture.locator("canvas").evaluate("canvas => canvas.toDataURL()")

    def focused(self) -> str | None:
        """data-testid of the element that has the focus."""
        return self.page.evaluate("() => document.activeElement?.dataset.testid ?? null")

    def has_visible_focus(self) -> bool:
        """Does the browser draw an outline around the element that has the focus?"""
        return self.page.evaluate(
            "() => { const {outlineStyle, outlineWidth} = getComputedStyle(document.activeElement);"
            " return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2; }"
        )

    def screenshot(self, name: str, part: Locator | None = None) -> Path:
        """Save what the page shows, after scrolling to `part`, as screenshots/`name`.png."""
        if part:
            for _ in range(2):  # cells get their true heights when they come into view
                part.evaluate("part => part.closest('.jp-OutputArea').scrollIntoView({block: 'start'})")
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path
