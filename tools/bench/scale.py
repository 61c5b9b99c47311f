"""The figure of what an image costs by batch, threads and processes, from the stored result of experiments/scale.py."""

import statistics

import matplotlib.pyplot as plt

from course_utils import evidence

PANELS = {"microseconds": "microseconds an image", "peak_mb": "peak memory, MB"}
MARKERS = ("o", "s", "^")


def draw() -> plt.Figure:
    """Time and memory against the size of the batch, a line for each way; dots are single rounds."""
    stored = evidence.load("scale")
    sizes = stored["settings"]["batch_sizes"]
    figure, axes = plt.subplots(1, len(PANELS), figsize=(10, 3.8))
    for panel, (value, label) in zip(axes, PANELS.items(), strict=True):
        for way, marker in zip(stored["settings"]["ways"], MARKERS, strict=True):
            rounds = [measured(value, way, size) for size in sizes]
            (line,) = panel.plot(sizes, [statistics.median(each) for each in rounds], marker + "-", label=way)
            for size, each in zip(sizes, rounds, strict=True):
                panel.plot([size] * len(each), each, marker, color=line.get_color(), alpha=0.3, markersize=4)
        panel.set(xscale="log", xlabel="images in a batch", ylabel=label, ylim=(0, None))
        panel.minorticks_off()
        panel.set_xticks(sizes, sizes)
    axes[0].legend()
    return figure


def measured(value: str, way: str, batch_size: int) -> list[float]:
    """What the rounds measured."""
    runs = evidence.load("scale")["results"]
    return [run[value] for run in runs if (run["way"], run["batch_size"]) == (way, batch_size)]


def table() -> list[str]:
    """The medians behind the figure, as lines of a Markdown table: microseconds an image, and MB."""
    settings = evidence.load("scale")["settings"]
    lines = [
        f"| Images in a batch | {' | '.join(settings['ways'])} |",
        "|--:" * (1 + len(settings["ways"])) + "|",
    ]
    for size in settings["batch_sizes"]:
        cells = [
            f"{statistics.median(measured('microseconds', way, size)):.0f} µs, "
            f"{statistics.median(measured('peak_mb', way, size)):.0f} MB"
            for way in settings["ways"]
        ]
        lines.append(f"| {size} | {' | '.join(cells)} |")
    return lines
