"""Training against a loop written out by hand, and everything that can stop it; devices; checkpoints."""

import os
import pickle
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

from course_utils import CNN, MODERN, ORIGINAL, ModernCNN, evaluate, fit, load_mnist, make_loaders, training
from course_utils.data import EVALUATION_CHUNK, ImageSet, Loaders, Mnist
from course_utils.models import DeepCNN
from course_utils.training import (
    BEST,
    QUICK,
    CheckpointError,
    History,
    Recipe,
    TrainingDiverged,
    choose_device,
    load_checkpoint,
    save_checkpoint,
)

SHORT = replace(ORIGINAL, train_on="train", watch="validation")  # 10 steps of the splits below
LOG_LINE = re.compile(r"Epoch: (\d+) \|Step: (\d+) \|train loss:(\d+\.\d{4}) \|(.+) accuracy:([01]\.\d{4})")


@pytest.fixture(autouse=True)
def one_thread():
    """Batches here are so small that on a shared machine waiting for a second thread costs more than it saves."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def mnist():
    """MNIST cut down to splits that train in a second."""
    whole = load_mnist()

    def first(image_set: ImageSet, count: int) -> ImageSet:
        return ImageSet(image_set._pixels[:count, 0], image_set.labels[:count])

    return Mnist(
        train=first(whole.train, 500),
        validation=first(whole.validation, 100),
        test=first(whole.test, 2000),
        full_train=first(whole.full_train, 1500),
    )


@pytest.fixture
def loaders(mnist):
    return make_loaders(mnist.train, mnist.validation, batch_size=50)


def _new(network=CNN, seed=0):
    torch.manual_seed(seed)
    return network()


def _weights(model) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


# --- the loop ---------------------------------------------------------------------------------------------------


def test_same_weights_as_a_loop_by_hand(mnist):
    """30 steps of the tutorial's loop in plain PyTorch. In float64, where the order of sums can't show."""
    images, labels = mnist.full_train[:1500]
    train = TensorDataset(images.double(), labels)
    watched_images, watched_labels = mnist.test[:100]
    watched = TensorDataset(watched_images.double(), watched_labels)

    model = _new().double()
    recipe = replace(ORIGINAL, log_every=10)
    history = fit(model, make_loaders(train, watched, 50, seed=3), recipe, device="cpu")

    by_hand = _new().double()
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=0.001)
    losses, accuracies = [], []
    for step, (b_x, b_y) in enumerate(make_loaders(train, watched, 50, seed=3).train):
        loss = nn.CrossEntropyLoss()(by_hand(b_x), b_y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 10 == 0:
            predicted = by_hand(watched_images.double()).max(1)[1]
            accuracies.append((predicted == watched_labels).double().mean().item())
    assert len(losses) == 30
    assert torch.allclose(_weights(model), _weights(by_hand), atol=1e-9)
    assert history.step_loss == pytest.approx(losses, abs=1e-9)
    assert history.accuracy == pytest.approx(accuracies)
    assert history.train_loss == pytest.approx(losses[::10], abs=1e-9)


def test_history(mnist):
    history = fit(_new(), mnist, replace(SHORT, train_on="full_train", log_every=10, epochs=2), device="cpu")
    assert history.watched == "validation"
    assert history.steps == [0, 10, 20, 30, 40, 50]  # 30 steps an epoch
    assert len(history.step_loss) == 60
    assert history.train_loss == [history.step_loss[step] for step in history.steps]
    assert len(history.accuracy) == len(history.seconds) == 6
    assert all(0 <= accuracy <= 1 for accuracy in history.accuracy)
    assert history.accuracy[-1] > 0.6  # it learns
    assert 0 < history.seconds[0] < history.seconds[-1] <= history.total_seconds
    assert history.seconds == sorted(history.seconds)
    assert history.interrupted is False


@pytest.mark.parametrize("log_every", [3, 5, 100])
def test_log_lines_in_the_tutorials_format(mnist, log_every):
    lines = []
    history = fit(_new(), mnist, replace(SHORT, log_every=log_every, epochs=2), device="cpu", log=lines.append)
    found = [LOG_LINE.fullmatch(line) for line in lines]
    assert all(found), lines
    expected = [(epoch, step) for epoch in (0, 1) for step in range(0, 10, log_every)]
    assert [(int(match[1]), int(match[2])) for match in found] == expected
    assert [match[3] for match in found] == [f"{loss:.4f}" for loss in history.train_loss]
    assert {match[4] for match in found} == {"validation"}
    assert [match[5] for match in found] == [f"{accuracy:.4f}" for accuracy in history.accuracy]


def test_log_names_what_is_watched(mnist, loaders):
    for data, recipe, name in (
        (mnist, SHORT, "validation"),
        (mnist, replace(SHORT, watch="test_first_2000"), "test"),  # as in the tutorial's log
        (mnist, replace(SHORT, watch="test"), "test"),
        (loaders, SHORT, "watched"),
    ):
        lines = []
        history = fit(_new(), data, recipe, device="cpu", log=lines.append)
        assert history.watched == name
        assert LOG_LINE.fullmatch(lines[0])[4] == name


def test_model_ends_in_evaluation_mode(loaders):
    model = _new()
    fit(model, loaders, SHORT, device="cpu")
    assert not any(module.training for module in model.modules())


def test_model_trains_in_training_mode_after_watching(loaders):
    """Watching switches to evaluation; were it to stay there, batch norm would stop learning its statistics."""
    model = _new(ModernCNN)
    fit(model, loaders, replace(MODERN, log_every=1), device="cpu")
    assert model.blocks[2].num_batches_tracked == 10


@pytest.mark.parametrize("recipe", [SHORT, MODERN], ids=lambda recipe: recipe.name)
def test_same_seeds_same_weights(mnist, recipe):
    def train(seed: int) -> torch.Tensor:
        model = _new(recipe.model)
        torch.manual_seed(seed * 17)  # torch's own random numbers play no part
        fit(model, mnist, recipe, seed=seed, device="cpu")
        return _weights(model)

    first = train(seed=1)
    assert torch.equal(train(seed=1), first)
    assert not torch.equal(train(seed=2), first)


def test_recipe_chooses_the_images(mnist):
    """1,500 images in full_train and 500 in train."""
    for train_on, batch_size, steps in (("train", 50, 10), ("full_train", 50, 30), ("full_train", 400, 4)):
        recipe = replace(SHORT, train_on=train_on, batch_size=batch_size)
        assert len(fit(_new(), mnist, recipe, device="cpu").step_loss) == steps


def test_shipped_recipes():
    """The tutorial's values; and a modern recipe that does not choose by the test images."""
    assert (ORIGINAL.batch_size, ORIGINAL.learning_rate, ORIGINAL.epochs, ORIGINAL.log_every) == (50, 1e-3, 1, 100)
    assert (ORIGINAL.model, ORIGINAL.train_on, ORIGINAL.watch) == (CNN, "full_train", "test_first_2000")
    assert (ORIGINAL.schedule, ORIGINAL.label_smoothing) == ("constant", 0)
    assert not any(getattr(ORIGINAL, name) for name in training.AFFINE)
    for recipe in (MODERN, QUICK, BEST):
        assert (recipe.train_on, recipe.watch) == ("train", "validation")
    assert MODERN.epochs == 1 > QUICK.epochs


def test_a_recipe_that_logs_nothing(mnist, tmp_path):
    """The same weights; no line, no accuracy, and no promise of a checkpoint."""
    lines, unwatched = [], replace(SHORT, log_every=None)
    watched_model, model = _new(), _new()
    fit(watched_model, mnist, SHORT, device="cpu")
    history = fit(model, mnist, unwatched, device="cpu", log=lines.append)
    assert lines == history.steps == history.accuracy == []
    assert len(history.step_loss) == 10 and history.total_seconds > 0
    assert all(torch.equal(*pair) for pair in zip(watched_model.parameters(), model.parameters(), strict=True))
    with pytest.raises(training.CheckpointError, match="give it a log_every, or leave resume out"):
        fit(_new(), mnist, unwatched, device="cpu", resume=tmp_path / "run.pt")


@pytest.mark.parametrize("value", [0, -1, float("nan")])
@pytest.mark.parametrize("name", ["batch_size", "learning_rate", "epochs", "log_every"])
def test_recipe_values_must_be_above_zero(name, value):
    with pytest.raises(ValueError, match=f"{name} must be above 0, got {value}"):
        replace(ORIGINAL, **{name: value})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("max_shift", -1, "max_shift must not be below 0, got -1"),
        ("max_rotation", float("nan"), "max_rotation must not be below 0, got nan"),
        ("max_scale", 1, "max_scale must be below 1"),
        ("label_smoothing", 1, "label_smoothing must be from 0 to below 1, got 1"),
        ("schedule", "cosine", "schedule must be one of constant, one-cycle; got 'cosine'"),
        ("train_on", "test", "train_on must be one of train, full_train; got 'test'"),
        ("watch", "tset", "watch must be one of test_first_2000, test, validation; got 'tset'"),
    ],
)
def test_recipe_choices(name, value, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        replace(ORIGINAL, **{name: value})


def test_a_recipe_of_ones_own(mnist):
    recipe = Recipe("mine", ModernCNN, train_on="train", watch="validation", batch_size=125)
    assert len(fit(recipe.model(), mnist, recipe, device="cpu").step_loss) == 4


# --- what may be trained on -------------------------------------------------------------------------------------


def test_plain_dataloaders_will_do(mnist):
    train = DataLoader(mnist.train, batch_size=50, shuffle=True)
    watched = DataLoader(Subset(mnist.validation, range(100)), batch_size=64)
    for pair in ((train, watched), Loaders(train, watched)):
        history = fit(_new(), pair, SHORT, device="cpu")
        assert len(history.step_loss) == 10


@pytest.mark.parametrize("wrong", ["dataset", "one loader", "three loaders", "list", "datasets", "None"])
def test_anything_else_is_refused(mnist, loaders, wrong):
    data = {
        "dataset": mnist.train,
        "one loader": loaders.train,
        "three loaders": (*loaders, loaders.train),
        "list": list(loaders),
        "datasets": (mnist.train, mnist.validation),
        "None": None,
    }[wrong]
    with pytest.raises(TypeError, match=f"load_mnist.*make_loaders.*got {type(data).__name__}"):
        fit(_new(), data, SHORT, device="cpu")


# --- the learning rate and the shifts ---------------------------------------------------------------------------


@pytest.fixture
def learning_rates(monkeypatch):
    """Receives the learning rate of every step."""
    rates = []

    class RecordingAdam(torch.optim.Adam):
        def step(self, *arguments):
            rates.append(self.param_groups[0]["lr"])
            return super().step(*arguments)

    monkeypatch.setattr(torch.optim, "Adam", RecordingAdam)
    return rates


def test_constant_learning_rate(loaders, learning_rates):
    fit(_new(), loaders, replace(SHORT, learning_rate=0.003), device="cpu")
    assert learning_rates == [0.003] * 10


def test_one_cycle_rises_and_falls(loaders, learning_rates):
    fit(_new(ModernCNN), loaders, replace(MODERN, epochs=2), device="cpu")
    assert len(learning_rates) == 20  # one cycle for the whole run, not one an epoch
    peak = learning_rates.index(max(learning_rates))
    assert learning_rates[peak] == pytest.approx(MODERN.learning_rate, rel=0.05)
    assert 0 < peak < 19
    assert learning_rates[: peak + 1] == sorted(learning_rates[: peak + 1])
    assert learning_rates[peak:] == sorted(learning_rates[peak:], reverse=True)
    assert learning_rates[0] < MODERN.learning_rate / 10
    assert learning_rates[-1] < MODERN.learning_rate / 1000


def test_training_images_are_changed_and_watched_ones_are_not(mnist, monkeypatch):
    calls, seen = [], []

    class Watching(CNN):
        def forward(self, images):
            if not self.training:
                seen.append(images)
            return super().forward(images)

    def recorded(images, generator, **limits):
        calls.append({name: limits[name] for name in training.AFFINE})
        return images

    monkeypatch.setattr(training, "random_affine", recorded)
    recipe = replace(MODERN, max_shift=1.5, max_rotation=20, max_scale=0.2, max_shear=0.3)
    history = fit(Watching(), mnist, recipe, device="cpu")
    assert calls == [{"max_shift": 1.5, "max_rotation": 20, "max_scale": 0.2, "max_shear": 0.3}] * len(
        history.step_loss
    )
    assert torch.equal(torch.cat(seen[:1]), mnist.validation.images)
    calls.clear()
    fit(CNN(), mnist, SHORT, device="cpu")
    assert not calls


def test_smoothed_labels(mnist):
    """Against the loss written out: 1 - s of the target on the right class, s spread over all ten."""
    images, labels = mnist.train[:50]
    loaders = make_loaders(TensorDataset(images, labels), mnist.validation, 50)
    target = 0.7 * F.one_hot(labels, 10) + 0.3 / 10
    expected = -(target * F.log_softmax(_new()(images), dim=1)).sum(dim=1).mean().item()
    history = fit(_new(), loaders, replace(SHORT, label_smoothing=0.3), device="cpu")
    assert history.step_loss[0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("epochs", "steps"), [(0.3, 3), (1, 10), (2.5, 25)])
def test_part_of_an_epoch(mnist, epochs, steps):
    lines = []
    history = fit(_new(), mnist, replace(SHORT, epochs=epochs, log_every=1), device="cpu", log=lines.append)
    found = [LOG_LINE.fullmatch(line) for line in lines]
    assert [(int(match[1]), int(match[2])) for match in found] == [divmod(step, 10) for step in range(steps)]
    assert len(history.step_loss) == steps


# --- what ends a run early --------------------------------------------------------------------------------------


@pytest.fixture
def ctrl_c():
    """SIGINT raises KeyboardInterrupt, as at a keyboard, even where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def _assert_usable(model, history: History, mnist) -> None:
    assert history.interrupted is True
    assert not model.training
    assert _weights(model).isfinite().all()
    assert 0 <= evaluate(model, mnist.validation) <= 1
    assert history.total_seconds > 0
    assert len(history.steps) == len(history.train_loss) == len(history.accuracy) == len(history.seconds)


def test_interrupt_in_the_log(mnist, capsys):
    def stop_at_step_6(line: str) -> None:
        if "Step: 6 " in line:
            raise KeyboardInterrupt

    model = _new()
    history = fit(model, mnist, replace(SHORT, log_every=3), device="cpu", log=stop_at_step_6)
    _assert_usable(model, history, mnist)
    assert history.steps == [0, 3, 6]
    assert len(history.step_loss) == 7
    assert "Interrupted after 7 of 10 steps; the model and its history are kept." in capsys.readouterr().out


@pytest.mark.parametrize("where", ["training", "watching", "very first batch"])
def test_interrupt_inside_the_model(mnist, where):
    class Interrupted(CNN):
        calls = 0

        def forward(self, images):
            self.calls += 1
            if self.training == (where != "watching") and self.calls >= (1 if where == "very first batch" else 6):
                raise KeyboardInterrupt
            return super().forward(images)

    model = Interrupted()
    history = fit(model, mnist, replace(SHORT, log_every=2), device="cpu")
    model.forward = lambda images: CNN.forward(model, images)
    _assert_usable(model, history, mnist)
    assert (len(history.step_loss) == 0) == (where == "very first batch")


def test_ctrl_c_at_any_moment(mnist, ctrl_c):
    """A real signal, from a timer that the first step starts, at a moment that nobody chose."""
    model = _new()
    timer = threading.Timer(0.5, ctrl_c)

    def start_once(line: str) -> None:
        if line.startswith("Epoch: 0 "):
            timer.start()

    history = fit(model, mnist, replace(SHORT, epochs=3000), device="cpu", log=start_once)
    timer.join()
    _assert_usable(model, history, mnist)
    assert 0 < len(history.step_loss) < 30_000


def test_training_goes_on_after_an_interrupt(mnist):
    model = _new()

    def stop(line: str) -> None:
        raise KeyboardInterrupt

    fit(model, mnist, SHORT, device="cpu", log=stop)
    history = fit(model, mnist, SHORT, device="cpu")
    assert not history.interrupted
    assert len(history.step_loss) == 10


def test_learning_rate_far_too_high(mnist):
    with pytest.raises(TrainingDiverged) as caught:
        fit(_new(), mnist, replace(SHORT, learning_rate=1e20), device="cpu")
    _assert_explained(caught.value)
    assert "1e+20" in str(caught.value)


def _assert_explained(error: TrainingDiverged) -> None:
    """The step, which is the last one in the history, and the usual cause."""
    step = len(error.history.step_loss) - 1
    assert f"at step {step}," in str(error)
    assert "learning rate" in str(error)
    assert not torch.tensor(error.history.step_loss[-1]).isfinite()
    assert torch.tensor(error.history.step_loss[:-1]).isfinite().all()
    assert error.history.steps == [step for step in range(step) if step % SHORT.log_every == 0]


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=str)
@pytest.mark.parametrize("step", [0, 7])
def test_a_model_that_fails_at_one_step(mnist, value, step):
    class Failing(CNN):
        calls = 0

        def forward(self, images):
            logits = super().forward(images)
            if self.training:
                self.calls += 1
                if self.calls == step + 1:
                    return logits - logits * value
            return logits

    with pytest.raises(TrainingDiverged) as caught:
        fit(Failing(), mnist, SHORT, device="cpu")
    assert len(caught.value.history.step_loss) == step + 1
    _assert_explained(caught.value)


# --- the progress bar -------------------------------------------------------------------------------------------

PROGRESS = """
import torch
from course_utils import CNN, ORIGINAL, fit, make_loaders
from course_utils.data import ImageSet
torch.set_num_threads(1)
images = ImageSet(torch.zeros(200, 28, 28, dtype=torch.uint8), torch.zeros(200, dtype=torch.int64))
fit(CNN(), make_loaders(images, images, 50), ORIGINAL, device="cpu")
"""


@pytest.mark.parametrize("disabled", [False, True])
def test_progress_bar(disabled):
    """In a process of its own: tqdm reads TQDM_DISABLE when it is imported."""
    environment = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    if disabled:
        environment["TQDM_DISABLE"] = "1"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRESS], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout == ""
    if disabled:
        assert run.stderr == ""
    else:
        last = run.stderr.rstrip().splitlines()[-1]  # \r ends a line too
        for shown in (r"original: 100%.* 4/4 ", r"loss=\d\.\d{3}", r"accuracy=[01]\.\d{3}"):
            assert re.search(shown, last), run.stderr


# --- evaluate ---------------------------------------------------------------------------------------------------


def test_evaluate_is_the_share_of_right_answers(mnist):
    model = _new()
    fit(model, mnist, SHORT, device="cpu")
    right = 0
    with torch.no_grad():
        for image, label in (mnist.test[index] for index in range(750)):  # more than one chunk, the last not full
            logits = model(image[None])[0].tolist()
            right += logits.index(max(logits)) == label.item()
    assert 0 < right < 750
    assert evaluate(model, Subset(mnist.test, range(750))) == right / 750


def test_evaluate_in_chunks_is_evaluate_at_once(mnist):
    model = _new()
    whole = DataLoader(mnist.test, batch_size=len(mnist.test))
    single = DataLoader(Subset(mnist.test, range(100)), batch_size=1)
    assert evaluate(model, mnist.test) == evaluate(model, whole)
    assert evaluate(model, Subset(mnist.test, range(100))) == evaluate(model, single)


def test_evaluate_takes_no_more_than_a_chunk_at_a_time(mnist):
    sizes = []

    class Counting(CNN):
        def forward(self, images):
            sizes.append(len(images))
            return super().forward(images)

    evaluate(Counting(), mnist.test)
    assert sum(sizes) == 2000
    assert max(sizes) == EVALUATION_CHUNK


@pytest.mark.parametrize("training_mode", [True, False])
def test_evaluate_keeps_the_mode_and_measures_in_evaluation_mode(mnist, training_mode):
    modes = set()

    class Watching(ModernCNN):
        def forward(self, images):
            modes.add(self.training)
            return super().forward(images)

    model = Watching().train(training_mode)
    before = model.state_dict()["blocks.2.running_mean"].clone()
    evaluate(model, mnist.validation)
    assert modes == {False}
    assert all(module.training == training_mode for module in model.modules())
    assert torch.equal(model.state_dict()["blocks.2.running_mean"], before)


def test_evaluate_restores_the_mode_after_an_error():
    model = _new().train()
    with pytest.raises(ValueError, match="expected a batch of images"):
        evaluate(model, TensorDataset(torch.zeros(3, 1, 9, 9), torch.zeros(3, dtype=torch.int64)))
    assert model.training


def test_evaluate_nothing():
    empty = ImageSet(torch.zeros(0, 28, 28, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64))
    with pytest.raises(ValueError, match="the dataset is empty"):
        evaluate(_new(), empty)


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
            assert choose_device(name) == torch.device(name)
            assert choose_device(torch.device(name)) == torch.device(name)
        else:
            with pytest.raises(ValueError, match=f"'{name}' is not available here; choose from: .*cpu"):
                choose_device(name)


@pytest.mark.parametrize("name", ["tpu", "", "gpu", "cuda0", "meta", "xpu"])
def test_devices_that_are_none(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError) as caught:
        choose_device(name)
    assert str(caught.value) == f"device {name!r} is not available here; choose from: cuda, cpu"


def test_fit_says_it_before_it_trains(loaders):
    with pytest.raises(ValueError, match="'tpu' is not available"):
        fit(_new(), loaders, SHORT, device="tpu")


# --- checkpoints ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [CNN, ModernCNN, DeepCNN])
def test_round_trip(network, tmp_path, mnist):
    model = _new(network).eval()
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.add_(torch.rand_like(value))  # the statistics of batch norm as well
    save_checkpoint(model, tmp_path / "model.pt")
    loaded = load_checkpoint(tmp_path / "model.pt")
    images = mnist.test[:20][0]
    assert type(loaded) is network
    assert not any(module.training for module in loaded.modules())
    assert torch.equal(loaded(images), model(images))
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


def test_a_trained_network_comes_back(tmp_path, mnist):
    model = _new(ModernCNN)
    fit(model, mnist, MODERN, device="cpu")
    save_checkpoint(model, str(tmp_path / "model.pt"))
    loaded = load_checkpoint(str(tmp_path / "model.pt"))
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


class _RunsCode:
    """Unpickled, it would run a command."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'echo run > "{self.path}"',)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", ["in the weights", "in the name", "legacy", "plain pickle"])
def test_a_checkpoint_that_would_run_code(form, tmp_path):
    evil = _RunsCode(tmp_path / "has_run")
    path = tmp_path / "evil.pt"
    if form == "plain pickle":
        path.write_bytes(pickle.dumps(evil))
    elif form == "legacy":
        torch.save({"model": "CNN", "weights": evil}, path, _use_new_zipfile_serialization=False)
    elif form == "in the name":
        torch.save({"model": evil, "weights": CNN().state_dict()}, path)
    else:
        torch.save({"model": "CNN", "weights": {**CNN().state_dict(), "out.bias": evil}}, path)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert not (tmp_path / "has_run").exists()
    assert "weights_only" not in str(caught.value)  # torch's own message tells how to run it all the same


def _wrong_shapes() -> dict:
    weights = CNN().state_dict()
    weights["out.weight"] = weights["out.weight"][:, :100]
    return weights


STRANGE = {
    "truncated": None,
    "empty": b"",
    "text": b"Not a checkpoint, a shopping list:\n- milk\n",
    "one word": b"hello",
    "not UTF-8": b"X\x04\x00\x00\x00\xff\xfe\xfd\xfc.",
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "tensor": torch.ones(3),
    "number": 3,
    "weights alone": CNN().state_dict(),
    "unknown model": {"model": "VGG", "weights": {}},
    "model is a list": {"model": ["CNN"], "weights": {}},
    "no weights": {"model": "CNN"},
    "weights of none": {"model": "CNN", "weights": {}},
    "weights a list": {"model": "CNN", "weights": [1, 2]},
    "weights are numbers": {"model": "CNN", "weights": dict.fromkeys(CNN().state_dict(), 1)},
    "weights of the other": {"model": "CNN", "weights": ModernCNN().state_dict()},
    "wrong shapes": {"model": "CNN", "weights": _wrong_shapes()},
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", STRANGE)
def test_files_that_are_no_checkpoints(kind, tmp_path):
    path = tmp_path / "strange.pt"
    content = STRANGE[kind]
    if kind == "truncated":
        save_checkpoint(CNN(), path)
        path.write_bytes(path.read_bytes()[:50_000])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is not a checkpoint written by save_checkpoint")
    assert "\n" not in message
    if kind == "wrong shapes":
        assert "size mismatch for out.weight" in message


def test_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape("nowhere.pt")):
        load_checkpoint(tmp_path / "nowhere.pt")


def test_save_cut_short_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.pt"
    old = _new(seed=1)
    save_checkpoint(old, path)

    def cut_short(content, file, **_):
        file.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", cut_short)
    with pytest.raises(OSError, match="no space"):
        save_checkpoint(_new(seed=2), path)
    assert torch.equal(_weights(load_checkpoint(path)), _weights(old))


def test_only_networks_that_can_be_built_again_are_saved(tmp_path):
    class Mine(CNN):
        pass

    for model in (nn.Linear(2, 2), Mine(), type("CNN", (CNN,), {})()):  # the last only has the name
        with pytest.raises(CheckpointError, match=r"torch\.save"):
            save_checkpoint(model, tmp_path / "model.pt")
    assert not list(tmp_path.iterdir())


def test_logits_of_the_same_weights_agree_with_a_plain_softmax(mnist):
    """The loss in the history is what the tutorial's CrossEntropyLoss means: -log of the softmax of the right class."""
    model = _new()
    images, labels = mnist.train[:50]
    loss = -F.softmax(model(images), dim=1)[range(50), labels].log().mean().item()
    batch = make_loaders(ImageSet(mnist.train._pixels[:50, 0], mnist.train.labels[:50]), mnist.validation, 50)
    assert fit(model, batch, SHORT, device="cpu").step_loss == pytest.approx([loss], abs=1e-5)


def test_weights_can_be_viewed_as_one_row_after_training():
    mnist = load_mnist()
    few = Subset(mnist.train, range(20))
    model = CNN()
    fit(model, make_loaders(few, few, batch_size=10), ORIGINAL)
    assert model.conv2[0].weight.view(-1).shape == (12_800,)


def test_evaluate_takes_a_model_without_parameters():
    images, labels = torch.rand(5, 1, 1, 4), torch.tensor([0, 1, 2, 3, 0])
    expected = (images.flatten(1).argmax(1) == labels).float().mean().item()
    assert evaluate(nn.Flatten(), TensorDataset(images, labels)) == pytest.approx(expected)
