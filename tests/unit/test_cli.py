"""The command line: real trainings as a user starts them, and all that may go wrong around one."""

import json
import math
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch.utils.data import Subset

from course_utils import CNN, MODERN, __main__, checkpoints, count_parameters, load_checkpoint, save_checkpoint
from course_utils.data import ImageSet, Splits
from course_utils.training import History, TrainingDiverged, has_bfloat16
from experiments._pages import KINDS, page

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "course_utils"]
LOG_LINE = re.compile(r"Epoch: 0 \|Step: (\d+) \|train loss:\d+\.\d{4} \|test accuracy:[01]\.\d{4}")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="another way with files and signals")


def run(*arguments) -> int:
    """The exit code of the command, run in this process."""
    try:
        return __main__.main([str(argument) for argument in arguments])
    except SystemExit as stopped:  # as argparse ends
        return stopped.code


def stored(path="out.json") -> dict:
    return json.loads(Path(path).read_text(encoding="utf-8"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def small_mnist(mnist, monkeypatch):
    """What the command trains on, cut down to four steps an epoch."""
    few = ImageSet(mnist.full_train._pixels[:200, 0], mnist.full_train.labels[:200])
    test = ImageSet(mnist.test._pixels[:300, 0], mnist.test.labels[:300])
    small = Splits(train=few, validation=few, test=test, full_train=few)
    small.__dict__["test_first_2000"] = Subset(test, range(100))  # where the cached property looks first
    monkeypatch.setattr(__main__, "load_mnist", lambda root: small)
    return small


@pytest.fixture
def no_training(monkeypatch):
    def trained(*_, **__):
        raise AssertionError("trained all the same")

    monkeypatch.setattr(__main__, "fit", trained)


# --- real runs --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_original_as_a_user_runs_it(here, capsys):
    """Weights, log and JSON of a whole epoch; the saved network gives the same accuracy."""
    options = ["--recipe", "original", "--epochs", "1", "--seed", "1", "--json", "out.json", "--save", "cnn.pt"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run(
        [*COMMAND, "train", *options, "--device", "cpu"], env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    log, accuracies = ran.stdout.splitlines()[:-2], ran.stdout.splitlines()[-2:]
    assert [int(LOG_LINE.fullmatch(line)[1]) for line in log] == list(range(0, 1200, 100))

    result = stored()
    assert result["test_accuracy_first_2000"] >= 0.96 and result["test_accuracy"] >= 0.96
    assert (result["parameters"], result["recipe"], result["seed"]) == (28_938, "original", 1)
    assert result["history"]["steps"] == list(range(0, 1200, 100))

    assert run("evaluate", "cnn.pt", "--device", "cpu") == 0
    assert capsys.readouterr().out.splitlines() == accuracies
    assert f"{result['test_accuracy']:.4f}" in accuracies[0]
    assert f"{result['test_accuracy_first_2000']:.4f}" in accuracies[1]


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize(
    ("output", "code"),
    [("| head -c 1", "0 0"), (">&- 2>&-", "0"), ("> /dev/full", "1"), ("> out.json", "2")],
    ids=["reader gone", "closed", "disk full", "a file that the command writes"],
)
def test_streams_that_can_not_be_written_to(output, code, here):
    """What was asked for is written all the same; without a traceback."""
    train = f"{sys.executable} -m course_utils train --recipe quick --json out.json --save cnn.pt {output}"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    script = f"set -o pipefail; {train}; echo ${{PIPESTATUS[@]}} >&9"
    with open("codes", "wb") as codes:
        said = subprocess.run(
            ["bash", "-c", f"exec 9>&{codes.fileno()}; {script}"],
            env=environment,
            pass_fds=[codes.fileno()],
            capture_output=True,
            text=True,
        ).stderr
    assert Path("codes").read_text().strip() == code, said
    assert "Traceback" not in said and "Exception" not in said
    if code == "2":
        assert "are the same file" in said and not Path("cnn.pt").exists()
    else:
        assert stored()["test_accuracy"] > 0.9
        assert count_parameters(load_checkpoint("cnn.pt")) == 29_178


# --- options ----------------------------------------------------------------------------------------------------


def test_options_reach_the_training_and_the_result_says_what_ran(small_mnist, here):
    options = ["--recipe", "modern", "--epochs", 3, "--seed", 5, "--device", "cpu"]
    assert run("train", *options, "--json", "out.json", "--save", "a.pt") == 0
    result = stored()
    assert len(result["history"]["step_loss"]) == 3 * math.ceil(200 / MODERN.batch_size)
    assert result["history"]["watched"] == "validation"
    assert result["parameters"] == count_parameters(load_checkpoint("a.pt"))
    assert (result["recipe"], result["seed"], result["device"], result["processes"]) == ("modern", 5, "cpu", 1)
    assert result["threads"] == torch.get_num_threads()
    assert result["bfloat16"] == has_bfloat16(torch.device("cpu"))
    ran = result["experiment"]
    assert (ran["model"], ran["train_on"], ran["watch"], ran["look_every"]) == ("ModernCNN", "train", "validation", 430)
    assert ran["recipe"]["epochs"] == 3
    assert sorted(os.listdir()) == ["a.pt", "out.json"]


def test_defaults(small_mnist, here, capsys):
    """The original, one epoch, seed 1; and no file that nobody asked for. The same seed gives the same result."""
    losses = []
    for seed in ([], ["--seed", 1], ["--seed", 2]):
        assert run("train", "--json", "out.json", *seed, "--device", "cpu") == 0
        losses.append(stored()["history"]["step_loss"])
    assert losses[0] == losses[1] != losses[2]
    assert len(losses[0]) == 4
    assert os.listdir() == ["out.json"]
    assert "Epoch: 0 |Step: 0 |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], ["train", "evaluate", "read"]),
        (["train"], ["--recipe {", "--epochs", "--seed", "--json FILE", "--save", "--resume", "--device", "torchrun"]),
        (["evaluate"], ["checkpoint", "--device", "--data"]),
        (["read"], ["picture", "--json FILE", "--checkpoint", "--device", "photo.jpg"]),
    ],
    ids=["all", "train", "evaluate", "read"],
)
def test_help(command, words, capsys):
    assert run(*command, "--help") == 0
    out = capsys.readouterr().out
    for word in words:
        assert word in out


# --- what is refused before the training ------------------------------------------------------------------------

BAD = {
    "no command": ([], "COMMAND"),
    "unknown command": (["dance"], "'dance'"),
    "unknown option": (["train", "--colour", "red"], "--colour"),
    "unknown recipe": (["train", "--recipe", "secret"], "invalid choice: 'secret' (choose from"),
    "epochs 0": (["train", "--epochs", "0"], "'0' is not a whole number above 0"),
    "epochs 1.5": (["train", "--epochs", "1.5"], "'1.5' is not a whole number above 0"),
    "seed -1": (["train", "--seed", "-1"], "'-1' is not a whole number from 0"),
    "seed too large": (["train", "--seed", str(2**64)], "is not a whole number from 0"),
    "device tpu": (["train", "--device", "tpu"], "'tpu' is not available here; choose from"),
    "device of evaluate": (["evaluate", "x.pt", "--device", "tpu"], "'tpu' is not available here"),
    "json nowhere": (["train", "--json", "no/such/folder/out.json"], "the folder of 'no/such/folder/out.json'"),
    "json a folder": (["train", "--json", "."], "'.' is a folder; name a file"),
    "json empty": (["train", "--json", ""], "is a folder; name a file"),
    "save a folder": (["train", "--save", "."], "'.' is a folder; name a file"),
    "resume a folder": (["train", "--resume", "."], "'.' is a folder; name a file"),
    "name too long": (["train", "--save", "a" * 300], "can't be written: File name too long"),
    "a file for a folder": (["train", "--save", "text.pt/a.pt"], "the folder of 'text.pt/a.pt'"),
    "twice the same": (["train", "--json", "a", "--save", "a"], "--save and --json are the same file, 'a'"),
    "another spelling": (["train", "--json", "a", "--save", "../here/./a"], "are the same file"),
    "through a link": (["train", "--json", "link", "--save", "to"], "are the same file"),
    "there already": (["train", "--json", "text.pt", "--save", "hard"], "are the same file"),
    "checkpoint too": (["train", "--save", "./a", "--resume", "a"], "--resume and --save are the same file"),
    "resume quick": (["train", "--recipe", "quick", "--resume", "a"], "quick logs nothing"),
    "data missing": (["train", "--data", "no/such/folder"], "no/such/folder"),
    "no checkpoint": (["evaluate"], "checkpoint"),
    "checkpoint missing": (["evaluate", "nowhere.pt"], "nowhere.pt"),
    "checkpoint is text": (["evaluate", "text.pt"], "text.pt is not a checkpoint"),
    "checkpoint is a folder": (["evaluate", "."], ". is a folder"),
    "no picture": (["read"], "picture"),
    "picture missing": (["read", "nowhere.jpg"], "there is no file nowhere.jpg"),
    "picture is a folder": (["read", "."], ". is a folder; name one picture"),
    "picture is text": (["read", "text.pt"], "text.pt is a text, not a picture"),
    "json on the picture": (["read", "text.pt", "--json", "hard"], "--json and 'text.pt' are the same file"),
    "json on the checkpoint": (["read", "a", "--checkpoint", "text.pt", "--json", "hard"], "are the same file"),
    "json of a reading": (["read", "text.pt", "--json", "no/such/folder/a"], "the folder of 'no/such/folder/a'"),
}


def _assert_one_line(capsys, said: str) -> None:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("\n") and captured.err.count("\n") == 1, captured.err
    assert ": error: " in captured.err
    assert said in captured.err


@POSIX
@pytest.mark.parametrize("case", BAD)
def test_bad_values_get_one_line(case, capsys, monkeypatch, tmp_path, no_training):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("text.pt").write_text("a text", encoding="utf-8")
    os.link("text.pt", "hard")
    os.symlink("to", "link")
    arguments, said = BAD[case]
    assert run(*arguments) == 2
    _assert_one_line(capsys, said)
    assert sorted(os.listdir()) == ["hard", "link", "text.pt"]


@POSIX
@pytest.mark.parametrize("kind", ["device", "pipe", "read-only file", "read-only folder"])
def test_what_is_no_place_for_a_file(kind, here, capsys, monkeypatch, no_training):
    """Permissions are stood in for: root, who runs the tests in a container, may write everything."""
    path = os.devnull if kind == "device" else "out.json"
    if kind == "pipe":
        os.mkfifo(path)
    if kind == "read-only file":
        Path(path).touch(0o444)
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    if kind == "read-only folder":
        monkeypatch.setattr("course_utils.files._new_part", _denied)
    assert run("train", "--json", path) == 2
    _assert_one_line(capsys, "can't be written" if "read-only" in kind else "is a device; name a file")
    assert os.path.isfile(path) == (kind == "read-only file")


def _denied(*_):
    raise PermissionError(13, "Permission denied")


def test_diverged_training_gets_one_line(small_mnist, monkeypatch, capsys, here):
    def diverge(*_, **__):
        raise TrainingDiverged("the loss became nan at step 3", History("test"))

    monkeypatch.setattr(__main__, "fit", diverge)
    assert run("train", "--json", "out.json", "--save", "cnn.pt") == 1
    _assert_one_line(capsys, "the loss became nan at step 3")
    assert not os.listdir()


def test_a_network_of_other_shapes(here, capsys):
    model = CNN()
    model.out = torch.nn.Linear(1568, 7)
    save_checkpoint(model, "seven.pt")
    assert run("evaluate", "seven.pt") == 2
    _assert_one_line(capsys, "size mismatch for out.weight")


# --- reading a photo --------------------------------------------------------------------------------------------


@pytest.fixture
def photo_of_digits(mnist, here):
    images, labels = mnist.validation[:8]
    page(KINDS["squared"], images, labels.tolist(), 4, seed=1).picture.save("photo.png")
    return labels.tolist()


def test_a_photo_is_read_line_by_line(photo_of_digits, capsys):
    assert run("read", "photo.png", "--json", "out.json", "--device", "cpu") == 0
    lines = capsys.readouterr().out.splitlines()
    result = stored()
    assert sum(found == digit for found, digit in zip(result["digits"], photo_of_digits, strict=True)) >= 7
    assert lines[:2] == [" ".join(map(str, result["digits"][start : start + 4])) for start in (0, 4)]
    sure = [confidence >= result["threshold"] for confidence in result["confidence"]]
    assert result["sure"] == sure
    assert ["not sure" in line for line in lines if line.startswith("digit ")] == [not one for one in sure]
    assert all(len(box) == 4 and min(box) >= 0 for box in result["boxes"])


def test_another_network_reads_with_its_own_confidence(photo_of_digits, capsys):
    save_checkpoint(CNN(), "cnn.pt")
    assert run("read", "photo.png", "--json", "out.json", "--checkpoint", "cnn.pt", "--device", "cpu") == 0
    result = stored()
    assert (result["checkpoint"], result["temperature"]) == ("cnn.pt", 1.0)
    assert capsys.readouterr().out.count("not sure") == len(result["digits"]) == 8  # it was never trained


def test_a_reading_that_finds_the_disk_full_is_printed(photo_of_digits, capsys):
    with disk_for(100):
        assert run("read", "photo.png", "--json", "out.json", "--device", "cpu") == 1
    said = capsys.readouterr()
    assert "out.json could not be written: File too large" in said.err and said.err.count("\n") == 1
    assert said.out.count("digit ") >= 8


# --- a full disk ------------------------------------------------------------------------------------------------


@contextmanager
def disk_for(size: int):
    """No file grows beyond so many bytes, as on a full disk; ended before pytest writes to its own log."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("size", "written", "failed"),
    [(50_000, ["out.json"], ["cnn.pt", "run.pt"]), (400, [], ["cnn.pt", "run.pt", "out.json"])],
    ids=["for the JSON", "for nothing"],
)
def test_a_full_disk_loses_only_what_does_not_fit(size, written, failed, small_mnist, here, capsys):
    options = ["--json", "out.json", "--save", "cnn.pt", "--resume", "run.pt", "--device", "cpu"]
    with disk_for(size):
        assert run("train", *options) == 1
    said = capsys.readouterr()
    assert os.listdir() == written
    (line,) = said.err.splitlines()
    for name in failed:
        assert f"{name} could not be written: File too large" in line
    assert ("written: out.json" in line) == bool(written)
    assert said.out.count("Accuracy on") == 2  # the result is told though it is not kept


# --- Ctrl-C -----------------------------------------------------------------------------------------------------


@pytest.fixture
def sigint():
    """SIGINT raises KeyboardInterrupt, here and in new processes, even where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def ctrl_c_at(monkeypatch, sigint):
    """Ctrl-C as soon as a line of the log begins so; "" for never again."""
    plain_write, awaited = __main__.tqdm.write, []

    def write(line: str) -> None:
        plain_write(line)
        if awaited and awaited[-1] and line.startswith(awaited[-1]):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(__main__.tqdm, "write", staticmethod(write))
    return awaited.append


def test_resume_goes_on_after_ctrl_c(small_mnist, here, ctrl_c_at, capsys):
    """To the same weights as the run that was not cut; the cut one writes what there is, and says so."""
    assert run("train", "--epochs", 5, "--device", "cpu", "--save", "whole.pt") == 0
    uncut = capsys.readouterr().out.splitlines()
    again = ("train", "--epochs", 5, "--device", "cpu", "--save", "cut.pt", "--json", "out.json", "--resume", "run.pt")
    ctrl_c_at("Epoch: 2 ")
    assert run(*again) == 130
    said = capsys.readouterr()
    for word in ("interrupted after 9 steps", "cut.pt", "out.json", "run.pt"):
        assert word in said.err
    assert stored()["history"]["interrupted"] is True
    assert len(stored()["history"]["step_loss"]) == 9
    assert all(value.isfinite().all() for value in load_checkpoint("cut.pt").state_dict().values())

    ctrl_c_at("")
    assert run(*again) == 0
    assert capsys.readouterr().out.splitlines() == uncut[3:]
    whole, cut = load_checkpoint("whole.pt").state_dict(), load_checkpoint("cut.pt").state_dict()
    assert all(torch.equal(cut[name], value) for name, value in whole.items())

    assert run(*again, "--seed", 2) == 2
    _assert_one_line(capsys, "run.pt holds another run: seed is 1 there and 2 here")


@pytest.mark.parametrize("moment", ["loading", "testing", "saving"])
def test_ctrl_c_around_the_training(moment, small_mnist, here, monkeypatch, capsys):
    """A trained network is kept even then."""

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    place = {"loading": (__main__, "load_mnist"), "testing": (__main__, "evaluate"), "saving": (checkpoints, "_write")}
    monkeypatch.setattr(*place[moment], interrupted)
    assert run("train", "--json", "out.json", "--save", "cnn.pt") == 130
    said = capsys.readouterr().err
    assert said.startswith("course_utils: interrupted") and said.count("\n") == 1
    left = ["cnn.pt", "out.json"] if moment == "testing" else []
    assert sorted(os.listdir()) == left
    assert ("nothing was written" in said) == (not left)
    if left:
        assert stored()["test_accuracy"] is None
        assert len(stored()["history"]["step_loss"]) == 4
        assert all(name in said for name in left)


@pytest.mark.slow
@POSIX
def test_ctrl_c_in_a_terminal(here, sigint):
    command = [sys.executable, "-u", "-m", "course_utils", "train", "--epochs", "50", "--json", "out.json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, **pipes) as process:
        assert LOG_LINE.match(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
    assert stored()["history"]["interrupted"] is True
    assert 1 <= len(stored()["history"]["step_loss"]) < 1200


def test_no_command_waits_for_libraries_that_reading_alone_needs():
    """They take longer to import than the rest together, in each process of torchrun too."""
    code = "import sys, course_utils.__main__; print({'matplotlib', 'sklearn', 'scipy'} & sys.modules.keys())"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
