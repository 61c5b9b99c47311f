"""Training on an accelerator and coming back; what looks at networks and images is in test_functions.py."""

import json

import pytest
import torch
from torch import nn
from torch.utils.data import Subset, TensorDataset

from course_utils import __main__, evidence, models
from course_utils.checkpoints import load_checkpoint, save_checkpoint
from course_utils.data import ImageSet, Splits
from course_utils.models import CNN, ModernCNN, device_of
from course_utils.recipes import MODERN, ORIGINAL, replace
from course_utils.training import TrainingDiverged, evaluate, fit

GENERATOR = torch.Generator().manual_seed(1)
IMAGES = torch.rand(12, 1, 28, 28, generator=GENERATOR)
WAVES = torch.rand(4, 1, 8000, generator=GENERATOR) * 2 - 1
LABELS = torch.arange(12) % 10
SHORT = replace(MODERN, batch_size=6)


@pytest.fixture(autouse=True)
def _there(accelerator):
    return accelerator


# --- training ----------------------------------------------------------------------------------------------------


def _headed(kind: str) -> nn.Module:
    return nn.Sequential(models.LAYERS[kind](), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 28 * 28, 10))


NETWORKS = {
    "CNN": (CNN, IMAGES),
    "NineViewCNN": (models.NineViewCNN, IMAGES),
    **{kind: (lambda kind=kind: _headed(kind), IMAGES) for kind in ("local", "dense")},
    "global": (lambda: models.downsampled_cnn("global"), IMAGES),
    "sound": (models.SoundCNN, WAVES),
    "spectrogram": (models.SpectrogramCNN, WAVES),
    "text": (lambda: models.TextCNN(7, 10), IMAGES[:, 0, :7]),
}


@pytest.mark.parametrize(("network", "inputs"), NETWORKS.values(), ids=NETWORKS)
def test_every_network_is_trained_there_and_comes_back(accelerator, network, inputs):
    model = network()
    before = [parameter.clone() for parameter in model.parameters()]
    data = TensorDataset(inputs, LABELS[: len(inputs)])
    recipe = replace(ORIGINAL, batch_size=2, epochs=1)
    fit(model, data, recipe, watch=("the same", data), look_every=1)
    assert accelerator.steps == len(inputs) // 2
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"cpu"}
    assert all((old != new).any() for old, new in zip(before, model.parameters(), strict=True))
    model(inputs)


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_a_subset_by_a_tensor_of_indices(device):
    """A Subset hands on a list of tensors, which torch would take for an index of each axis."""
    pixels = (255 * IMAGES[:, 0]).byte()
    images = ImageSet(pixels, LABELS).to(torch.device(device))
    chosen, labels = Subset(images, torch.tensor([3, 1, 2]))[[0, 2]]
    assert torch.equal(chosen.cpu()[:, 0], pixels[[3, 2]] / 255) and labels.tolist() == [3, 2]


@pytest.mark.parametrize("home", ["cpu", "mps"])
@pytest.mark.parametrize("images", ["cpu", "mps"])
def test_a_network_comes_back_on_the_device_it_came_with(accelerator, home, images):
    model = ModernCNN().to(home)
    data = ImageSet((IMAGES[:, 0] * 255).byte(), LABELS).to(images)
    for device, steps in (("mps", 2), ("cpu", 2)):  # the second time on the processor, wherever it came from
        fit(model, data, SHORT, device=device)
        assert device_of(model).type == home and accelerator.steps == steps
    assert 0 <= evaluate(model, data) <= 1


def interrupt():
    raise KeyboardInterrupt  # and no signal: a job in the background may have been told to ignore it


class Fails(CNN):
    """Stops a run in its second step with an error, or as an interrupt does."""

    def __init__(self, how):
        super().__init__()
        self.how, self.calls = how, 0

    def forward(self, images):
        self.calls += 1
        if self.calls == 2:
            self.how()
        return super().forward(images) * (float("nan") if self.how is bool and self.calls == 2 else 1)


@pytest.mark.parametrize(
    ("how", "error"),
    [(bool, TrainingDiverged), (lambda: 1 / 0, ZeroDivisionError), (interrupt, None)],
    ids=["diverged", "failed", "interrupted"],
)
def test_it_comes_back_after_a_run_that_ended_early_too(how, error):
    model, data = Fails(how), TensorDataset(IMAGES, LABELS)
    if error:
        with pytest.raises(error):
            fit(model, data, SHORT)
    else:
        assert fit(model, data, SHORT).interrupted
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"cpu"}


def test_a_run_begun_there_goes_on_here(tmp_path):
    """As on a machine that has lost its accelerator; and a checkpoint written there is read here."""
    data, saved = TensorDataset(IMAGES, LABELS), tmp_path / "run.pt"
    looks = {"watch": ("the same", data), "look_every": 1, "resume": saved}
    fit(Fails(interrupt), data, SHORT, **looks)
    model = Fails(int)
    assert len(fit(model, data, SHORT, device="cpu", **looks).step_loss) == 2
    network = ModernCNN().to("mps").eval()
    save_checkpoint(network, tmp_path / "network.pt")
    assert torch.allclose(load_checkpoint(tmp_path / "network.pt")(IMAGES), network(IMAGES.to("mps")).cpu(), atol=1e-4)


@pytest.mark.parametrize("device", [["--device", "mps"], []], ids=["named", "chosen"])
def test_command_line(accelerator, tmp_path, monkeypatch, capsys, device):
    few = ImageSet((IMAGES[:, 0] * 255).byte(), LABELS)
    monkeypatch.setattr(__main__, "load_mnist", lambda root: Splits(few, few, few, ImageSet(few._pixels[:, 0], LABELS)))
    monkeypatch.setattr(Splits, "test_first_2000", few)
    out, weights = tmp_path / "out.json", tmp_path / "cnn.pt"
    train = ["train", "--recipe", "modern", *device, "--json", str(out), "--save", str(weights)]
    assert __main__.main(train) == 0 and accelerator.steps == 1
    for where in ("cpu", "mps"):
        assert __main__.main(["evaluate", str(weights), "--device", where]) == 0
    said = [line.split(": ")[1] for line in capsys.readouterr().out.splitlines() if line.startswith("Accuracy on all")]
    assert len(set(said)) == 1 and json.loads(out.read_text())["test_accuracy"] == pytest.approx(
        float(said[0]), abs=1e-4
    )


def test_a_stored_result_names_the_accelerator(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "folder", lambda: tmp_path)
    evidence.store("run", {}, [], 1.0, code="abc1234")
    assert ", mps, " in evidence.how_made(evidence.load("run"))


def test_a_network_without_parameters_lies_where_its_buffers_do():
    assert device_of(nn.ReLU()).type == "cpu"
    assert device_of(nn.BatchNorm2d(3, affine=False).to("mps")).type == "mps"
