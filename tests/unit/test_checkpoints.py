"""A network and a run come back to the last bit; a file that was cut or changed in any byte does not come back."""

import io
import os
import pickle
import random
from dataclasses import dataclass, field, replace

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from course_utils import CNN, MODERN, ORIGINAL, ModernCNN, checkpoints, fit, load_checkpoint, save_checkpoint
from course_utils.checkpoints import CheckpointError, Run
from course_utils.models import DeepCNN, NineViewCNN, NineViewModernCNN, PooledFirstCNN

# --- a network --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [CNN, PooledFirstCNN, ModernCNN, DeepCNN, NineViewCNN, NineViewModernCNN])
def test_round_trip(network, tmp_path):
    torch.manual_seed(0)
    model = network()
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.add_(torch.rand_like(value))  # the statistics of batch norm as well
    save_checkpoint(model, tmp_path / "model.pt")
    loaded = load_checkpoint(str(tmp_path / "model.pt"))
    assert type(loaded) is network
    assert not any(module.training for module in loaded.modules())
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert os.listdir(tmp_path) == ["model.pt"]


def test_only_networks_that_can_be_built_again_are_saved(tmp_path):
    class Mine(CNN):
        pass

    for model in (nn.Linear(2, 2), Mine(), type("CNN", (CNN,), {})()):  # the last only has the name
        with pytest.raises(CheckpointError, match=r"torch\.save"):
            save_checkpoint(model, tmp_path / "model.pt")
    assert not list(tmp_path.iterdir())


class _RunsCode:
    """Unpickled, it would run a command."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'echo run > "{self.path}"',)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", ["in the weights", "in the name", "plain pickle"])
def test_a_checkpoint_that_would_run_code(form, tmp_path, monkeypatch):
    """With a right checksum too, which anybody can compute."""
    evil = _RunsCode(tmp_path / "has_run")
    saved = {"model": "CNN", "weights": {**CNN().state_dict(), "out.bias": evil}}
    if form == "in the name":
        saved = {"model": evil, "weights": CNN().state_dict()}
    if form == "plain pickle":
        monkeypatch.setattr(torch, "save", lambda content, file: file.write(pickle.dumps(evil)))
    checkpoints._write(tmp_path / "evil.pt", saved)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / "evil.pt")
    assert not (tmp_path / "has_run").exists()
    assert "weights_only" not in str(caught.value)  # torch's own message tells how to run it all the same


def _torch_saved(content) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


FOREIGN = {
    "empty": b"",
    "text": b"Not a checkpoint, a shopping list:\n- milk\n",
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "header alone": checkpoints.FORMAT,
    "of an older version": _torch_saved({"model": "CNN", "weights": CNN().state_dict()}),
}
WRONG = {
    "tensor": torch.ones(3),
    "number": 3,
    "weights alone": CNN().state_dict(),
    "unknown model": {"model": "VGG", "weights": {}},
    "model is a list": {"model": ["CNN"], "weights": {}},
    "no weights": {"model": "CNN"},
    "weights are numbers": {"model": "CNN", "weights": dict.fromkeys(CNN().state_dict(), 1)},
    "weights of the other": {"model": "CNN", "weights": ModernCNN().state_dict()},
    "wrong shapes": {"model": "CNN", "weights": {**CNN().state_dict(), "out.weight": torch.ones(10, 100)}},
}


@pytest.mark.parametrize("kind", [*FOREIGN, *WRONG, "folder"])
def test_files_that_are_no_checkpoints(kind, tmp_path):
    path = tmp_path / "strange.pt"
    if kind in FOREIGN:
        path.write_bytes(FOREIGN[kind])
    elif kind in WRONG:
        checkpoints._write(path, WRONG[kind])
    else:
        path.mkdir()
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert ("size mismatch for out.weight" in str(caught.value)) == (kind == "wrong shapes")


def test_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_checkpoint(tmp_path / "nowhere.pt")


# --- damage -----------------------------------------------------------------------------------------------------


@dataclass
class Losses:
    step_loss: list[float] = field(default_factory=list)


def small_run(steps: int = 0) -> Run:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, 100)
    generator = torch.Generator().manual_seed(1)
    return Run({"seed": 1}, model, optimizer, schedule, generator, iter(range(100)), Losses([0.5] * steps))


def damaged(content: bytes):
    """Every length of a cut, and every byte changed, up to the end of the first line; then a few hundred of each."""
    chosen = random.Random(0)
    places = [*range(200), *(chosen.randrange(len(content)) for _ in range(300)), *range(-100, 0)]
    for place in places:
        yield content[:place]
        flipped = bytearray(content)
        flipped[place] ^= 1 << chosen.randrange(8)
        yield bytes(flipped)
    yield content + b"\0"
    yield content[:5000] + content[5001:]


@pytest.mark.parametrize("kind", ["network", "run"])
def test_a_file_cut_or_changed_in_any_byte_is_refused(kind, tmp_path):
    path = tmp_path / "file.pt"
    run = small_run(steps=3)
    if kind == "network":
        save_checkpoint(CNN(), path)
        read = load_checkpoint
    else:
        run.save(path)
        read = run.resume
    whole = path.read_bytes()
    before = [value.clone() for value in run.model.state_dict().values()]
    for content in damaged(whole):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"file\.pt is"):
            read(path)
    assert all(torch.equal(*pair) for pair in zip(before, run.model.state_dict().values(), strict=True))
    path.write_bytes(whole)
    read(path)


# --- a run ------------------------------------------------------------------------------------------------------

# 10 steps an epoch and two epochs; a checkpoint at the steps 0, 4 and 8 of each.
PLAIN = replace(ORIGINAL, batch_size=8, epochs=2)
FULL = replace(MODERN, batch_size=8, epochs=2)


class Dropping(CNN):
    """Draws from torch's own random numbers in every step."""

    def forward(self, images):
        return super().forward(nn.functional.dropout(images, 0.3, self.training))


@pytest.fixture(scope="module")
def noise():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(80, 1, 28, 28, generator=generator)
    return TensorDataset(images, torch.randint(0, 10, (80,), generator=generator))


def train(network, noise, recipe, weights: int = 0, **options):
    torch.manual_seed(weights)
    model = network()
    return model, fit(model, noise, recipe, watch=("noise", noise), look_every=4, device="cpu", **options)


@pytest.mark.parametrize("where", ["Epoch: 0 |Step: 0 ", "Epoch: 0 |Step: 8 ", "Epoch: 1 |Step: 4 "])
@pytest.mark.parametrize(
    ("network", "recipe"),
    [(CNN, PLAIN), (ModernCNN, FULL), (Dropping, PLAIN)],
    ids=["plain", "one-cycle, batch norm, shifts", "dropout"],
)
def test_same_bits_as_the_run_that_was_not_cut(network, recipe, where, noise, tmp_path):
    def stop(line: str) -> None:
        if line.startswith(where):
            raise KeyboardInterrupt

    whole, history = train(network, noise, recipe)
    train(network, noise, recipe, resume=tmp_path / "run.pt", log=stop)
    # Other weights, and another random state, than the first part had.
    again, second = train(network, noise, recipe, weights=99, resume=tmp_path / "run.pt")
    for name, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    timeless = ("step_loss", "steps", "train_loss", "accuracy", "watched", "interrupted")
    assert [getattr(second, name) for name in timeless] == [getattr(history, name) for name in timeless]
    assert second.seconds == sorted(second.seconds)
    assert second.total_seconds >= second.seconds[-1]


def test_a_finished_run_is_not_begun_again(noise, tmp_path):
    """From its last checkpoint to the end is one step here."""
    lines = []
    first, _ = train(CNN, noise, PLAIN, resume=tmp_path / "run.pt")
    again, history = train(CNN, noise, PLAIN, resume=tmp_path / "run.pt", log=lines.append)
    assert lines == []
    assert len(history.step_loss) == 20
    assert torch.equal(again.out.weight, first.out.weight)
    assert os.listdir(tmp_path) == ["run.pt"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"recipe": replace(PLAIN, learning_rate=0.01)}, "learning_rate is 0.001 there and 0.01 here"),
        ({"recipe": replace(PLAIN, epochs=3)}, "epochs is 2 there and 3 here, steps is 20 there and 30 here"),
        ({"seed": 2}, "seed is 1 there and 2 here"),
        ({"network": ModernCNN}, "model is CNN there and ModernCNN here"),
        ({"mixed_precision": True}, "mixed_precision is False there and True here"),
    ],
    ids=["recipe", "epochs", "seed", "network", "precision"],
)
def test_another_run_is_refused(changed, said, noise, tmp_path):
    train(CNN, noise, PLAIN, resume=tmp_path / "run.pt")
    before = (tmp_path / "run.pt").read_bytes()
    with pytest.raises(CheckpointError, match=f"holds another run: {said}"):
        train(**{"network": CNN, "noise": noise, "recipe": PLAIN, **changed}, resume=tmp_path / "run.pt")
    assert (tmp_path / "run.pt").read_bytes() == before


def test_a_networks_checkpoint_is_not_a_runs_and_the_other_way_round(tmp_path):
    save_checkpoint(CNN(), tmp_path / "network.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint that a run can go on from"):
        small_run().resume(tmp_path / "network.pt")
    small_run().save(tmp_path / "run.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint written by save_checkpoint"):
        load_checkpoint(tmp_path / "run.pt")


def test_a_disk_that_fills_up_does_not_end_the_run(noise, tmp_path, monkeypatch, capsys):
    """The older checkpoint stays, the run goes on to the same weights, and the next checkpoint is tried again."""
    whole, _ = train(CNN, noise, PLAIN)
    write, full = checkpoints.write_whole, [False, True, True, False, True, True]

    def write_on_a_full_disk(path, content):
        if full.pop(0):
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(checkpoints, "write_whole", write_on_a_full_disk)
    model, history = train(CNN, noise, PLAIN, resume=tmp_path / "run.pt")
    assert full == []
    assert torch.equal(model.out.weight, whole.out.weight)
    assert "run.pt could not be written: No space left on device" in history.unsaved
    assert capsys.readouterr().out.count("could not be written") == 4
    monkeypatch.undo()
    lines = []
    train(CNN, noise, PLAIN, resume=tmp_path / "run.pt", log=lines.append)
    assert lines[0].startswith("Epoch: 1 |Step: 4 ")  # the fourth look was kept
