"""The band of several repeats against the numbers it was drawn from."""

import matplotlib.pyplot as plt
import torch

from course_utils import plots


def test_band_draws_the_mean_and_reaches_from_lowest_to_highest():
    figure, axes = plt.subplots()
    values = torch.tensor([[1.0, 4.0, 9.0], [3.0, 4.0, 6.0]])  # two repeats, three points
    plots.band(axes, [10, 20, 30], values, "C0o-", "a label")
    (line,) = axes.lines
    assert line.get_label() == "a label" and line.get_marker() == "o"
    assert line.get_xydata().tolist() == [[10, 2], [20, 4], [30, 7.5]]
    (band,) = axes.collections
    corners = {tuple(point) for point in band.get_paths()[0].vertices.tolist()}
    assert {(10, 1), (10, 3), (20, 4), (30, 6), (30, 9)} <= corners
    plt.close(figure)
