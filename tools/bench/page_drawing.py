"""How long an answer takes in the web edition once the pen is lifted: python -m tools.bench.page_drawing

From the pen's being lifted to the text that says what the network reads, in Chromium, on the site that `make site`
built. Stored as evidence "page_drawing", of which docs/benchmarks.md has a sentence. Exit code 1 where the median is
above the limit.
"""

import statistics
import sys
import time

from playwright.sync_api import Page, sync_playwright

from course_utils import evidence
from tests.browser.lab import QUIET, find_chromium
from tests.site.server import served
from tools.bench.digit_strokes import DIGITS
from tools.build_site import BUILD

LIMIT = 30  # milliseconds
ROUNDS = 5
WATCH = """() => {
  window.times = [];
  let lifted = null;
  addEventListener("pointerup", () => { lifted = performance.now(); }, true);
  new MutationObserver(() => {
    if (lifted !== null) window.times.push(performance.now() - lifted);
    lifted = null;
  }).observe(document.querySelector("[data-testid=status]"), { childList: true, characterData: true, subtree: true });
}"""


def measure(page: Page) -> list[float]:
    """Milliseconds of each answer: every digit, several rounds, the first of which is left out."""
    page.wait_for_selector("[data-ready]")
    page.evaluate(WATCH)
    for strokes in list(DIGITS.values()) * (ROUNDS + 1):
        box = page.get_by_test_id("pad").bounding_box()
        for stroke in strokes:
            points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
            page.mouse.move(*points[0])
            page.mouse.down()
            for point in points[1:]:
                page.mouse.move(*point, steps=4)
            page.mouse.up()
        page.keyboard.press("Delete")
    times = page.evaluate("window.times")
    return times[len(times) // (ROUNDS + 1) :]


def main() -> int:
    """Measure, store, print a sentence, and return the exit code."""
    code, start = evidence.code_version(), time.perf_counter()
    with served(BUILD / "html") as address, sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=find_chromium(), args=QUIET).new_page()
        page.goto(address + "index.html")
        times = measure(page)
    evidence.store("page_drawing", {}, [round(each, 1) for each in times], time.perf_counter() - start, code)
    print(sentence(times))
    return int(statistics.median(times) > LIMIT)


def sentence(times: list[float]) -> str:
    """What docs/benchmarks.md says of it."""
    return (
        f"In the web page {statistics.median(times):.0f} ms pass from the pen's being lifted to the answer (median of "
        f"{len(times)} in Chromium, the slowest {max(times):.0f}); the limit is {LIMIT}."
    )


if __name__ == "__main__":
    sys.exit(main())
