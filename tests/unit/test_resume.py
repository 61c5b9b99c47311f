"""A run cut in two gives what an uncut one gives, to the last bit; and no other file is taken for its checkpoint."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from course_utils import CNN, MODERN, ORIGINAL, ModernCNN, fit, make_loaders, save_checkpoint
from course_utils.resume import CheckpointError

# 10 steps an epoch and two epochs; a checkpoint at the steps 0, 4 and 8 of each.
PLAIN = replace(ORIGINAL, batch_size=8, epochs=2, log_every=4)
FULL = replace(MODERN, batch_size=8, epochs=2, log_every=4)


class Dropping(CNN):
    """Draws from torch's own random numbers in every step."""

    def forward(self, images):
        return super().forward(nn.functional.dropout(images, 0.3, self.training))


@pytest.fixture
def loaders():
    """Made anew for each run, as a new process would."""
    generator = torch.Generator().manual_seed(0)
    dataset = TensorDataset(
        torch.rand(80, 1, 28, 28, generator=generator), torch.randint(0, 10, (80,), generator=generator)
    )
    return lambda: make_loaders(dataset, dataset, batch_size=8, seed=5)


def train(network, loaders, recipe, **options):
    torch.manual_seed(0)
    model = network()
    return model, fit(model, loaders(), recipe, device="cpu", **options)


def stop_at(line_start: str):
    def log(line: str) -> None:
        if line.startswith(line_start):
            raise KeyboardInterrupt

    return log


@pytest.mark.parametrize("where", ["Epoch: 0 |Step: 0 ", "Epoch: 0 |Step: 8 ", "Epoch: 1 |Step: 4 "])
@pytest.mark.parametrize(
    ("network", "recipe"),
    [(CNN, PLAIN), (ModernCNN, FULL), (Dropping, PLAIN)],
    ids=["plain", "one-cycle, batch norm, shifts", "dropout"],
)
def test_same_bits_as_the_run_that_was_not_cut(network, recipe, where, loaders, tmp_path):
    whole, history = train(network, loaders, recipe)
    file = tmp_path / "run.pt"
    train(network, loaders, recipe, resume=file, log=stop_at(where))
    torch.manual_seed(99)
    again = network()  # other weights, and another random state, than the first part had
    second = fit(again, loaders(), recipe, device="cpu", resume=file)
    for name, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    timeless = ("step_loss", "steps", "train_loss", "accuracy", "watched", "interrupted")
    assert [getattr(second, name) for name in timeless] == [getattr(history, name) for name in timeless]
    assert second.seconds == sorted(second.seconds)
    assert second.total_seconds >= second.seconds[-1]


def test_a_finished_run_is_not_begun_again(loaders, tmp_path):
    """From its last checkpoint to the end is one step here."""
    lines = []
    first, _ = train(CNN, loaders, PLAIN, resume=tmp_path / "run.pt")
    again, history = train(CNN, loaders, PLAIN, resume=tmp_path / "run.pt", log=lines.append)
    assert lines == []
    assert len(history.step_loss) == 20
    assert torch.equal(again.out.weight, first.out.weight)
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"recipe": replace(PLAIN, learning_rate=0.01)}, "learning_rate is 0.001 there and 0.01 here"),
        ({"recipe": replace(PLAIN, epochs=3)}, "epochs is 2 there and 3 here, steps is 20 there and 30 here"),
        ({"seed": 2}, "seed is 1 there and 2 here"),
        ({"network": ModernCNN}, "model is CNN there and ModernCNN here"),
    ],
    ids=["recipe", "epochs", "seed", "network"],
)
def test_another_run_is_refused(changed, said, loaders, tmp_path):
    train(CNN, loaders, PLAIN, resume=tmp_path / "run.pt")
    before = (tmp_path / "run.pt").read_bytes()
    with pytest.raises(CheckpointError, match=f"holds another run: {said}"):
        train(**{"network": CNN, "loaders": loaders, "recipe": PLAIN, **changed}, resume=tmp_path / "run.pt")
    assert (tmp_path / "run.pt").read_bytes() == before


@pytest.mark.parametrize("kind", ["text", "empty", "cut short", "weights", "other dictionary", "folder"])
def test_no_checkpoint_is_refused(kind, loaders, tmp_path):
    file = tmp_path / "run.pt"
    if kind == "text":
        file.write_text("a text")
    elif kind == "empty":
        file.touch()
    elif kind == "cut short":
        train(CNN, loaders, PLAIN, resume=file)
        file.write_bytes(file.read_bytes()[:5000])
    elif kind == "weights":
        save_checkpoint(CNN(), file)
    elif kind == "other dictionary":
        torch.save({"settings": 3, "history": {"step_loss": []}}, file)
    else:
        file.mkdir()
    with pytest.raises(CheckpointError, match=r"run\.pt is not a checkpoint that a run can go on from"):
        train(CNN, loaders, PLAIN, resume=file)


def test_a_checkpoint_is_written_whole_or_not_at_all(loaders, tmp_path, monkeypatch):
    """A disk that fills up while the second one is written leaves the first."""
    written = []
    save = torch.save

    def save_once(content, file):
        if written:
            file.write_bytes(b"half of it")
            raise OSError(28, "No space left on device")
        written.append(content)
        save(content, file)

    monkeypatch.setattr(torch, "save", save_once)
    with pytest.raises(OSError, match="No space left"):
        train(CNN, loaders, PLAIN, resume=tmp_path / "run.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]
    kept = torch.load(tmp_path / "run.pt", weights_only=True)
    assert len(kept["history"]["step_loss"]) == 1
