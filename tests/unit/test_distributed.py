"""Two real processes against one; processes that die or hang; and what is refused before it starts."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils.data import DataLoader

from course_utils import distributed, in_batches, models
from course_utils.distributed import ProcessCountError, ProcessLost
from tests.unit import shared_fit

ROOT = Path(__file__).resolve().parents[2]


def run(what: str, folder: Path) -> subprocess.CompletedProcess:
    """A part of shared_fit in two processes, started in a folder that is not the repository's."""
    folder.mkdir(exist_ok=True)
    return distributed.torchrun([shared_fit.__file__, what, str(folder)])


def results(what: str, folder: Path) -> list[dict]:
    """What each of the two processes wrote."""
    return [torch.load(folder / f"{what}{rank}.pt") for rank in (0, 1)]


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> list[dict]:
    folder = tmp_path_factory.mktemp("both")
    ended = run("trains", folder)
    assert ended.returncode == 0, ended.stderr
    return results("trains", folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", shared_fit.NETWORKS)
def test_two_processes_train_as_one(both, name):
    """Same losses, weights and statistics in both processes, over two epochs whose batches don't all halve evenly."""
    state, losses = shared_fit.trained(name)
    assert len(losses) == 12
    for process in both:
        its_state, its_losses = process["trained"][name]
        assert its_losses == pytest.approx(losses, rel=0, abs=1e-9)
        assert_close(its_state, state, rtol=0, atol=1e-9)


def test_every_network_of_the_course_is_among_them():
    """A class that is new in `models` has to join the table."""
    made = [make() for make, _ in shared_fit.NETWORKS.values()]
    tried = {type(module) for network in made for module in network.modules()}
    public = [value for name, value in vars(models).items() if isinstance(value, type) and not name.startswith("_")]
    known = {value for value in public if value.__module__ == models.__name__ and issubclass(value, nn.Module)}
    assert known <= tried


@pytest.mark.slow
@pytest.mark.parametrize("name", shared_fit.NORMS)
def test_batch_norm_over_unequal_parts_is_that_of_the_whole(both, name):
    """Of 5 and 3 examples far from 0, where the squares of float32 have no digit left for a small variance.

    The first channel is constant: its variance is 0, not below, and its outputs are 0 but for rounding.
    """
    whole = shared_fit.normalised(name, slice(0, 8), torch.float64)
    parts = [process["normalised"][name] for process in both]
    tolerance = 5e-2 if "half" in name else 5e-3
    assert all(part["outputs"][:, 0].abs().max() < 0.1 for part in parts)
    for key, expected in whole.items():
        found = [part[key] for part in parts]
        if key in ("outputs", "gradient"):
            expected, found = expected[:, 1:], [torch.cat(found)[:, 1:]]
        elif key.startswith("gradient of"):
            expected, found = expected[1:], [sum(found)[1:]]
        for value in found:
            assert_close(value, expected, rtol=tolerance, atol=tolerance, check_dtype=False)


@pytest.mark.slow
def test_an_error_that_concerns_all_reaches_all(both):
    """And one of the model stays what it is, and is not called a lost process."""
    kinds = {"wrong_model": "RuntimeError: a mistake", "first_diverges": ".*no number"}
    for process in both:
        for action, said in process["errors"].items():
            assert re.match(kinds.get(action, "ProcessesDiffer: .*(seed|weight)"), said), said
        assert process["first"] == "made by 0"


# --- runs that stop ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> dict[str, tuple[Path, subprocess.CompletedProcess]]:
    """Two runs on one machine at the same time: process 1 dies in one, and hangs in the other."""
    folder = tmp_path_factory.mktemp("stopped")
    with ThreadPoolExecutor() as pool:
        ended = {what: pool.submit(run, what, folder / what) for what in ("dies", "hangs")}
    return {what: (folder / what, ended[what].result()) for what in ended}


@pytest.mark.slow
@pytest.mark.parametrize("what", ["dies", "hangs"])
def test_a_lost_process_ends_the_run(stopped, what):
    _, ended = stopped[what]
    assert ended.returncode != 0
    assert "ProcessLost: another process of this run" in ended.stderr, ended.stderr
    assert "Step: 10 " in ended.stdout and "Step: 30 " not in ended.stdout


@pytest.mark.slow
def test_a_killed_run_on_two_folders_goes_on_to_the_same_bits(both, stopped):
    """Process 1, on a machine of its own, has no checkpoint, but a file of that name: it takes process 0's state.

    If that is damaged, both say so.
    """
    folder, _ = stopped["dies"]
    ended = run("goes_on", folder)
    assert ended.returncode == 0, ended.stderr
    assert re.match(r"Epoch: 0 \|Step: [23]0 ", ended.stdout), ended.stdout
    for process, undisturbed in zip(results("goes_on", folder), both, strict=True):
        assert_close(process["resumable"], undisturbed["resumable"], rtol=0, atol=0)
        assert process["damaged"].startswith("CheckpointError") and "machine0" in process["damaged"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is not there")
def test_a_killed_process_ends_the_command(tmp_path):
    """As a user starts it, and killed from outside."""
    training = ["-m", "course_utils", "train", "--recipe", "modern", "--device", "cpu", "--resume", "run.pt"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *training]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes) as agent:
        assert agent.stdout.readline().startswith("Epoch: 0 |Step: 0 |")
        victim, survivor = _workers(agent.pid)
        os.kill(victim.pid, signal.SIGKILL)
        _, said = agent.communicate(timeout=1800)  # only ends a hang
    assert agent.returncode not in (0, None)
    assert len(re.findall("^course_utils: error: .*--resume FILE", said, re.MULTILINE)) == 1, said
    assert not survivor.is_running()
    assert (tmp_path / "run.pt").exists()


def _workers(agent: int) -> list[psutil.Process]:
    """The two trainings, number 1 first."""
    found = {child.environ()["RANK"]: child for child in psutil.Process(agent).children() if "RANK" in child.environ()}
    return [found["1"], found["0"]]


@pytest.mark.slow
def test_an_interrupt_ends_all_processes(tmp_path):
    """Which a learner sends while a cell waits."""
    script, up = tmp_path / "sleeps.py", tmp_path / "up"
    script.write_text("import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)")

    def interrupt() -> None:
        while not up.exists():
            time.sleep(0.1)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            distributed.torchrun([str(script), str(up)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert not [child for child in psutil.Process().children(recursive=True) if str(script) in child.cmdline()]


def test_every_command_of_the_course_finds_a_free_port():
    """torchrun in PyTorch 2.9 meets at port 29500 unless told otherwise: a second run on a machine can't."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("notebooks/*.ipynb")]
    files = [ROOT / "course_utils/__main__.py", *pages]
    commands = [line for file in files for line in re.findall("torchrun --.*", file.read_text(encoding="utf-8"))]
    assert len(commands) >= 3
    assert [line for line in commands if not re.match("torchrun --(standalone|rdzv-endpoint) ", line)] == []


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.fixture
def of_three(monkeypatch):
    monkeypatch.setattr(distributed, "processes", lambda: 3)


@pytest.mark.parametrize("images", [6, 10], ids=["batches of 2", "the last batch"])
def test_fewer_images_than_processes(of_three, images):
    data = shared_fit.noise((1,), images)
    loader = in_batches(data, batch_size=2 if images == 6 else 4)
    with pytest.raises(ProcessCountError, match=r"a batch of 2, too few for 3 processes"):
        distributed.share(loader)


def test_a_loader_of_another_kind(of_three):
    with pytest.raises(TypeError, match="in_batches"):
        distributed.share(DataLoader(shared_fit.noise((1,)), batch_size=6, shuffle=True))


def test_more_processes_than_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(distributed, "rank_here", lambda: 2)
    with pytest.raises(ProcessCountError, match="there are 2 here: start 2 processes, or use the CPU"):
        distributed._own_device(torch.device("cuda"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("Connection closed by peer"), ProcessLost),  # what gloo raises
        (torch.distributed.DistBackendError("NCCL communicator was aborted"), ProcessLost),
        (torch.distributed.DistNetworkError("the server is gone"), ProcessLost),
        (torch.OutOfMemoryError("CUDA out of memory"), torch.OutOfMemoryError),
        (ValueError("another"), ValueError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_an_exchange_that_fails(error, expected):
    with pytest.raises(expected) as caught, distributed._exchange():
        raise error
    assert type(caught.value) is expected


# --- alone ------------------------------------------------------------------------------------------------------


def test_alone_nothing_changes():
    model, loader = nn.Linear(2, 2), in_batches(shared_fit.noise((1,)), batch_size=8)
    with distributed.process_group(torch.device("cpu")) as device, distributed.synchronised(model):
        assert device == torch.device("cpu")
        assert (distributed.rank(), distributed.rank_here(), distributed.processes()) == (0, 0, 1)
        assert distributed.share(loader) is loader
        assert distributed.places(5) == range(5)
        assert distributed.total(0.3) == 0.3
        assert distributed.from_first(lambda: "here") == "here"
    assert not torch.distributed.is_initialized()
