"""Every interactive part works with a network and images that lie on an accelerator, and leaves the network there."""

import matplotlib.pyplot as plt
import pytest
import torch

from course_utils.mnist_form import mnist_way, scaled
from course_utils.models import CNN, ModernCNN, device_of, downsampled_cnn
from course_utils.widgets import BlindLabels, DrawDigit, KernelPlayground, ShiftExplorer
from course_utils.widgets.draw_digit import montage

IMAGES = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))
LINE = [[(0.5, 0.1), (0.5, 0.9)]]
PLACES = [("cpu", "mps"), ("mps", "cpu"), ("mps", "mps")]  # of the network, of the images


@pytest.fixture(autouse=True)
def _there(accelerator):
    yield
    plt.close("all")


@pytest.mark.parametrize(("network", "images"), PLACES)
def test_drawing_pad(network, images):
    torch.manual_seed(1)
    model = ModernCNN().to(network)
    pad = DrawDigit(model, IMAGES.to(images))
    pad.value = LINE
    read = pad.predict()
    assert pad.answer["state"] == "read"
    pad.example = 1
    assert pad.answer["state"] == "read"
    assert len(pad.figure().axes) == 7
    assert device_of(model).type == network
    expected = DrawDigit(model.cpu(), value=LINE).predict()
    assert read.is_cpu and torch.allclose(read, expected, atol=1e-4)


def test_pictures_lie_where_the_drawing_does():
    picture = IMAGES[0, 0].to("mps")
    for made in (mnist_way(picture), scaled(picture), montage(IMAGES[:, 0].to("mps"))):
        assert made.device == picture.device
    assert torch.equal(mnist_way(picture).cpu(), mnist_way(IMAGES[0, 0]))


@pytest.mark.parametrize(("network", "images"), PLACES)
def test_shift_explorer(network, images):
    networks = {"one": CNN().to(network), "other": downsampled_cnn("global").to(network), "third": CNN()}
    part = ShiftExplorer(IMAGES[0].to(images), networks, reach=1)
    part.dx = 1
    assert set(part.value) == set(networks)
    assert [device_of(net).type for net in networks.values()] == [network, network, "cpu"]
    assert all(probabilities.is_cpu for probabilities in part.predict().values())


def test_blind_labels():
    answers = torch.tensor([7, 2, 1]).to("mps")
    form = BlindLabels(IMAGES.to("mps"), network=answers, file=answers)
    form.value = answers
    assert form.agreement() == {"network": 3, "file": 3, "unsure": 0}
    assert len(form.figure().axes) == 3


def test_kernel_playground():
    kernel = CNN().to("mps").conv1[0].weight[0, 0]
    part = KernelPlayground(IMAGES[0].to("mps"), kernel, padding=2)
    assert part.output_size == (28, 28) == tuple(part.output.shape)
    part.kernel = kernel + 1
    assert part.at(3, 4).sum == pytest.approx(part.output[3, 4].item(), abs=1e-4)
