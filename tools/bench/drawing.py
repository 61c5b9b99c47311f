"""How long an answer takes once the pen is lifted: python -m tools.bench.drawing

From the strokes as they arrive from the page to all that the page shows: pixels, MNIST's form, the network, feature
maps, bytes. The way through the browser and JupyterLab comes on top. Exit code 1 where the median is above the limit.
"""

import statistics
import sys
import time
from itertools import pairwise

import torch

from course_utils import threads
from course_utils.models import CNN, ModernCNN
from course_utils.widgets.draw_digit import DrawDigit
from tools.bench.digit_strokes import DIGITS

LIMIT = 100  # milliseconds, of which the page and JupyterLab take some 30
ROUNDS = 10
APART = 0.008  # of the pad's side: how near the page's points lie, static/draw_digit.js


def as_drawn(stroke: list) -> list:
    """The stroke with a point every 0.008, as a slow hand leaves them."""
    points = [list(stroke[0])]
    for (x0, y0), (x1, y1) in pairwise(stroke):
        parts = max(1, int(((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 / APART))
        points += [[x0 + (x1 - x0) * part / parts, y0 + (y1 - y0) * part / parts] for part in range(1, parts + 1)]
    return points


def measure(model: torch.nn.Module, rounds: int = ROUNDS) -> dict:
    """Milliseconds of each answer, by the clock and of the processor alone, and the points of the longest drawing."""
    pad = DrawDigit(model)
    drawings = [[as_drawn(stroke) for stroke in strokes] for strokes in DIGITS.values()]
    clock, processor = [], []
    for drawing in drawings * (rounds + 1):
        pad.value = []
        start, start_processor = time.perf_counter(), time.process_time()
        pad.value = drawing
        clock.append(1000 * (time.perf_counter() - start))
        processor.append(1000 * (time.process_time() - start_processor))
        assert pad.answer["state"] == "read"
    warm = len(drawings)  # the first round is left out
    longest = max(sum(map(len, drawing)) for drawing in drawings)
    return {"clock": clock[warm:], "processor": processor[warm:], "points": longest}


def report(name: str, measured: dict) -> str:
    """The line that the benchmark prints."""
    clock, processor = measured["clock"], measured["processor"]
    return (
        f"{name:>9}: {statistics.median(clock):6.1f} ms from strokes to answer (median of {len(clock)}, worst "
        f"{max(clock):.1f}); processor time {statistics.median(processor):.1f}, worst {max(processor):.1f}; "
        f"up to {measured['points']} points; limit {LIMIT}"
    )


def main() -> int:
    """Measure both networks, print a line for each, and return the exit code."""
    threads.choose()  # as the notebooks do
    above = False
    for model in (CNN(), ModernCNN()):
        measured = measure(model)
        above |= statistics.median(measured["clock"]) > LIMIT
        print(report(type(model).__name__, measured))
    return int(above)


if __name__ == "__main__":
    sys.exit(main())
