"""The Python side of the interactive parts, without a browser: results against PyTorch, errors, what the page gets."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from traitlets import TraitError

from course_utils import models, perturb
from course_utils.widgets import KernelPlayground, ShiftExplorer, WeightSharing
from course_utils.widgets.base import grey_image
from course_utils.widgets.kernel_playground import PRESETS

ROOT = Path(__file__).resolve().parents[3]


def image(height=9, width=7, seed=1):
    return torch.rand(height, width, generator=torch.Generator().manual_seed(seed))


# What all have in common ---------------------------------------------------------------------------------------------


PARTS = {
    "playground": lambda: KernelPlayground(image()),
    "sharing": lambda: WeightSharing(),
    "shifts": lambda: ShiftExplorer(image(), {"a": nn.Sequential(nn.Flatten(), nn.Linear(63, 10))}, reach=1),
}


@pytest.mark.parametrize("make", PARTS.values(), ids=PARTS)
def test_stored_output_is_a_sentence_and_the_module_is_whole(make):
    part = make()
    data, _ = part._repr_mimebundle_()
    assert data["text/plain"] == f"[{part.title}: an interactive part. Run this cell in JupyterLab to use it.]"
    assert part._esm.count("export default") == 1
    assert "function makeRoot(" in part._esm and ".course-widget" in part._css
    for text in (part._esm, part._css):
        assert "http" not in text and "import " not in text  # nothing comes from elsewhere


def test_an_installed_package_has_the_scripts():
    # An editable install hides a file that the wheel would forget.
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    package = ROOT / "course_utils"
    packed = {path for pattern in settings["package-data"]["course_utils"] for path in package.glob(pattern)}
    scripts = set((package / "widgets" / "static").iterdir())
    assert {"base.js", "base.css", "kernel_playground.js"} <= {path.name for path in scripts}
    assert scripts <= packed


@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5), (1, 1, 4, 5)])
def test_a_grey_image_may_have_axes_of_one_in_front(shape):
    pixels = torch.linspace(0, 1, 20)
    assert torch.equal(grey_image(pixels.view(shape)), pixels.view(4, 5))
    assert torch.equal(grey_image(pixels.view(shape).numpy()), pixels.view(4, 5))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (torch.zeros(2, 4, 5), r"one grey image of shape \(H, W\).*got \(2, 4, 5\)"),
        (torch.zeros(0, 5), "got .0, 5."),
        (torch.zeros(5), "got .5,."),
        (torch.full((3, 3), torch.nan), "not finite"),
        (torch.full((3, 3), 255.0), "Divide bytes by 255"),
    ],
)
def test_what_is_no_grey_image_is_refused(bad, says):
    for make in (KernelPlayground, lambda it: ShiftExplorer(it, {"a": nn.Flatten()})):
        with pytest.raises(ValueError, match=says):
            make(bad)


# Kernel playground ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(1, 8))
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (3, 2), (1, 3)])
def test_output_is_torchs_and_each_pixel_the_sum_of_its_products(size, stride, padding):
    picture, kernel = image(), torch.randn(size, size, generator=torch.Generator().manual_seed(size))
    part = KernelPlayground(picture, kernel, stride=stride, padding=padding)
    expected = nn.Conv2d(1, 1, size, stride=stride, padding=padding, bias=False)
    expected.weight.data = kernel[None, None]
    expected = expected(picture[None, None])[0, 0].detach()
    assert part.output_size == tuple(expected.shape)
    assert torch.allclose(part.output, expected, atol=1e-6)
    seen = torch.tensor([[part.at(r, c).sum for c in range(expected.shape[1])] for r in range(expected.shape[0])])
    assert torch.allclose(seen, expected, atol=1e-5)


def test_looking_into_a_pixel_shows_the_window_and_the_products():
    part = KernelPlayground(np.eye(4), [[1, 2], [3, 4]], padding=1)
    position = part.at(0, 0)
    assert position.window.tolist() == [[0, 0], [0, 1]]  # three zeros of the padding
    assert position.products.tolist() == [[0, 0], [0, 4]]
    assert position.sum == 4
    with pytest.raises(IndexError, match="output is 5 by 5 pixels; there is no row 5, column 0"):
        part.at(5, 0)


def test_what_the_page_sends_arrives_and_what_python_sets_goes_out():
    part = KernelPlayground(image())
    part.set_state({"kernel": [[0.5]], "stride": 2, "position": [1, 2]})
    assert torch.allclose(part.output, 0.5 * image()[::2, ::2])
    part.kernel = nn.Conv2d(1, 1, 3).weight[0, 0]  # the learner's own
    assert part.get_state("kernel")["kernel"] == part.kernel and len(part.kernel) == 3
    with pytest.raises(ValueError):
        part.kernel = [[1, 2, 3]]
    assert len(part.kernel) == 3  # stays as it was


def test_presets_are_kernels_and_blurs_keep_the_brightness():
    for name, kernel in PRESETS.items():
        part = KernelPlayground(torch.full((9, 9), 0.5), kernel)
        keeps = name in ("blur", "blur more", "sharpen", "the pixel itself")
        assert torch.allclose(part.output, torch.tensor(0.5 if keeps else 0.0), atol=1e-6), name


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"kernel": torch.zeros(3, 2)}, ValueError, r"square kernel.*got \(3, 2\)"),
        ({"kernel": torch.zeros(8, 8)}, ValueError, "from 1 to 7"),
        ({"kernel": torch.zeros(1, 1, 3, 3)}, ValueError, r"layer.weight\[0, 0\]"),
        ({"kernel": torch.zeros(0, 0)}, ValueError, "square kernel"),
        ({"kernel": [[torch.nan]]}, ValueError, "weights from -1000 to 1000"),
        ({"kernel": [[1001]]}, ValueError, "weights from -1000 to 1000"),
        ({"stride": 0}, TraitError, "stride"),
        ({"padding": -1}, TraitError, "padding"),
        ({"padding": 1.5}, TraitError, "padding.*int"),
        ({"image": torch.zeros(2, 2)}, ValueError, "kernel is larger than the padded image"),
        ({"image": torch.zeros(65, 3)}, ValueError, r"image\[:64, :64\]"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, error, says):
    with pytest.raises(error, match=says):
        KernelPlayground(**{"image": image(), **settings})


# Weight-sharing view -------------------------------------------------------------------------------------------------


def layers(height, width, k):
    """The three layers themselves, and the weights of each."""
    rows, columns = height - k + 1, width - k + 1
    dense = nn.Linear(height * width, rows * columns, bias=False)
    local, shared = models.LocallyConnected2d(1, 1, (height, width), k), nn.Conv2d(1, 1, k)
    return {
        "dense": (nn.Sequential(nn.Flatten(), dense), dense.weight),
        "local": (local, local.weight),
        "shared": (shared, shared.weight),
    }


@pytest.mark.parametrize(("height", "width", "k"), [(6, 6, 3), (4, 7, 2), (3, 3, 3), (5, 4, 1)])
def test_weights_of_an_output_are_those_that_move_it(height, width, k):
    part = WeightSharing(height=height, width=width, kernel_size=k)
    outputs = part.output_size[0] * part.output_size[1]
    for kind, (layer, weight) in layers(height, width, k).items():
        pixels = torch.rand(1, 1, height, width) + 0.5  # none is 0, so that no weight is without effect
        responses = layer(pixels).flatten()
        moved_by = torch.stack([torch.autograd.grad(one, weight, retain_graph=True)[0].flatten() for one in responses])
        matrix = part.weights_of(kind)
        for output in range(outputs):
            for number in matrix[output][matrix[output] >= 0].unique():  # the pixel that the weight stands at
                (pixel,) = (matrix[output] == number).nonzero().flatten()
                assert moved_by[output, number] == pixels.flatten()[pixel]
        uses = moved_by != 0  # (outputs, weights)
        visited = [[0, 0], [part.output_size[0] - 1, part.output_size[1] - 1]]
        part.visited = visited
        last = outputs - 1
        others = uses[:last].any(0) if outputs > 1 else torch.zeros(weight.numel(), dtype=torch.bool)
        expected = (uses[last].sum(), (uses[last] & others).sum(), (uses[0] | uses[last]).sum())
        assert part.uses(kind) == tuple(int(count) for count in expected)


def test_counts_of_notebook_02():
    part = WeightSharing(visited=[[0, 0], [1, 2], [3, 3]])
    assert part.uses("dense") == (36, 0, 108)
    assert part.uses("local") == (9, 0, 27)
    assert part.uses("shared") == (9, 9, 9)


def test_sharing_refuses_what_is_not_there():
    with pytest.raises(ValueError, match="kernel is larger"):
        WeightSharing(height=4, kernel_size=5)
    with pytest.raises(TraitError, match="height"):
        WeightSharing(height=11)
    with pytest.raises(TraitError, match="visited"):
        WeightSharing(visited=[])
    with pytest.raises(ValueError, match="no layer 'conv'; there are dense, local, shared"):
        WeightSharing().weights_of("conv")
    with pytest.raises(IndexError, match="4 by 4 pixels; there is no row 4, column 0"):
        WeightSharing(visited=[[4, 0]]).uses("local")


# Shift explorer ------------------------------------------------------------------------------------------------------


def small_networks():
    """For images of 9 by 7 pixels."""
    torch.manual_seed(1)
    pooled = (nn.MaxPool2d(2), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 10))
    return {
        "dense": nn.Sequential(nn.Flatten(), nn.Linear(63, 10)),
        "flatten": nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 63, 10)),
        "global": nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), *pooled),
    }


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (3, 0), (0, -3), (-2, 1)])
def test_predictions_are_the_networks_own_on_the_moved_image(dx, dy):
    networks = small_networks()
    networks["global"].train()
    part = ShiftExplorer(image(), networks, reach=3)
    assert networks["global"].training  # left as it was
    moved = perturb.shift(image()[None, None], dx, dy)
    sent = np.frombuffer(part._probabilities, "<f4").reshape(3, 7, 7, 10)
    for index, (name, network) in enumerate(networks.items()):
        expected = network.eval()(moved)[0].softmax(0)
        assert torch.allclose(part.predict(dx, dy)[name], expected, atol=1e-6)
        assert np.allclose(sent[index, dy + 3, dx + 3], expected.detach(), atol=1e-6)
    part.dx, part.dy = dx, dy
    assert part.value == {name: network(moved).argmax().item() for name, network in networks.items()}


def maps_sent(part, network):
    """The pictured stages of a network, {title: (dy, dx, maps, H, W)}, as the page reads them."""
    return {
        stage["title"]: np.frombuffer(part._maps, "u1", np.prod(stage["shape"]), stage["start"]).reshape(stage["shape"])
        for stage in part._stages[part.names.index(network)]
    }


def test_feature_maps_are_those_around_the_last_pooling():
    networks = small_networks()
    part = ShiftExplorer(image(), networks, reach=2)
    assert maps_sent(part, "dense") == {}
    (alone,) = maps_sent(part, "flatten").values()
    before, after = maps_sent(part, "global").values()
    assert (alone.shape, before.shape, after.shape) == ((5, 5, 4, 9, 7), (5, 5, 4, 4, 3), (5, 5, 4, 1, 1))
    network = networks["global"].eval()
    everywhere = torch.stack([perturb.shift(image()[None], dx, dy) for dy in range(-2, 3) for dx in range(-2, 3)])
    with torch.no_grad():
        true_before = network[:5](everywhere)
        true_after = network[5](true_before)
    chosen = true_before[12].flatten(1).var(1).argsort(descending=True)[:4]  # 12: in the middle
    for sent, true in ((before, true_before), (after, true_after)):
        scaled = 255 * true[:, chosen] / true[:, chosen].max()
        assert np.abs(sent.reshape(scaled.shape) - scaled.numpy()).max() <= 0.51


@pytest.mark.parametrize(
    ("networks", "error", "says"),
    [
        ({}, ValueError, "1 to 6 networks, got 0"),
        ({str(number): nn.Flatten() for number in range(7)}, ValueError, "1 to 6 networks, got 7"),
        ([nn.Flatten()], TypeError, "networks as a dict.*got list"),
        ({"mine": nn.Linear}, TypeError, "network 'mine' to be an nn.Module, got type"),
        ({"mine": nn.Flatten()}, ValueError, r"'mine' to give ten finite logits.*\(3, 10\), got \(3, 63\)"),
    ],
)
def test_what_is_no_network_is_refused(networks, error, says):
    with pytest.raises(error, match=says):
        ShiftExplorer(image(), networks, reach=1)


def test_a_network_that_breaks_is_named_and_nan_is_said():
    with pytest.raises(RuntimeError) as raised:
        ShiftExplorer(image(), {"mine": nn.Sequential(nn.Flatten(), nn.Linear(5, 10))}, reach=1)
    assert "network 'mine', given images (3, 1, 9, 7)" in raised.value.__notes__[0]
    network = small_networks()["dense"]
    network[1].bias.data[3] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        ShiftExplorer(image(), {"mine": network}, reach=1)


def test_places_beyond_the_reach_are_refused():
    part = ShiftExplorer(image(), small_networks(), reach=3)
    with pytest.raises(ValueError, match=r"dx=4 is beyond the reach of 3 pixels.*reach=12"):
        part.dx = 4
    with pytest.raises(IndexError, match="no dx=0, dy=-4"):
        part.predict(0, -4)
    with pytest.raises(TraitError):
        part.image = image()  # the predictions are those of the first
    with pytest.raises(ValueError, match="leaves nothing"):
        ShiftExplorer(image(), small_networks(), reach=9)
