"""Numbers written into pixels: each where it belongs, in an ink that can be read there."""

import matplotlib.pyplot as plt
import torch

from course_utils import plots


def test_each_value_stands_in_its_pixel_and_can_be_read():
    figure, axes = plt.subplots()
    shades = torch.tensor([[0.0, 0.2, 1.0], [0.9, 0.1, 0.8]])
    plots.image_axes(axes, shades)
    plots.write_values(axes, 100 * shades, "{:.0f}")  # other numbers than those drawn
    written = {text.get_position(): (text.get_text(), text.get_color()) for text in axes.texts}
    plt.close(figure)
    assert written == {
        (0, 0): ("0", "white"),
        (1, 0): ("20", "white"),
        (2, 0): ("100", "black"),
        (0, 1): ("90", "black"),
        (1, 1): ("10", "white"),
        (2, 1): ("80", "black"),
    }
