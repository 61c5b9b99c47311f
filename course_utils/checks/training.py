"""Checks of notebook 05."""

import copy

import torch
from torch import nn

from course_utils.checks.core import Hint, call, exercise, expect_number


@exercise
def accuracy(function) -> None:
    """A function (logits (N, K), labels (N,)) -> share of right answers, 0..1."""
    generator = torch.Generator().manual_seed(0)
    # The square batch catches a maximum taken over the wrong axis, which has the right shape there.
    for count, classes in ((8, 10), (10, 10), (1, 3), (7, 4)):
        logits = torch.randn(count, classes, generator=generator)
        labels = torch.randint(0, classes, (count,), generator=generator)
        labels[0] = logits[0].argmax()  # at least one is right
        right = sum(int(max(range(classes), key=row.__getitem__) == label) for row, label in _rows(logits, labels))
        said = f"logits of shape ({count}, {classes})"
        found = expect_number(call(function, logits, labels, said=said), "the accuracy")
        if abs(found - right / count) < 1e-6:
            continue
        if abs(found - right) < 1e-6:
            raise Hint("that is how many are right. Divide by the number of images.")
        if abs(found - 100 * right / count) < 1e-4:
            raise Hint("that is in percent; a share from 0 to 1 is wanted.")
        if count > 1 and abs(found - (1 - right / count)) < 1e-6:
            raise Hint("that is the share of wrong answers.")
        raise Hint(f"with {said}, {right} of {count} are right. The answer for an image is the largest in its row.")


def _rows(logits: torch.Tensor, labels: torch.Tensor) -> zip:
    return zip(logits.tolist(), labels.tolist(), strict=True)


@exercise
def training_step(function) -> None:
    """A function (model, images, labels, optimizer) -> loss of the batch, which makes one update of the model."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 4))
    batches = [(torch.rand(5, 1, 2, 3), torch.randint(0, 4, (5,))) for _ in range(3)]
    expected_model = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    expected_optimizer = torch.optim.SGD(expected_model.parameters(), lr=0.5)
    for number, (images, labels) in enumerate(batches, start=1):
        said = f"step {number} of three"
        before = copy.deepcopy(model.state_dict())
        found = expect_number(call(function, model, images, labels, optimizer, said=said), "the loss")
        expected_optimizer.zero_grad()
        loss = nn.functional.cross_entropy(expected_model(images), labels)
        loss.backward()
        expected_optimizer.step()
        if all(torch.equal(before[name], value) for name, value in model.state_dict().items()):
            raise Hint("the weights did not move. After loss.backward(), the optimizer has to step.")
        if number == 1 and not abs(found - loss.item()) < 1e-5:  # nan is not near anything
            raise Hint(
                f"the loss of the first batch should be {loss.item():.4f}, not {found:.4f}: cross-entropy of the "
                "logits as they are, averaged over the batch, before the update."
            )
        if not _same_weights(model, expected_model):
            raise Hint(
                "the first step is right, a later one is not. Gradients add up until zero_grad() clears them."
                if number > 1
                else "the weights moved, but not by this batch's gradient. The order is zero_grad, backward, step."
            )
        if not abs(found - loss.item()) < 1e-5:
            raise Hint(f"the weights are right, the loss of {said} should be {loss.item():.4f}, not {found:.4f}.")


def _same_weights(model: nn.Module, other: nn.Module) -> bool:
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    return all(torch.allclose(one, two, atol=1e-6) for one, two in pairs)


@exercise
def best_epoch(function) -> None:
    """A function (validation accuracies, one per epoch) -> number of the best epoch, from 1; the first of equals."""
    for history in ([0.97, 0.98, 0.99], [0.95, 0.99, 0.98, 0.97], [0.9], [0.97, 0.985, 0.985, 0.98], [0.5, 0.4, 0.3]):
        found = expect_number(call(function, list(history), said=f"{history}"), "the epoch")
        best = max(history)
        expected = next(epoch for epoch, value in enumerate(history, start=1) if value == best)
        if found == expected:
            continue
        if found == expected - 1:
            raise Hint(f"for {history} the best epoch is number {expected}; Python counts from 0, we from 1.")
        if found == best:
            raise Hint("that is the best accuracy. Which epoch had it?")
        if 1 <= found <= len(history) and history[int(found) - 1] == best:
            raise Hint(f"for {history} two epochs are equally good; the first of them cost less training.")
        raise Hint(f"for {history} the best epoch is number {expected}, not {found}.")
