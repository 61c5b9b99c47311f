"""The drawings that several notebooks use, against the numbers they were drawn from."""

import matplotlib.pyplot as plt
import pytest
import torch

from course_utils import plots


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_band_draws_the_mean_and_reaches_from_lowest_to_highest(axes):
    values = torch.tensor([[1.0, 4.0, 9.0], [3.0, 4.0, 6.0]], requires_grad=True)  # two repeats, three points
    plots.band(axes, [10, 20, 30], values, "C0o-", "a label")
    (line,) = axes.lines
    assert line.get_label() == "a label" and line.get_marker() == "o"
    assert line.get_xydata().tolist() == [[10, 2], [20, 4], [30, 7.5]]
    (band,) = axes.collections
    corners = {tuple(point) for point in band.get_paths()[0].vertices.tolist()}
    assert {(10, 1), (10, 3), (20, 4), (30, 6), (30, 9)} <= corners


def test_each_value_stands_in_its_pixel_and_can_be_read(axes):
    shades = torch.tensor([[0.0, 0.2, 1.0], [0.9, 0.1, 0.8]])
    plots.image_axes(axes, shades)
    plots.write_values(axes, 100 * shades, "{:.0f}")  # other numbers than those drawn
    written = {text.get_position(): (text.get_text(), text.get_color()) for text in axes.texts}
    assert written == {
        (0, 0): ("0", "white"),
        (1, 0): ("20", "white"),
        (2, 0): ("100", "black"),
        (0, 1): ("90", "black"),
        (1, 1): ("10", "white"),
        (2, 1): ("80", "black"),
    }


def test_a_grid_has_one_scale_for_all_images_and_no_axes_where_there_is_none():
    images = torch.stack([torch.full((3, 4), shade) for shade in (-1.0, 0.0, 2.0)])
    figure = plots.image_grid(images, ["a", "b", "c"], columns=2)
    cells = figure.axes
    assert [cell.get_title() for cell in cells] == ["a", "b", "c", ""]
    assert [cell.axison for cell in cells] == [True, True, True, False]
    for cell, image in zip(cells, images, strict=False):
        (drawn,) = cell.images
        assert drawn.get_clim() == (-1, 2) and (drawn.get_array() == image.numpy()).all()
    plt.close(figure)
    for wrong in (images[:, None], images[:0]):
        with pytest.raises(ValueError, match=r"\(3, 1, 3, 4\)|\(0, 3, 4\)"):
            plots.image_grid(wrong)
    with pytest.raises(ValueError, match="each of 3 images, got 2"):
        plots.image_grid(images, ["a", "b"])


def test_a_figure_without_words_for_those_who_can_not_see_it_is_refused(axes):
    with pytest.raises(ValueError, match="alt text"):
        plots.show(axes.figure, " ")
