"""The stand-in refuses what PyTorch refuses on Apple's MPS, and does what it does there."""

import copy
import io
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.models import CNN, ModernCNN
from tests.accelerator.stand_in import environment, stand_in

HERE = torch.linspace(0, 1, 6).view(2, 3)
LABELS = torch.tensor([0, 2])


def there(tensor=HERE):
    return tensor.to("mps")


def doubled_on_the_way():
    return there().to("cpu", torch.float64)


def trained_in_channels_last():
    features = there(torch.rand(2, 3, 4, 4)).to(memory_format=torch.channels_last)
    nn.BatchNorm2d(3).to("mps")(features).sum().backward()


REFUSED = {
    "one moved model": (lambda: CNN().to("mps")(torch.rand(1, 1, 28, 28)), RuntimeError),
    "one moved batch": (lambda: CNN()(there(torch.rand(1, 1, 28, 28))), RuntimeError),
    "labels": (lambda: F.cross_entropy(there(), LABELS), RuntimeError),
    "a sum": (lambda: HERE + there(), RuntimeError),
    "in place": (lambda: there().add_(HERE), RuntimeError),
    "a product": (lambda: there() @ HERE.T, RuntimeError),
    "a comparison": (lambda: there() == HERE, RuntimeError),
    "a list": (lambda: torch.cat([there(), HERE]), RuntimeError),
    "an index": (lambda: HERE[there(LABELS.clamp(max=1))], RuntimeError),
    "assigned by an index": (lambda: there().__setitem__(LABELS.clamp(max=1), HERE), RuntimeError),
    "a generator": (lambda: torch.rand(2, device="mps", generator=torch.Generator()), RuntimeError),
    "channels last": (trained_in_channels_last, RuntimeError),
    "numpy": (lambda: there().numpy(), TypeError),
    "asarray": (lambda: np.asarray(there()), TypeError),
    "a picture": (lambda: plt.figure().gca().imshow(there()), TypeError),
    "a line": (lambda: plt.figure().gca().plot(there()[0]), TypeError),
    "double": (lambda: there().double(), TypeError),
    "moved double": (lambda: there(HERE.double()), TypeError),
    "made double": (lambda: torch.zeros(2, dtype=torch.float64, device="mps"), TypeError),
    "from Python as double": (lambda: torch.tensor([0.5], dtype=torch.float64, device="mps"), TypeError),
    "double by another's type": (lambda: there().to(HERE.double()), TypeError),
    "double before the way back": (doubled_on_the_way, TypeError),
    "summed as double": (lambda: there().sum(dtype=torch.float64), TypeError),
    "a double model": (lambda: CNN().double().to("mps"), TypeError),
}


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize(("attempt", "error"), REFUSED.values(), ids=REFUSED)
def test_refused_there_and_only_there(accelerator, attempt, error):
    with pytest.raises(error):
        attempt()
    plt.close("all")


ON_MPS = {
    "made": lambda: torch.ones(2, device="mps"),
    "from Python": lambda: torch.tensor([1, 2], device="mps"),
    "an alias of the CPU's": lambda: torch.as_tensor(HERE, device="mps"),
    "a view": lambda: there()[:1, 1:].mT,
    "data": lambda: there().detach().data,
    "a copy": lambda: copy.deepcopy(there()),
    "with a number": lambda: there() * torch.tensor(2.0, dtype=torch.float64) + 1,
    "by an index from the CPU": lambda: there()[torch.tensor([1])],
    "a largest value": lambda: there().max(dim=1).indices,
    "like another": lambda: torch.zeros_like(there()),
    "by another's device": lambda: HERE.to(there()),
    "a layer's weight": lambda: nn.Linear(2, 2, device="mps").weight,
    "a moved layer's weight": lambda: nn.Linear(2, 2).to("mps").weight.data,
}


@pytest.mark.parametrize("make", ON_MPS.values(), ids=ON_MPS)
def test_lies_there(accelerator, make):
    assert make().device == torch.device("mps", 0) and not make().is_cpu


ON_CPU = {
    "the source": lambda: (there(), HERE)[1],
    "brought back": lambda: there().cpu(),
    "moved back": lambda: there().to("cpu").double(),
    "as the CPU's": lambda: torch.as_tensor(there(), device="cpu"),
    "a list of numbers": lambda: torch.tensor([there()[0, 1], there().sum()]),
    "a moved layer's source": lambda: (layer := nn.Linear(2, 2), copy.deepcopy(layer).to("mps"))[0].weight,
}


@pytest.mark.parametrize("make", ON_CPU.values(), ids=ON_CPU)
def test_lies_here(accelerator, make):
    assert make().device == torch.device("cpu")
    np.asarray(make().detach())


def test_copies_may_cross(accelerator):
    target = there(torch.zeros(2, 3))
    target.copy_(HERE)
    target[0] = HERE[1]
    HERE.clone()[0] = target[0]
    assert target.tolist() == [HERE[1].tolist()] * 2 and f"{target[0, 0]:.2f}" == "0.60"


def test_a_model_moves_with_its_parameters_and_is_saved_with_its_place(accelerator):
    model = ModernCNN()
    before = list(model.parameters())
    model.to("mps")
    assert all(one is other for one, other in zip(before, model.parameters(), strict=True))
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    for location, kind in ((None, "mps"), ("cpu", "cpu"), ("mps", "mps")):
        file.seek(0)
        loaded = torch.load(file, map_location=location, weights_only=True)
        assert {weight.device.type for weight in loaded.values()} == {kind}
        ModernCNN().load_state_dict(loaded)  # copies, so it may cross
    assert {weight.device.type for weight in model.cpu().state_dict().values()} == {"cpu"}


def test_gradients_lie_where_their_inputs_do(accelerator):
    here, weight = HERE.clone().requires_grad_(), there(torch.ones(2, 3)).requires_grad_()
    loss = (here.to("mps") * weight).sum()
    gradients = torch.autograd.grad(loss, [here, weight], retain_graph=True)
    loss.backward()
    for gradient, given in zip((*gradients, here.grad, weight.grad), (here, weight) * 2, strict=True):
        assert gradient.device == given.device
    assert torch.equal(weight.grad.cpu(), HERE)


def trained(device):
    torch.manual_seed(1)
    model = CNN().to(device)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    images, labels = torch.rand(20, 1, 28, 28).to(device), (torch.arange(20) % 10).to(device)
    for _ in range(5):
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return model.out.weight.detach().cpu()


def test_training_there_is_training_with_other_last_bits(accelerator):
    one, other = trained("cpu"), trained("mps")
    assert accelerator.steps == 5
    assert 0 < (one - other).abs().max() < 1e-3


ONE_STEP = """
import torch
weight = torch.nn.Parameter(torch.zeros(1, device="mps"))
weight.grad = torch.ones(1, device="mps")
torch.optim.Adam([weight], fused=True).step()
"""


def test_it_ends_with_its_block_and_begins_with_a_process(tmp_path):
    with stand_in():
        pass
    assert not torch.backends.mps.is_available()
    counter = tmp_path / "steps"
    subprocess.run([sys.executable, "-c", ONE_STEP], env=environment(counter), check=True)
    assert counter.read_bytes() == b"."
