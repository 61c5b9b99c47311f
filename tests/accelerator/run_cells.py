"""Runs a notebook's cells in this process where a stand-in accelerator is, and stops at the first error.

A cell that took little time is run a second time at once, as learners do. But for notebook 10 nothing is learned: see
`_take_few_images`, and `_few_gradients`. So no `assert` is run there.
"""

import ast
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import matplotlib.pyplot
import nbformat
import torch
import torch._dynamo  # the first optimiser of each would import it
from ipykernel.inprocess.manager import InProcessKernelManager
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler, SequentialSampler

from course_utils import analysis, data, distributed
from tests.accelerator import forked_run
from tests.accelerator.stand_in import environment, stand_in

AGAIN = 0.3  # seconds below which a cell is run twice
GRADIENTS = 60  # of a cell: enough that a network reads some digits
IMAGES, CHUNKS = 16, 2  # in a batch, and batches of an evaluation


def run(notebook: Path, folder: Path, batches: int | None) -> None:
    """Run it in `folder`, an epoch being so many batches; leave there what it printed, and `steps`: see `environment`.

    With None it learns as it is, and its asserts are run. Exits with 1 where a cell fails.
    """
    os.chdir(folder)
    forked_run.write_to(Path("output"), Path("output"))
    os.environ |= environment(folder / "steps")
    matplotlib.use("agg")
    distributed.torchrun = forked_run.torchrun
    if batches:
        _take_few_images(batches)
    with stand_in(), _few_gradients(GRADIENTS if batches else sys.maxsize) as found:
        manager = InProcessKernelManager()
        manager.start_kernel()
        shell = manager.kernel.shell
        if batches:
            shell.ast_transformers.append(_WithoutAsserts())
        shell.display_formatter.formatters["image/png"].enabled = False  # figures are made, and not drawn
        for cell in nbformat.read(notebook, as_version=4).cells:
            if cell.cell_type == "code":
                for _ in range(2):
                    found.clear()
                    start = time.perf_counter()
                    if not shell.run_cell(cell.source).success:
                        print(cell.source, file=sys.stderr)
                        sys.exit(1)
                    if time.perf_counter() - start > AGAIN:
                        break


def _take_few_images(batches: int) -> None:
    """From now on, an epoch of the course has so many batches at most, of few images, and an evaluation few too.

    Where tensors lie is seen as well, and nothing is learned. Of up to a thousand images, which notebook 05 reads two
    hundred times, the others get the logits of those few.
    """
    logits_of = analysis.logits_of

    def in_few(dataset: Dataset, sampler: Sampler, batch_size: int) -> DataLoader:
        most = CHUNKS if isinstance(sampler, SequentialSampler) else batches
        few = [batch[:IMAGES] for batch in islice(BatchSampler(sampler, batch_size, drop_last=False), most)]
        return DataLoader(dataset, batch_size=None, sampler=few)

    def few_logits_of(model: torch.nn.Module, images: Tensor) -> Tensor:
        read = CHUNKS * IMAGES if len(images) <= 1000 else len(images)
        return logits_of(model, images[:read])[torch.arange(len(images)) % read]

    data._batched, analysis.logits_of = in_few, few_logits_of


@contextmanager
def _few_gradients(most: int) -> Iterator[list]:
    """As long as the block lasts, and until the list it yields is cleared, at most so many gradients are found.

    After them an optimiser has nothing to do: a loop's later steps go the way forward only.
    """
    found: list[None] = []
    backward = torch.autograd.backward

    def first_ones(*args: Any, **options: Any) -> None:
        if len(found) < most:
            found.append(None)
            backward(*args, **options)

    with mock.patch.object(torch.autograd, "backward", first_ones):
        yield found


class _WithoutAsserts(ast.NodeTransformer):
    def visit_Assert(self, node: ast.Assert) -> ast.Pass:
        return ast.copy_location(ast.Pass(), node)
