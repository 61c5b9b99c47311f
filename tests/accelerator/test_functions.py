"""Analysis and perturbations with network, images and labels in different places: results lie where the images do."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from course_utils import CNN, analysis, perturb, plots
from course_utils.models import LAYERS, ModernCNN, SoundCNN, SpectrogramCNN, device_of, recorded

IMAGES = torch.rand(120, 1, 28, 28, generator=torch.Generator().manual_seed(1))  # two chunks
LABELS = torch.arange(120) % 10
PROBABILITIES = (4 * torch.randn(120, 10, generator=torch.Generator().manual_seed(2))).softmax(dim=1)
CONFIDENCE, CORRECT = PROBABILITIES.amax(dim=1), LABELS > 2
MAPS = torch.rand(120, 3, 14, 14, generator=torch.Generator().manual_seed(3))

pytestmark = pytest.mark.usefixtures("accelerator")


def compare(found: object, expected: object, place: str | None) -> None:
    """Equal but for rounding, and at `place` if they are tensors; None is for statistics, which lie on the CPU."""
    if isinstance(expected, torch.Tensor):
        assert found.device.type == (place or "cpu")
        assert_close(found.cpu(), expected, rtol=1e-3, atol=1e-3, equal_nan=True)
    elif isinstance(expected, tuple | list):
        for one, other in zip(found, expected, strict=True):
            compare(one, other, place)
    else:
        assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("network", "images"), [("cpu", "mps"), ("mps", "cpu"), ("mps", "mps")])
@pytest.mark.parametrize(
    "function",
    [
        analysis.logits_of,
        analysis.layer_inputs,
        lambda model, images: analysis.fgsm(model, images, LABELS, 0),
        lambda model, images: analysis.fgsm(model, images, LABELS.to(device_of(model)), 0),
    ],
)
def test_a_network_and_images(function, network, images):
    torch.manual_seed(0)
    model = ModernCNN()
    expected = function(model, IMAGES)
    compare(function(model.to(network), IMAGES.to(images)), expected, images)
    assert device_of(model).type == network


@pytest.mark.parametrize(
    ("function", "place", "arguments"),
    [
        (analysis.probabilities_of, "mps", (PROBABILITIES, 2.0)),
        (analysis.confident_mistakes, "mps", (PROBABILITIES, LABELS, 9)),
        (analysis.strongest_patches, "mps", (IMAGES, MAPS, (5, 2, -2), 4)),
        (analysis.reliability, None, (PROBABILITIES, LABELS)),
        (analysis.expected_calibration_error, None, (PROBABILITIES, LABELS)),
        (analysis.fit_temperature, None, (PROBABILITIES, LABELS)),
        (analysis.accuracy_by_coverage, None, (CONFIDENCE, CORRECT)),
        (analysis.deferred_count, None, (CONFIDENCE, CORRECT, 0.9)),
        (analysis.detection_rate, None, (CONFIDENCE, CONFIDENCE - 0.1)),
        (lambda features, labels: analysis.probe(features, labels, 1.0).score(features, labels), None, (MAPS, LABELS)),
        (lambda images: perturb.shift(images, 1, -2), "mps", (IMAGES,)),
        (lambda images: perturb.pixels_lost(images, 1, -2), "mps", (IMAGES,)),
        (perturb.scramble, "mps", (IMAGES,)),
        (lambda images: perturb.rotate(images, 15), "mps", (IMAGES,)),
        (lambda images: perturb.scale(images, 0.8), "mps", (IMAGES,)),
        (lambda images: perturb.random_affine(images, torch.Generator().manual_seed(1), 9, 0.1), "mps", (IMAGES,)),
        (lambda images: perturb.elastic_warp(images, 1), "mps", (IMAGES,)),
        (lambda images: perturb.noise(images, 0.1), "mps", (IMAGES,)),
        (lambda images: perturb.blur(images, 1), "mps", (IMAGES,)),
    ],
)
def test_tensors(function, place, arguments):
    """All of them there, or the first one only."""
    first, *others = arguments
    expected = function(*arguments)
    compare(function(first.to("mps"), *others), expected, place)
    there = [value.to("mps") if isinstance(value, torch.Tensor) else value for value in others]
    compare(function(first.to("mps"), *there), expected, place)


@pytest.mark.parametrize("make", [CNN, LAYERS["dense"], LAYERS["local"], LAYERS["shared"], SoundCNN, SpectrogramCNN])
def test_networks(make):
    torch.manual_seed(0)
    model = make().eval()
    inputs = torch.rand(2, 1, 8000) if isinstance(model, SoundCNN | SpectrogramCNN) else IMAGES[:2]
    expected = model(inputs).detach()
    layers = [layer for layer in model.modules() if not isinstance(layer, nn.Sequential)]
    with recorded(model.to("mps"), layers) as calls:
        compare(model(inputs.to("mps")).detach(), expected, "mps")
    assert len(calls) == len(layers) and all(call.output.device.type == "mps" for call in calls)


def test_figures():
    figure = plots.image_grid(IMAGES[:3, 0].to("mps"), columns=3)
    plots.write_values(figure.axes[0], IMAGES[0, 0, :2, :2].to("mps").requires_grad_())
    plots.band(figure.axes[1], [1, 2], torch.rand(3, 2).to("mps"), "C0o-", "a label")
    assert len(figure.axes[0].texts) == 4 and len(figure.axes[1].collections) == 1
    plots.plt.close(figure)
