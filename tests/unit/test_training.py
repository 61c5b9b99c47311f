"""Training against a loop written out by hand, and everything that can stop it; evaluation; devices."""

import re
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

from course_utils import CNN, MODERN, ORIGINAL, ModernCNN, evaluate, fit, in_batches, training
from course_utils.data import EVALUATION_CHUNK, ImageSet
from course_utils.training import History, TrainingDiverged, choose_device, has_bfloat16
from tests.accelerator.stand_in import stand_in

LOG_LINE = re.compile(r"Epoch: (\d+) \|Step: (\d+) \|train loss:(\d+\.\d{4}) \|(.+) accuracy:([01]\.\d{4})")


@pytest.fixture(autouse=True)
def one_thread():
    """Batches here are so small that on a shared machine waiting for a second thread costs more than it saves."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def few(mnist):
    """Ten batches of the original's 50."""
    return ImageSet(mnist.train._pixels[:500, 0], mnist.train.labels[:500])


@pytest.fixture(scope="module")
def watch(mnist):
    return "validation", Subset(mnist.validation, range(100))


def _new(network=CNN):
    torch.manual_seed(0)
    return network()


def _weights(model) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


class Viewing(nn.Module):
    """A learner's own network, which asks for maps in their usual order, as many tutorials have it."""

    def __init__(self):
        super().__init__()
        self.conv, self.out = nn.Conv2d(1, 4, 5), nn.Linear(4 * 12 * 12, 10)

    def forward(self, images):
        maps = F.max_pool2d(self.conv(images), 2)
        return self.out(maps.view(len(maps), -1))


# --- the loop ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("epochs", "schedule"), [(1, "constant"), (2, "one-cycle"), (0.3, "one-cycle")])
def test_same_weights_as_a_loop_by_hand(few, mnist, epochs, schedule):
    """The tutorial's loop in plain PyTorch. In float64, where the order of sums can't show."""
    images, labels = few[:200]
    train = TensorDataset(images.double(), labels)
    watched_images, watched_labels = mnist.validation[:100]
    watched = TensorDataset(watched_images.double(), watched_labels)
    recipe = replace(ORIGINAL, batch_size=20, epochs=epochs, schedule=schedule)

    model = _new().double()
    history = fit(model, train, recipe, watch=("some", watched), look_every=4, seed=3, device="cpu")

    by_hand = _new().double()
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=0.001)
    total = round(10 * epochs)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.001, total) if schedule == "one-cycle" else None
    losses, accuracies, steps = [], [], []
    loader = in_batches(train, 20, seed=3)
    batches = [(step, batch) for _ in range(3) for step, batch in enumerate(loader)]  # each pass in another order
    for step, (b_x, b_y) in batches[:total]:
        loss = nn.CrossEntropyLoss()(by_hand(b_x), b_y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if cycle:
            cycle.step()
        losses.append(loss.item())
        if step % 4 == 0:
            predicted = by_hand(watched_images.double()).max(1)[1]
            accuracies.append((predicted == watched_labels).double().mean().item())
            steps.append(len(losses) - 1)
    assert torch.allclose(_weights(model), _weights(by_hand), atol=1e-9)
    assert history.step_loss == pytest.approx(losses, abs=1e-9)
    assert history.accuracy == pytest.approx(accuracies)
    assert history.steps == steps
    assert history.train_loss == [history.step_loss[step] for step in steps]


def test_a_network_that_views_its_maps_is_trained_and_evaluated(few, watch):
    model = _new(Viewing)
    history = fit(model, few, ORIGINAL, watch=watch, look_every=9, device="cpu")
    assert evaluate(model, watch[1]) == history.accuracy[-1] > 0.2


def test_log_in_the_tutorials_format(few, watch):
    lines = []
    recipe = replace(ORIGINAL, epochs=2.5)
    history = fit(_new(), few, recipe, watch=watch, look_every=3, device="cpu", log=lines.append)
    found = [LOG_LINE.fullmatch(line) for line in lines]
    assert all(found), lines
    expected = [(epoch, step) for epoch in (0, 1, 2) for step in (0, 3, 6, 9)][:-2]  # the third ends after five steps
    assert [(int(match[1]), int(match[2])) for match in found] == expected
    assert [match[3] for match in found] == [f"{loss:.4f}" for loss in history.train_loss]
    assert {match[4] for match in found} == {history.watched} == {"validation"}
    assert [match[5] for match in found] == [f"{accuracy:.4f}" for accuracy in history.accuracy]
    assert 0 < history.seconds[0] < history.seconds[-1] <= history.total_seconds
    assert history.seconds == sorted(history.seconds)
    assert history.accuracy[-1] > 0.5  # it learns


def test_watching_changes_no_weight(few, watch):
    """Nor does it leave batch normalisation in evaluation mode, where it would stop learning its statistics."""
    lines, watched, alone = [], _new(ModernCNN), _new(ModernCNN)
    fit(watched, few, replace(MODERN, batch_size=50), watch=watch, look_every=1, device="cpu")
    history = fit(alone, few, replace(MODERN, batch_size=50), device="cpu", log=lines.append)
    for name, value in watched.state_dict().items():
        assert torch.equal(alone.state_dict()[name], value), name
    assert alone.blocks[2].num_batches_tracked == 10
    assert lines == history.steps == history.accuracy == []
    assert history.watched is None and len(history.step_loss) == 10


@pytest.mark.parametrize("recipe", [ORIGINAL, MODERN], ids=lambda recipe: recipe.name)
def test_same_seeds_same_weights(few, recipe):
    def train(seed: int) -> torch.Tensor:
        model = _new()
        torch.manual_seed(seed * 17)  # torch's own random numbers play no part
        fit(model, few, recipe, seed=seed, device="cpu")
        return _weights(model)

    first = train(seed=1)
    assert torch.equal(train(seed=1), first)
    assert not torch.equal(train(seed=2), first)


def test_training_images_are_changed_and_watched_ones_are_not(few, watch, monkeypatch):
    calls, seen = [], []

    class Watching(CNN):
        def forward(self, images):
            seen.append((self.training, images))
            return super().forward(images)

    def recorded(images, generator, **limits):
        calls.append({name: limits[name] for name in training.AFFINE})
        return torch.zeros_like(images)

    monkeypatch.setattr(training, "random_affine", recorded)
    limits = {"max_shift": 1.5, "max_rotation": 20, "max_scale": 0.2, "max_shear": 0.3}
    fit(Watching(), few, replace(ORIGINAL, **limits), watch=watch, look_every=100, device="cpu")
    assert calls == [limits] * 10
    assert all(images.any() != in_training for in_training, images in seen)
    calls.clear()
    fit(CNN(), few, ORIGINAL, device="cpu")
    assert not calls


def test_smoothed_labels(few):
    """Against the loss written out: 1 - s of the target on the right class, s spread over all ten."""
    images, labels = few[:50]
    target = 0.7 * F.one_hot(labels, 10) + 0.3 / 10
    expected = -(target * F.log_softmax(_new()(images), dim=1)).sum(dim=1).mean().item()
    history = fit(_new(), TensorDataset(images, labels), replace(ORIGINAL, label_smoothing=0.3), device="cpu")
    assert history.step_loss == pytest.approx([expected], abs=1e-5)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"train": "mnist"}, TypeError, "dataset.*got Splits"),
        ({"train": "loader"}, TypeError, "dataset.*got DataLoader"),
        ({"train": None}, TypeError, "dataset.*got NoneType"),
        ({"look_every": 10, "watch": None}, ValueError, "watch"),
        ({"look_every": 0}, ValueError, "look_every"),
        ({"look_every": 2.5}, TypeError, "look_every"),
        ({"resume": "run.pt"}, ValueError, "look_every"),
        ({"watch": "validation"}, TypeError, "watch"),
        ({"watch": (1, 2)}, TypeError, "watch"),
        ({"device": "tpu"}, ValueError, "'tpu' is not available"),
    ],
    ids=str,
)
def test_what_is_refused_before_the_training(wrong, error, said, few, watch, mnist):
    values = {"train": few, "watch": watch, **wrong}
    named = {"mnist": mnist, "loader": DataLoader(few)}
    train = named.get(values["train"], values["train"]) if isinstance(values["train"], str) else values["train"]
    model = _new()
    with pytest.raises(error, match=said):
        fit(model, train, ORIGINAL, **{name: value for name, value in values.items() if name != "train"})
    assert torch.equal(_weights(model), _weights(_new()))


# --- where the network is afterwards ----------------------------------------------------------------------------


def _assert_as_it_came(model) -> None:
    """On its device, in evaluation mode, and so that weights can be viewed as one row."""
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}
    assert not any(module.training for module in model.modules())
    assert all(parameter.is_contiguous() for parameter in model.parameters())


@pytest.fixture
def accelerator():
    with stand_in() as accelerator:
        yield accelerator


@pytest.mark.parametrize("end", ["finished", "interrupted", "diverged", "error"])
def test_the_network_comes_back(end, few, watch, accelerator):
    """From an accelerator, whatever ended the run."""
    raised = {
        "finished": None,
        "interrupted": KeyboardInterrupt,
        "diverged": TrainingDiverged,
        "error": ZeroDivisionError,
    }[end]

    def stop(line: str) -> None:
        if raised in (KeyboardInterrupt, ZeroDivisionError):
            raise raised

    model = _new(ModernCNN)
    recipe = replace(MODERN, learning_rate=1e30 if end == "diverged" else MODERN.learning_rate)
    try:
        history = fit(model, few, recipe, watch=watch, look_every=4, log=stop)
        assert history.interrupted == (end == "interrupted")
    except (TrainingDiverged, ZeroDivisionError) as error:
        assert type(error) is raised
    assert accelerator.steps > 0
    _assert_as_it_came(model)
    assert 0 <= evaluate(model, watch[1]) <= 1


# --- what ends a run early --------------------------------------------------------------------------------------


@pytest.fixture
def ctrl_c():
    """SIGINT raises KeyboardInterrupt, as at a keyboard, even where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def _assert_usable(model, history: History) -> None:
    assert history.interrupted is True
    assert _weights(model).isfinite().all()
    assert history.total_seconds > 0
    assert len(history.steps) == len(history.train_loss) == len(history.accuracy) == len(history.seconds)
    _assert_as_it_came(model)


@pytest.mark.parametrize("where", ["training", "watching", "very first batch", "log"])
def test_interrupts(few, watch, where, capsys):
    first = 1 if where == "very first batch" else 6

    class Interrupted(CNN):
        calls = 0

        def forward(self, images):
            self.calls += 1
            if where != "log" and self.training == (where != "watching") and self.calls >= first:
                raise KeyboardInterrupt
            return super().forward(images)

    def stop(line: str) -> None:
        if where == "log" and "Step: 6 " in line:
            raise KeyboardInterrupt

    model = Interrupted()
    history = fit(model, few, ORIGINAL, watch=watch, look_every=2, device="cpu", log=stop)
    _assert_usable(model, history)
    done = {"training": 3, "watching": 5, "very first batch": 0, "log": 7}[where]
    assert len(history.step_loss) == done
    assert f"Interrupted after {done} of 10 steps" in capsys.readouterr().out


def test_ctrl_c_at_any_moment(few, watch, ctrl_c):
    """A real signal, from a timer that the first step starts, at a moment that nobody chose."""
    timer = threading.Timer(0.5, ctrl_c)

    def start_once(line: str) -> None:
        if line.startswith("Epoch: 0 |Step: 0 "):
            timer.start()

    model = _new()
    recipe = replace(ORIGINAL, epochs=3000)
    history = fit(model, few, recipe, watch=watch, look_every=3, device="cpu", log=start_once)
    timer.join()
    _assert_usable(model, history)
    assert 0 < len(history.step_loss) < 30_000
    again = fit(model, few, ORIGINAL, device="cpu")  # it can be trained further
    assert not again.interrupted and len(again.step_loss) == 10


@pytest.mark.parametrize(("value", "step"), [(float("nan"), 0), (float("inf"), 7)], ids=str)
def test_a_loss_that_is_no_number(few, watch, value, step):
    """The error names the step, which is the last one in the history, and the usual cause with this run's value."""

    class Failing(CNN):
        calls = 0

        def forward(self, images):
            logits = super().forward(images)
            self.calls += self.training
            return logits - logits * value if self.training and self.calls == step + 1 else logits

    with pytest.raises(TrainingDiverged, match=rf"at step {step},.*learning rate.*0\.001") as caught:
        fit(Failing(), few, ORIGINAL, watch=watch, look_every=5, device="cpu")
    history = caught.value.history
    assert len(history.step_loss) == step + 1
    assert torch.tensor(history.step_loss).isfinite().tolist() == [True] * step + [False]
    assert history.steps == [done for done in range(step) if done % 5 == 0]


# --- precision --------------------------------------------------------------------------------------------------


class Noted(CNN):
    """Keeps in which numbers its convolutions answered, in training and when looked at."""

    def __init__(self):
        super().__init__()
        self.numbers = {True: set(), False: set()}
        for block in (self.conv1, self.conv2):
            block[0].register_forward_hook(lambda layer, _, output: self.numbers[layer.training].add(output.dtype))


@pytest.mark.parametrize(("here", "numbers"), [(True, torch.bfloat16), (False, torch.float32)])
def test_mixed_precision_trains_in_bfloat16_where_the_device_has_it(here, numbers, few, watch, monkeypatch):
    """Looks and weights are float32 in any case; without such a device it is the run without mixed precision."""
    monkeypatch.setattr(training, "has_bfloat16", lambda device: here)
    options = {"watch": watch, "look_every": 5, "device": "cpu"}
    plain = fit(_new(), few, ORIGINAL, **options)
    model = _new(Noted)
    mixed = fit(model, few, ORIGINAL, mixed_precision=True, **options)
    assert model.numbers == {True: {numbers}, False: {torch.float32}}
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert mixed.step_loss == pytest.approx(plain.step_loss, rel=0.02)  # 8 bits are kept of each factor
    assert (mixed.step_loss == plain.step_loss) == (not here)


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="the oracle is Linux's list of a processor's features")
def test_which_devices_have_bfloat16(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: not including_emulation)
    assert has_bfloat16(torch.device("cpu")) == ("avx512_bf16" in Path("/proc/cpuinfo").read_text().split())
    assert has_bfloat16(torch.device("cuda"))
    assert not has_bfloat16(torch.device("mps"))


# --- the progress bar -------------------------------------------------------------------------------------------


def test_progress_bar(few, watch, monkeypatch, capsys):
    monkeypatch.delenv("TQDM_DISABLE")
    fit(_new(), few, ORIGINAL, watch=watch, look_every=100, device="cpu")
    said = capsys.readouterr()
    assert said.out == ""
    last = said.err.rstrip().splitlines()[-1]  # \r ends a line too
    for shown in (r"original on cpu: 100%.* 10/10 ", r"loss=\d\.\d{3}", r"accuracy=[01]\.\d{3}"):
        assert re.search(shown, last), said.err


# --- evaluate ---------------------------------------------------------------------------------------------------


def test_evaluate_is_the_share_of_right_answers(few, mnist):
    model = _new()
    fit(model, few, ORIGINAL, device="cpu")
    right = 0
    with torch.no_grad():
        for image, label in (mnist.test[index] for index in range(250)):  # more than two chunks, the last not full
            logits = model(image[None])[0].tolist()
            right += logits.index(max(logits)) == label.item()
    some = Subset(mnist.test, range(250))
    assert 0 < right < 250
    assert evaluate(model, some) == evaluate(model, DataLoader(some, batch_size=7)) == right / 250


@pytest.mark.parametrize("training_mode", [True, False])
def test_evaluate_works_in_chunks_and_leaves_the_model_as_it_was(watch, mnist, training_mode):
    seen = []

    class Watching(ModernCNN):
        def forward(self, images):
            seen.append((self.training, len(images)))
            return super().forward(images)

    model = Watching().train(training_mode)
    before = model.state_dict()["blocks.2.running_mean"].clone()
    evaluate(model, Subset(mnist.test, range(950)))
    assert {in_training for in_training, _ in seen} == {False}
    assert sum(count for _, count in seen) == 950 and max(count for _, count in seen) == EVALUATION_CHUNK
    assert torch.equal(model.state_dict()["blocks.2.running_mean"], before)
    with pytest.raises(ValueError):
        evaluate(model, TensorDataset(torch.zeros(3, 1, 9, 9), torch.zeros(3, dtype=torch.int64)))
    assert all(module.training == training_mode for module in model.modules())


def test_evaluate_nothing():
    empty = ImageSet(torch.zeros(0, 28, 28, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64))
    with pytest.raises(ValueError, match="empty"):
        evaluate(_new(), empty)


def test_evaluate_takes_a_model_without_parameters():
    images, labels = torch.rand(5, 1, 1, 4), torch.tensor([0, 1, 2, 3, 0])
    expected = (images.flatten(1).argmax(1) == labels).float().mean().item()
    assert evaluate(nn.Flatten(), TensorDataset(images, labels)) == pytest.approx(expected)


# --- devices ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cuda", "mps", "best"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_best_device(monkeypatch, cuda, mps, best):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device().type == best
    for name, there in (("cuda", cuda), ("mps", mps), ("cpu", True)):
        if there:
            assert choose_device(name) == choose_device(torch.device(name)) == torch.device(name)
        else:
            with pytest.raises(ValueError, match=f"'{name}' is not available here; choose from: .*cpu"):
                choose_device(name)


@pytest.mark.parametrize("name", ["tpu", "", "gpu", "cuda0", "meta", "xpu"])
def test_devices_that_are_none(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"{name!r} is not available here; choose from: cuda, cpu"):
        choose_device(name)
