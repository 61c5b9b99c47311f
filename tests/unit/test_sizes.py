"""conv_output_size against the sizes that PyTorch's own layers give."""

from itertools import product

import pytest
import torch
from torch import nn

from course_utils.sizes import conv_output_size


@pytest.mark.parametrize("size", [28, 7, 5, 1])
def test_size_is_the_one_pytorch_gives(size):
    image = torch.zeros(1, 1, 1, size)
    for kernel_size, stride, padding in product(range(1, 8), range(1, 4), range(4)):
        layer = nn.Conv2d(1, 1, (1, kernel_size), stride=(1, stride), padding=(0, padding))
        if kernel_size > size + 2 * padding:
            with pytest.raises(ValueError, match="larger than the padded image"):
                conv_output_size(size, kernel_size, stride, padding)
        else:
            assert conv_output_size(size, kernel_size, stride, padding) == layer(image).shape[-1]


def test_stride_and_padding_have_the_defaults_of_pytorch():
    assert conv_output_size(28, 5) == nn.Conv2d(1, 1, 5)(torch.zeros(1, 28, 28)).shape[-1] == 24


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel_size": 9, "padding": 1}, "kernel_size=9, but 6 pixels with padding=1 on both sides are 8"),
        ({"kernel_size": 3, "stride": 0}, "stride must be at least 1, got 0"),
        ({"kernel_size": 3, "stride": -1}, "stride must be at least 1, got -1"),
        ({"kernel_size": 3, "stride": 1.5}, r"stride must be a whole number \(an int\), got 1.5"),
        ({"kernel_size": 3, "padding": 1.5}, r"padding must be a whole number \(an int\), got 1.5. In Python `/`"),
        ({"kernel_size": 3, "padding": 1.0}, r"got 1.0\. In Python"),
        ({"kernel_size": 3, "padding": "1"}, r"padding must be a whole number \(an int\), got '1'"),
        ({"kernel_size": 3, "padding": True}, r"padding must be a whole number \(an int\), got True"),
        ({"kernel_size": 3, "padding": -1}, "padding must be at least 0, got -1"),
        ({"kernel_size": 0}, "kernel_size must be at least 1, got 0"),
    ],
)
def test_what_can_not_be_gets_one_clear_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        conv_output_size(6, **arguments)
