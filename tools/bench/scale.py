"""The figure and the table of what an image costs by batch, threads and processes.

Both are made of what experiments/scale.py stored, as `evidence.load("scale")` gives it.
"""

from statistics import median
from typing import Any

import matplotlib.pyplot as plt

PANELS = {"microseconds": "microseconds an image", "peak_mb": "peak memory, MB"}
MARKERS = ("o", "s", "^")


def draw(stored: dict[str, Any]) -> plt.Figure:
    """Time and memory against the size of the batch, a line for each way; dots are single rounds."""
    sizes = stored["settings"]["batch_sizes"]
    figure, axes = plt.subplots(1, len(PANELS), figsize=(10, 3.8))
    for panel, (value, label) in zip(axes, PANELS.items(), strict=True):
        for way, marker in zip(stored["settings"]["ways"], MARKERS, strict=True):
            rounds = [measured(stored, value, way, size) for size in sizes]
            (line,) = panel.plot(sizes, list(map(median, rounds)), marker + "-", label=way)
            panel.plot(sizes, rounds, marker, color=line.get_color(), alpha=0.3, markersize=4)
        panel.set(xscale="log", xlabel="images in a batch", ylabel=label, ylim=(0, None))
        panel.minorticks_off()
        panel.set_xticks(sizes, sizes)
    axes[0].legend()
    return figure


def measured(stored: dict[str, Any], value: str, way: str, batch_size: int) -> list[float]:
    """What the rounds measured."""
    return [run[value] for run in stored["results"] if (run["way"], run["batch_size"]) == (way, batch_size)]


def table(stored: dict[str, Any]) -> list[str]:
    """The medians behind the figure, as lines of a Markdown table: microseconds an image, and MB."""
    ways = stored["settings"]["ways"]
    lines = [f"| Images in a batch | {' | '.join(ways)} |", "|--:" * (1 + len(ways)) + "|"]
    for size in stored["settings"]["batch_sizes"]:
        pairs = [[median(measured(stored, value, way, size)) for value in PANELS] for way in ways]
        cells = [f"{microseconds:.0f} µs, {mb:.0f} MB" for microseconds, mb in pairs]
        lines.append(f"| {size} | {' | '.join(cells)} |")
    return lines
