"""The networks of notebook 03: the tutorial's own, and the same with other ways down from 28 by 28."""

import pytest
import torch
import torch.nn.functional as F

from course_utils import CNN, count_parameters
from course_utils.models import DOWNSAMPLING, downsampled_cnn

PARAMETERS = {"none": 416 + 12_832 + 10 * (32 * 28 * 28 + 1), "global": 416 + 12_832 + 10 * (32 + 1)}


@pytest.mark.parametrize("how", DOWNSAMPLING)
def test_parameters_and_logits(how):
    network = downsampled_cnn(how)
    assert count_parameters(network) == PARAMETERS.get(how, 28_938)
    assert network(torch.rand(3, 1, 28, 28)).shape == (3, 10)


def by_hand(weights, images, how):
    """The same network written out, without nn.Module; late and stride compute every position and throw most away."""
    conv1 = F.conv2d(images, weights["conv1.weight"], weights["conv1.bias"], padding=2).relu()
    if how == "stride":
        conv1 = conv1[:, :, ::2, ::2]
    pool = {"max": F.max_pool2d, "global": F.max_pool2d, "average": F.avg_pool2d}.get(how, lambda maps, _: maps)
    conv2 = F.conv2d(pool(conv1, 2), weights["conv2.weight"], weights["conv2.bias"], padding=2).relu()
    step = {"stride": 2, "late": 4}.get(how, 1)
    maps = pool(conv2[:, :, ::step, ::step], 2)
    if how == "global":
        maps = maps.mean(dim=(2, 3))
    return F.linear(maps.flatten(start_dim=1), weights["out.weight"], weights["out.bias"])


@pytest.mark.parametrize("how", DOWNSAMPLING)
def test_is_what_its_name_says(how):
    torch.manual_seed(0)
    network, images = downsampled_cnn(how), torch.rand(4, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(network(images), by_hand(network.state_dict(), images, how), rtol=0, atol=1e-5)


def test_max_is_the_tutorials_network():
    network, tutorials = downsampled_cnn("max"), CNN()
    names = {"conv1": "conv1.0", "conv2": "conv2.0", "out": "out"}
    state = network.state_dict()
    tutorials.load_state_dict(
        {name.replace(key, names[key]): state[name] for name in state for key in names if key in name}
    )
    images = torch.rand(4, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(network(images), tutorials(images))


def test_an_unknown_name_gives_the_known_ones():
    with pytest.raises(ValueError, match="no downsampling 'min'; there are max, average"):
        downsampled_cnn("min")
