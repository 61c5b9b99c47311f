"""Checks of notebook 05."""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from course_utils.checks.core import Hint, call, close, exercise, expect_number, expect_numbers, given, unlike


@exercise
def accuracy(function) -> None:
    """A function (logits (N, K), labels (N,)) -> share of right answers, 0..1."""
    generator = torch.Generator().manual_seed(0)
    # The square batch catches a maximum taken over the wrong axis, which has the right shape there; the large one
    # what is right by chance.
    for count, classes in ((300, 10), (10, 10), (1, 3), (7, 4)):
        logits = torch.randn(count, classes, generator=generator)
        labels = torch.randint(0, classes, (count,), generator=generator)
        labels[: (count + 1) // 2] = logits[: (count + 1) // 2].argmax(1)  # half of them, at least one, are right
        right = sum(int(max(range(classes), key=row.__getitem__) == label) for row, label in _rows(logits, labels))
        said = f"logits of shape ({count}, {classes})"
        found = expect_number(call(function, logits, labels, said=said), "the accuracy")
        if close(found, right / count, 1e-6):
            continue
        if close(found, right):
            raise Hint("that is how many are right. Divide by the number of images.")
        if close(found, 100 * right / count):
            raise Hint("that is in percent; a share from 0 to 1 is wanted.")
        if count > 1 and close(found, 1 - right / count):
            raise Hint("that is the share of wrong answers.")
        raise Hint(
            f"with {said}, {right} of {count} are right, so it {unlike(right / count, found)}. The answer for an image "
            "is the column of the largest logit in its row."
        )


def _rows(logits: torch.Tensor, labels: torch.Tensor) -> zip:
    return zip(logits.tolist(), labels.tolist(), strict=True)


@exercise
def chain_gradients(gradient_w1, gradient_w2) -> None:
    """The gradients of the chain x = 3 -> w1 * x -> ReLU -> w2 * a -> (z - 1)**2 at w1 = 0.5 and w2 = 0.8."""
    found = (expect_number(gradient_w1, "gradient_w1"), expect_number(given(gradient_w2), "gradient_w2"))
    expected = _chain(w2=0.8)
    if _both(found, expected):
        return
    if _both(found, _chain(w2=0.4)):
        raise Hint("those are the picture's, for w2 = 0.4. A new w2 changes z, and all that comes back from it.")
    if _both(found, expected[::-1]):
        raise Hint("both are there, under each other's name. w1 stands before the ReLU, w2 behind it.")
    if _both(found, [-one for one in expected]):
        raise Hint("the sizes are right, the signs are not. z is 1.2 now, above the wanted 1: which way does it err?")
    if _both(found, [one / 2 for one in expected]):
        raise Hint("half of it: the slope of (z - 1)² is 2 · (z - 1).")
    found_w1, found_w2 = found
    if not close(found_w2, expected[1]):
        if close(found_w2, 0.4):
            raise Hint("gradient_w2: 0.4 is the gradient at z. w2 reaches z times a, so multiply by a.")
        raise Hint(f"gradient_w2: not {found_w2:g}. It is the gradient at z times the number that w2 is multiplied by.")
    if close(found_w1, 0.32):
        raise Hint("gradient_w1: 0.32 is the gradient at h. w1 is multiplied by x, so multiply by x.")
    if close(found_w1, 1.2):
        raise Hint("gradient_w1: on its way back from z to a the gradient is multiplied by w2.")
    if close(found_w1, 0.48):
        raise Hint("gradient_w1: the way back, too, goes through the new w2.")
    raise Hint(f"gradient_w1: not {found_w1:g}. From z back: times w2, times 1 at the ReLU (a is positive), times x.")


def _chain(w2: float) -> tuple[float, float]:
    """The gradients at w1 and at w2."""
    x, w1 = 3.0, 0.5
    a = max(0.0, w1 * x)
    gradient_z = 2 * (w2 * a - 1)
    return gradient_z * w2 * x, gradient_z * a


def _both(found: Sequence[float], expected: Sequence[float]) -> bool:
    return all(map(close, found, expected))


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
        if number == 1 and not close(found, loss.item()):
            raise Hint(
                f"the loss of the first batch {unlike(loss.item(), found)}: cross-entropy of the logits as they are, "
                "averaged over the batch, before the update."
            )
        if not _same_weights(model, expected_model):
            raise Hint(
                "the first step is right, a later one is not. Gradients add up until zero_grad() clears them."
                if number > 1
                else _first_step_hint(before, model, expected_model)
            )
        if not close(found, loss.item()):
            raise Hint(f"the weights are right, the loss of {said} {unlike(loss.item(), found)}.")


def _first_step_hint(before: dict[str, torch.Tensor], model: nn.Module, expected_model: nn.Module) -> str:
    old = torch.cat([weight.flatten() for weight in before.values()])
    moved, expected = (
        nn.utils.parameters_to_vector(one.parameters()).detach() - old for one in (model, expected_model)
    )
    times = float(moved @ expected / (expected @ expected))
    if torch.allclose(moved, times * expected, atol=1e-6):
        return (
            f"the weights moved the right way, but {times:.3g} times as far as they should. Is something done twice, "
            "or is the loss whose gradient you take no mean? The learning rate is the optimizer's own."
        )
    return "the weights moved, but not by this batch's gradient. The order is zero_grad, backward, step."


def _same_weights(model: nn.Module, other: nn.Module) -> bool:
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    return all(torch.allclose(one, two, atol=1e-6) for one, two in pairs)


@exercise
def choose_on_validation(function) -> None:
    """A function (validation, test) -> (learning rate, epoch, test accuracy) of the choice made on validation.

    Both are dicts from a learning rate to its accuracies after each epoch. The choice is the pair with the highest
    validation accuracy, epochs counted from 1; the test figures only report what was chosen.
    """
    for validation, test in _histories():
        said = f"validation={validation} and test={test}"
        rate, epoch, accuracy_found = expect_numbers(
            call(function, validation, test, said=said),
            ("the learning rate", "the epoch", "the test accuracy"),
            "three numbers should come back: learning rate, epoch (from 1), test accuracy.",
        )
        best_rate, best = _best_of(validation)
        expected = test[best_rate][best - 1]
        if close(rate, best_rate) and epoch == best and close(accuracy_found, expected):
            continue
        raise Hint(_choice_hint((rate, epoch, accuracy_found), validation, test))


def _best_of(table: dict[float, list[float]]) -> tuple[float, int]:
    cells = [(rate, epoch) for rate, row in table.items() for epoch in range(1, len(row) + 1)]
    return max(cells, key=lambda cell: table[cell[0]][cell[1] - 1])


def _choice_hint(found: tuple[float, float, float], validation: dict, test: dict) -> str:
    rate, epoch, accuracy_found = found
    best_rate, best = _best_of(validation)
    chosen = f"learning rate {best_rate:g}, epoch {best}"
    if (rate, epoch) == (best_rate, best):
        if close(accuracy_found, validation[best_rate][best - 1]):
            return "the choice is right. Report its test accuracy: the validation figure was chosen for being high."
        if close(accuracy_found, max(map(max, test.values()))):
            return "the choice is right, the figure is not its own: it is the best that the test set has anywhere."
        return (
            f"the choice is right. At {chosen}, the test accuracy {unlike(test[best_rate][best - 1], accuracy_found)}."
        )
    if (rate, epoch) == _best_of(test):
        return (
            "that is the choice which is best on the test set. Whoever chooses by it has no untouched images left to "
            f"report. On validation, {chosen} is best."
        )
    if rate == best_rate and epoch == best - 1:
        return f"validation is best at {chosen}. Python counts from 0, the epochs from 1."
    by_last = max(validation, key=lambda one: validation[one][-1])
    if rate == by_last and epoch == len(validation[by_last]):
        return f"you look at the last epoch only. An earlier one has the highest validation accuracy: {chosen}."
    if rate == best_rate:
        return f"the learning rate is right. Which of its epochs has the highest validation accuracy? It is {best}."
    return f"on validation {chosen} is best ({max(map(max, validation.values()))}), of all rates and all epochs."


def _histories() -> list[tuple[dict, dict]]:
    """The best of validation is never the best of the test, nor always the last epoch or the first rate."""
    return [
        (
            {0.01: [0.90, 0.93, 0.95], 0.1: [0.95, 0.98, 0.97], 1.0: [0.60, 0.97, 0.96]},
            {0.01: [0.91, 0.94, 0.96], 0.1: [0.94, 0.96, 0.97], 1.0: [0.62, 0.985, 0.97]},
        ),
        ({0.3: [0.97, 0.99], 0.03: [0.92, 0.98]}, {0.3: [0.98, 0.975], 0.03: [0.93, 0.985]}),
        (
            {0.1: [0.96, 0.94, 0.95, 0.93], 0.5: [0.90, 0.92, 0.94, 0.955], 0.02: [0.5, 0.6, 0.7, 0.8]},
            {0.1: [0.95, 0.93, 0.96, 0.94], 0.5: [0.91, 0.93, 0.95, 0.965], 0.02: [0.5, 0.6, 0.7, 0.8]},
        ),
        ({0.2: [0.9]}, {0.2: [0.88]}),
    ]
