"""Two real processes against one; a process that dies; and what is refused before it starts."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from course_utils import distributed, load_checkpoint
from course_utils.distributed import ProcessCountError, ProcessLost
from tests.unit import shared_fit

ROOT = Path(__file__).resolve().parents[2]
STOPPED_RUN = str(ROOT / "notebooks" / "scripts" / "stopped_run.py")
SAID = re.compile(r"another process of this run has died or no longer answers \(.*--resume FILE")


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> list[dict]:
    """What each of two processes wrote."""
    folder = tmp_path_factory.mktemp("both")
    ended = distributed.torchrun([shared_fit.__file__, str(folder)])
    assert ended.returncode == 0, ended.stderr
    return [torch.load(folder / f"rank{rank}.pt") for rank in (0, 1)]


@pytest.mark.parametrize("number", [0, 1], ids=[recipe.name for recipe in shared_fit.RECIPES])
def test_two_processes_train_as_one(both, number):
    """Same losses, weights and statistics, with batch norm, affine maps and a schedule; and in both processes."""
    model, losses = shared_fit.trained(shared_fit.RECIPES[number])
    assert len(losses) == 10
    for process in both:
        weights, its_losses = process["results"][number]
        assert its_losses == pytest.approx(losses, abs=1e-9)
        for name, value in model.state_dict().items():
            assert torch.allclose(weights[name], value, rtol=0, atol=1e-9), name


def test_shares_are_even_and_shuffled_anew(both):
    """83 images for two: 42 each, one of them twice. A second pass has another order."""
    for process in both:
        sizes, labels = process["passes"]
        assert sizes == [4] * 10 + [2]
        first = [labels.tolist() for _, labels in distributed.share(shared_fit.batches(83), seed=1)]
        assert [label for batch in labels for label in batch] != [label for batch in first for label in batch]


def test_a_process_that_dies_ends_the_run_and_the_next_goes_on(tmp_path):
    """The same bits as the run that nobody left."""
    ended = distributed.torchrun([STOPPED_RUN, str(tmp_path), "whole", "dies"])
    assert ended.returncode != 0
    assert SAID.search(ended.stderr), ended.stderr
    assert ended.stdout.rstrip().splitlines()[-1].startswith("Epoch: 0 |Step: 20 |")
    assert not (tmp_path / "dies.pt").exists()

    ended = distributed.torchrun([STOPPED_RUN, str(tmp_path), "goes-on"])
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("Epoch: 0 |Step: 30 |")
    whole, again = (load_checkpoint(tmp_path / f"{what}.pt").state_dict() for what in ("whole", "goes-on"))
    for name, value in whole.items():
        assert torch.equal(again[name], value), name


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is not there")
def test_a_killed_process_ends_the_command(tmp_path):
    """As a user starts it, and killed from outside."""
    meeting = ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1"]
    training = ["-m", "course_utils", "train", "--recipe", "modern", "--device", "cpu", "--resume", "run.pt"]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", *meeting, *training]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes) as agent:
        assert agent.stdout.readline().startswith("Epoch: 0 |Step: 0 |")
        victim, survivor = _workers(agent.pid)
        os.kill(victim.pid, signal.SIGKILL)
        _, said = agent.communicate()
    assert agent.returncode not in (0, None)
    assert len(re.findall(f"course_utils: error: {SAID.pattern}", said)) == 1, said
    assert not survivor.is_running()
    assert (tmp_path / "run.pt").exists()


def _workers(agent: int) -> list[psutil.Process]:
    """The two trainings, number 1 first."""
    found = {child.environ()["RANK"]: child for child in psutil.Process(agent).children() if "RANK" in child.environ()}
    return [found["1"], found["0"]]


def test_an_interrupt_ends_all_processes(tmp_path):
    """Which a learner sends while a cell waits."""
    script = tmp_path / "sleeps.py"
    script.write_text("import time; print('up', flush=True); time.sleep(300)")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            distributed.torchrun([str(script)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert not [child for child in psutil.Process().children(recursive=True) if str(script) in child.cmdline()]


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.fixture
def of_three(monkeypatch):
    monkeypatch.setattr(distributed, "processes", lambda: 3)


def test_a_batch_that_cannot_be_split(of_three):
    with pytest.raises(ProcessCountError, match=r"a batch of 8 can't be split evenly between 3.*Use one of 1, 2, 4, 8"):
        distributed.share(shared_fit.batches(), seed=1)


def test_a_loader_of_another_kind(of_three):
    dataset = shared_fit.batches().dataset
    with pytest.raises(TypeError, match="in_batches"):
        distributed.share(DataLoader(dataset, batch_size=6, shuffle=True), seed=1)


def test_more_processes_than_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ProcessCountError, match="there are 2 here: start 2 processes, or use the CPU"):
        distributed._own_device(torch.device("cuda"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("[…/gloo/transport/tcp/pair.cc:545] Connection closed by peer"), ProcessLost),
        (torch.distributed.DistBackendError("NCCL communicator was aborted"), ProcessLost),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), RuntimeError),
    ],
    ids=["gloo", "nccl", "a mistake in the model"],
)
def test_errors_of_the_network_are_told_from_others(error, expected, monkeypatch):
    monkeypatch.setattr(distributed, "started_by_torchrun", lambda: True)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda *_, **__: None)
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: None)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(RuntimeError) as caught, distributed.process_group(torch.device("cpu")):
            raise error
        # torchrun ends all processes as soon as one fails; that must not cut off what this one has to say.
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    assert type(caught.value) is expected


# --- alone ------------------------------------------------------------------------------------------------------


def test_alone_nothing_changes():
    model, loader = nn.Linear(2, 2), shared_fit.batches()
    with distributed.process_group(torch.device("cpu")) as device:
        assert device == torch.device("cpu")
        assert (distributed.rank(), distributed.processes()) == (0, 1)
        assert distributed.replicate(model) is model
        assert distributed.share(loader, seed=1) is loader
        assert distributed.mean(0.3) == 0.3
    assert not torch.distributed.is_initialized()
