"""The command line: two real trainings, one as a user starts it, and what it says to bad values and to Ctrl-C."""

import json
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.data import Subset

from course_utils import CNN, MODERN, __main__, count_parameters, load_checkpoint, load_mnist
from course_utils.data import ImageSet, Mnist
from course_utils.training import History, TrainingDiverged, save_checkpoint

REPOSITORY = Path(__file__).resolve().parents[2]
KEYS = {"test_accuracy", "test_accuracy_first_2000", "parameters", "seconds", "recipe", "seed", "history"}
LOG_LINE = re.compile(r"Epoch: 0 \|Step: (\d+) \|train loss:\d+\.\d{4} \|test accuracy:[01]\.\d{4}")


def run(*arguments) -> int:
    """The exit code of the command, run in this process."""
    try:
        return __main__.main([str(argument) for argument in arguments])
    except SystemExit as stopped:  # as argparse ends
        return stopped.code


@pytest.fixture
def small_mnist(monkeypatch):
    """What the command trains on, cut down to four steps an epoch."""
    whole = load_mnist()
    few = ImageSet(whole.full_train._pixels[:200, 0], whole.full_train.labels[:200])
    test = ImageSet(whole.test._pixels[:300, 0], whole.test.labels[:300])
    small = Mnist(train=few, validation=few, test=test, full_train=few)
    small.__dict__["test_first_2000"] = Subset(test, range(100))  # where the cached property looks first
    monkeypatch.setattr(__main__, "load_mnist", lambda root: small)
    return small


# --- real runs --------------------------------------------------------------------------------------------------


def test_the_original_as_a_user_runs_it(tmp_path, capsys):
    """Weights, log and JSON of a whole epoch; the saved network gives the same accuracy."""
    out, saved = tmp_path / "out.json", tmp_path / "cnn.pt"
    options = ["--recipe", "original", "--epochs", "1", "--seed", "1", "--json", str(out), "--save", str(saved)]
    command = [sys.executable, "-m", "course_utils", "train", *options, "--device", "cpu"]
    ran = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr

    log, accuracies = ran.stdout.splitlines()[:-2], ran.stdout.splitlines()[-2:]
    assert [int(LOG_LINE.fullmatch(line)[1]) for line in log] == list(range(0, 1200, 100))

    result = json.loads(out.read_text(encoding="utf-8"))
    assert result.keys() >= KEYS
    assert result["test_accuracy_first_2000"] >= 0.96
    assert result["test_accuracy"] >= 0.96
    assert result["parameters"] == 28_938
    assert result["recipe"] == "original"
    assert result["seed"] == 1
    assert result["seconds"] > 0
    history = result["history"]
    assert history["steps"] == list(range(0, 1200, 100))
    assert len(history["train_loss"]) == len(history["accuracy"]) == len(history["seconds"]) == 12
    assert history["interrupted"] is False

    assert run("evaluate", saved, "--device", "cpu") == 0
    assert capsys.readouterr().out.splitlines() == accuracies
    assert f"{result['test_accuracy']:.4f}" in accuracies[0]
    assert f"{result['test_accuracy_first_2000']:.4f}" in accuracies[1]


def test_modern_recipe_is_better(tmp_path):
    assert run("train", "--recipe", "modern", "--seed", 1, "--json", tmp_path / "out.json", "--device", "cpu") == 0
    result = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert result["test_accuracy"] >= 0.985
    assert result["parameters"] <= 30_000
    assert result["recipe"] == "modern"
    assert result["history"]["watched"] == "validation"


# --- options ----------------------------------------------------------------------------------------------------


def test_options_reach_the_training(small_mnist, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("train", "--recipe", "modern", "--epochs", 3, "--seed", 5, "--json", "a.json", "--save", "a.pt") == 0
    result = json.loads(Path("a.json").read_text(encoding="utf-8"))
    assert (result["recipe"], result["seed"]) == ("modern", 5)
    assert len(result["history"]["step_loss"]) == 3 * math.ceil(200 / MODERN.batch_size)
    assert result["parameters"] == count_parameters(load_checkpoint("a.pt"))
    assert sorted(os.listdir()) == ["a.json", "a.pt"]


def test_defaults(small_mnist, tmp_path, capsys):
    """The original, one epoch, seed 1; and no file that nobody asked for."""
    assert run("train", "--json", tmp_path / "out.json") == 0
    result = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert (result["recipe"], result["seed"], len(result["history"]["step_loss"])) == ("original", 1, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]
    assert "Epoch: 0 |Step: 0 |" in capsys.readouterr().out


def test_seed_fixes_the_result(small_mnist, tmp_path):
    def losses(seed: int) -> list[float]:
        assert run("train", "--seed", seed, "--json", tmp_path / "out.json", "--device", "cpu") == 0
        return json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["history"]["step_loss"]

    assert losses(1) == losses(1)
    assert losses(1) != losses(2)


def test_data_folder_is_passed_on(monkeypatch, tmp_path):
    def stop(root):
        assert root == str(tmp_path)
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "load_mnist", stop)
    assert run("train", "--data", tmp_path) == 130


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], ["train", "evaluate"]),
        (
            ["train"],
            [
                "--recipe {",
                "--epochs",
                "--seed",
                "--json FILE",
                "--save",
                "--resume",
                "--device",
                "Example",
                "torchrun",
            ],
        ),
        (["evaluate"], ["checkpoint", "--device", "--data"]),
    ],
    ids=["all", "train", "evaluate"],
)
def test_help(command, words, capsys):
    assert run(*command, "--help") == 0
    out = capsys.readouterr().out
    for word in words:
        assert word in out


# --- bad values -------------------------------------------------------------------------------------------------

BAD = {
    "no command": ([], "COMMAND"),
    "unknown command": (["dance"], "'dance'"),
    "unknown option": (["train", "--colour", "red"], "--colour"),
    "unknown recipe": (["train", "--recipe", "secret"], "invalid choice: 'secret' (choose from"),
    "epochs 0": (["train", "--epochs", "0"], "'0' is not a whole number above 0"),
    "epochs -1": (["train", "--epochs", "-1"], "'-1' is not a whole number above 0"),
    "epochs x": (["train", "--epochs", "x"], "'x' is not a whole number above 0"),
    "epochs 1.5": (["train", "--epochs", "1.5"], "'1.5' is not a whole number above 0"),
    "seed abc": (["train", "--seed", "abc"], "'abc' is not a whole number from 0"),
    "seed -1": (["train", "--seed", "-1"], "'-1' is not a whole number from 0"),
    "seed too large": (["train", "--seed", str(2**64)], "is not a whole number from 0"),
    "device tpu": (["train", "--device", "tpu"], "'tpu' is not available here; choose from"),
    "device of evaluate": (["evaluate", "x.pt", "--device", "tpu"], "'tpu' is not available here"),
    "json nowhere": (["train", "--json", "no/such/folder/out.json"], "the folder of 'no/such/folder/out.json'"),
    "json a folder": (["train", "--json", "."], "'.' is a folder; name a file"),
    "json empty": (["train", "--json", ""], "is a folder; name a file"),
    "save nowhere": (["train", "--save", "no/such/folder/cnn.pt"], "the folder of 'no/such/folder/cnn.pt'"),
    "save a folder": (["train", "--save", "."], "'.' is a folder; name a file"),
    "resume a folder": (["train", "--resume", "."], "'.' is a folder; name a file"),
    "data missing": (["train", "--data", "no/such/folder"], "MNIST is not complete in"),
    "no checkpoint": (["evaluate"], "checkpoint"),
    "checkpoint missing": (["evaluate", "nowhere.pt"], "nowhere.pt"),
    "checkpoint is text": (["evaluate", "text.pt"], "text.pt is not a checkpoint"),
    "checkpoint is a folder": (["evaluate", "."], ". is not a checkpoint"),
}


def _assert_one_line(capsys, said: str) -> None:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("\n")
    assert captured.err.count("\n") == 1, captured.err
    assert ": error: " in captured.err
    assert said in captured.err


@pytest.mark.parametrize("case", BAD)
def test_bad_values_get_one_line(case, capsys, monkeypatch, tmp_path):
    def no_training(*_, **__):
        raise AssertionError("trained all the same")

    monkeypatch.setattr(__main__, "fit", no_training)
    monkeypatch.chdir(tmp_path)
    Path("text.pt").write_text("a text", encoding="utf-8")
    arguments, said = BAD[case]
    assert run(*arguments) == 2
    _assert_one_line(capsys, said)


@pytest.mark.skipif(not Path(os.devnull).exists(), reason="the null device is no path here")
def test_a_device_is_not_replaced_by_a_file(capsys):
    """For root, it could be."""
    assert run("train", "--json", os.devnull) == 2
    _assert_one_line(capsys, "is a device; name a file")
    assert not Path(os.devnull).is_file()


def test_damaged_archive_gets_one_line(tmp_path, capsys):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-labels-idx1-ubyte.gz").write_bytes(b"not it")
    assert run("train", "--data", tmp_path) == 2
    _assert_one_line(capsys, "train-labels-idx1-ubyte.gz is damaged")


def test_a_network_of_other_shapes(tmp_path, capsys):
    model = CNN()
    model.out = torch.nn.Linear(1568, 7)
    save_checkpoint(model, tmp_path / "seven.pt")
    assert run("evaluate", tmp_path / "seven.pt") == 2
    _assert_one_line(capsys, "size mismatch for out.weight")


def test_diverged_training_gets_one_line(small_mnist, monkeypatch, capsys, tmp_path):
    def diverge(*_, **__):
        raise TrainingDiverged("the loss became nan at step 3", History("test"))

    monkeypatch.setattr(__main__, "fit", diverge)
    assert run("train", "--json", tmp_path / "out.json", "--save", tmp_path / "cnn.pt") == 1
    _assert_one_line(capsys, "the loss became nan at step 3")
    assert not list(tmp_path.iterdir())


# --- Ctrl-C -----------------------------------------------------------------------------------------------------


@pytest.fixture
def sigint():
    """SIGINT raises KeyboardInterrupt, here and in new processes, even where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_interrupted_training_writes_what_there_is(small_mnist, monkeypatch, tmp_path, sigint, capsys):
    def write(line: str) -> None:
        print(line)
        if line.startswith("Epoch: 2 "):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(__main__.tqdm, "write", staticmethod(write))
    out, saved = tmp_path / "out.json", tmp_path / "cnn.pt"
    assert run("train", "--epochs", 5, "--json", out, "--save", saved) == 130
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result.keys() >= KEYS
    assert result["history"]["interrupted"] is True
    assert len(result["history"]["step_loss"]) == 2 * 4 + 1
    assert torch.cat([value.flatten() for value in load_checkpoint(saved).state_dict().values()]).isfinite().all()
    assert "Interrupted after 9 of 20 steps" in capsys.readouterr().out


def test_resume_goes_on_after_ctrl_c(small_mnist, monkeypatch, tmp_path, sigint, capsys):
    """The same weights as the run that was not cut."""
    monkeypatch.chdir(tmp_path)
    assert run("train", "--epochs", 5, "--device", "cpu", "--save", "whole.pt") == 0
    said = capsys.readouterr().out.splitlines()
    plain_write = __main__.tqdm.write

    def write(line: str) -> None:
        plain_write(line)
        if line.startswith("Epoch: 2 "):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(__main__.tqdm, "write", staticmethod(write))
    again = ("train", "--epochs", 5, "--device", "cpu", "--save", "cut.pt", "--resume", "run.pt")
    assert run(*again) == 130
    monkeypatch.setattr(__main__.tqdm, "write", staticmethod(plain_write))
    capsys.readouterr()
    assert run(*again) == 0
    assert capsys.readouterr().out.splitlines() == said[3:]
    whole, cut = load_checkpoint("whole.pt").state_dict(), load_checkpoint("cut.pt").state_dict()
    assert all(torch.equal(cut[name], value) for name, value in whole.items())

    assert run(*again, "--seed", 2) == 2
    _assert_one_line(capsys, "run.pt holds another run: seed is 1 there and 2 here")


def test_interrupt_before_the_training(monkeypatch, tmp_path, capsys):
    def interrupted(root):
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "load_mnist", interrupted)
    assert run("train", "--json", tmp_path / "out.json") == 130
    assert capsys.readouterr().err == "course_utils: interrupted, nothing was written\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="another process can't be sent Ctrl-C alone here")
def test_ctrl_c_in_a_terminal(tmp_path, sigint):
    out = tmp_path / "out.json"
    command = [sys.executable, "-u", "-m", "course_utils", "train", "--epochs", "50", "--json", str(out)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert LOG_LINE.match(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result["history"]["interrupted"] is True
    assert 1 <= len(result["history"]["step_loss"]) < 1200
