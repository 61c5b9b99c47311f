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
            with pytest.raises(ValueError, match=f"kernel_size={kernel_size}, but {size} .* are {size + 2 * padding}"):
                conv_output_size(size, kernel_size, stride, padding)
        else:
            assert conv_output_size(size, kernel_size, stride, padding) == layer(image).shape[-1]
        if stride == 1 and padding == 0 and kernel_size <= size:
            assert conv_output_size(size, kernel_size) == layer(image).shape[-1]
