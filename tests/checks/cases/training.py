"""Answers to the exercises of notebook 05."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def accuracy_by_loop(logits, labels):
    return sum(int(row.argmax()) == int(label) for row, label in zip(logits, labels, strict=True)) / len(labels)


def step_as_in_the_tutorial(model, images, labels, optimizer):
    loss = nn.CrossEntropyLoss()(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def step_clearing_afterwards(model, images, labels, optimizer):
    loss = F.nll_loss(F.log_softmax(model(images), dim=1), labels)
    loss.backward()
    optimizer.step()
    model.zero_grad(set_to_none=False)
    return loss.item()


def choose(validation, test):
    cells = [(rate, epoch) for rate, row in validation.items() for epoch in range(len(row))]
    rate, epoch = max(cells, key=lambda cell: validation[cell[0]][cell[1]])
    return rate, epoch + 1, test[rate][epoch]


RIGHT = {
    "chain_gradients": {"numbers": (0.96, 0.6), "tensors": (torch.tensor(0.96), torch.tensor([0.6]))},
    "choose_on_validation": {
        "cells": choose,
        "list": lambda *tables: list(choose(*tables)),
        "array": lambda *tables: np.array(choose(*tables)),
        "tensor": lambda *tables: torch.tensor(choose(*tables), dtype=torch.float64),
    },
    "accuracy": {
        "mean": lambda logits, labels: (logits.argmax(dim=1) == labels).float().mean(),
        "as in the tutorial": lambda logits, labels: (
            float((torch.max(logits, 1)[1].data.numpy() == labels.data.numpy()).astype(int).sum()) / labels.size(0)
        ),
        "numpy": lambda logits, labels: np.mean(logits.numpy().argmax(1) == labels.numpy()),
        "of the softmax": lambda logits, labels: (logits.softmax(1).argmax(1) == labels).sum() / len(labels),
        "loop": accuracy_by_loop,
    },
    "training_step": {"as in the tutorial": step_as_in_the_tutorial, "clearing afterwards": step_clearing_afterwards},
}


def small_batch_wrong(logits, labels):
    """squeeze() drops the batch axis of a batch of one."""
    rows = logits.squeeze()
    return 0.0 if rows.dim() == 1 else (rows.argmax(1) == labels).float().mean()


def wrong_axis_where_it_fits(logits, labels):
    axis = 0 if logits.shape[0] == logits.shape[1] else 1
    return (logits.argmax(axis) == labels).float().mean()


def step(order="clear backward step", loss_of=F.cross_entropy, after=False, result=lambda loss: loss):
    """A training step with its parts in this order, this loss, and the loss perhaps measured after the update."""

    def training_step(model, images, labels, optimizer):
        loss = loss_of(model(images), labels)
        backward = lambda: loss.backward(retain_graph=True)  # noqa: E731
        actions = {"clear": optimizer.zero_grad, "backward": backward, "step": optimizer.step}
        for action in order.split():
            actions[action]()
        return result(loss_of(model(images), labels) if after else loss)

    return training_step


def step_with_its_own_optimizer(model, images, labels, optimizer):
    return step()(model, images, labels, torch.optim.SGD(model.parameters(), lr=0.1))


def step_off_in_one_weight(model, images, labels, optimizer):
    loss = step()(model, images, labels, optimizer)
    with torch.no_grad():
        next(model.parameters())[0, 0] += 0.001
    return loss


def step_with_a_stale_loss(model, images, labels, optimizer, losses=[]):  # noqa: B006
    """Right twice; the third time the loss returned is the last one's."""
    losses.append(step()(model, images, labels, optimizer).item())
    return losses[-2] if len(losses) == 3 else losses[-1]


def rate_by_last_epoch(validation, test):
    rate = max(validation, key=lambda rate: validation[rate][-1])
    return rate, len(test[rate]), test[rate][-1]


def from_zero(validation, test):
    rate, epoch, found = choose(validation, test)
    return rate, epoch - 1, found


WRONG = {
    "chain_gradients": {
        "of the picture": ((-0.96, -1.2), "for w2 = 0.4"),
        "the other way round": ((0.6, 0.96), "under each other's name"),
        "wrong signs": ((-0.96, -0.6), "the signs are not"),
        "without the 2": ((0.48, 0.3), "the slope of (z - 1)"),
        "stopped at z": ((0.96, 0.4), "the gradient at z"),
        "times x": ((0.96, 1.2), "the number that w2 is multiplied by"),
        "stopped at h": ((0.32, 0.6), "the gradient at h"),
        "past w2": ((1.2, 0.6), "multiplied by w2"),
        "back through the old w2": ((0.48, 0.6), "through the new w2"),
        "one of them": ((1.0, 0.6), "gradient_w1: not 1"),
        "nan": ((math.nan, 0.6), "not nan"),
        "text": (("0.96", 0.6), "gradient_w1 should be one number"),
    },
    "choose_on_validation": {
        "by the test": (lambda validation, test: choose(test, test), "Whoever chooses by it has no untouched images"),
        "reports validation": (lambda validation, test: choose(validation, validation), "chosen for being high"),
        "reports the best": (
            lambda validation, test: (*choose(validation, test)[:2], max(map(max, test.values()))),
            "it is the best that the test set has anywhere",
        ),
        "last epoch": (rate_by_last_epoch, "the last epoch only"),
        "from 0": (from_zero, "Python counts from 0"),
        "first rate": (
            lambda validation, test: choose({next(iter(validation)): next(iter(validation.values()))}, test),
            "of all rates and all epochs",
        ),
        "accuracy only": (lambda validation, test: choose(validation, test)[2], "three numbers should come back"),
        "rounded": (
            lambda validation, test: (*choose(validation, test)[:2], round(choose(validation, test)[2], 1)),
            "At learning rate 0.1, epoch 2, the test accuracy should be 0.96",
        ),
    },
    "accuracy": {
        "count": (lambda logits, labels: (logits.argmax(1) == labels).sum(), "Divide by the number of images"),
        "percent": (lambda *arguments: 100 * accuracy_by_loop(*arguments), "in percent"),
        "share of wrong answers": (lambda *arguments: 1 - accuracy_by_loop(*arguments), "share of wrong"),
        "wrong axis where it fits": (wrong_axis_where_it_fits, "with logits of shape (10, 10)"),
        "smallest logit": (lambda z, labels: (z.argmin(1) == labels).float().mean(), "the largest logit in its row"),
        "by size": (
            lambda z, labels: (z.abs().argmax(1) == labels).float().mean(),
            "the largest logit in its row",
        ),
        "batch of one": (small_batch_wrong, "with logits of shape (1, 3)"),
        "always by 10": (lambda z, labels: (z.argmax(1) == labels).sum() / 10, "with logits of shape (300, 10)"),
        "rounded": (lambda *arguments: round(accuracy_by_loop(*arguments), 2), "with logits of shape"),
        "one left out": (lambda z, labels: accuracy_by_loop(z[1:], labels[1:]), "with logits of shape"),
        "mask": (lambda z, labels: z.argmax(1) == labels, "one number, and this is a tensor of shape (300,)"),
        "nan": (lambda logits, labels: math.nan, "the largest logit in its row"),
    },
    "training_step": {
        "no update": (step("clear backward"), "the weights did not move"),
        "cleared before the update": (step("backward clear step"), "the weights did not move"),
        "never cleared": (step("backward step"), "Gradients add up until zero_grad"),
        "backward twice": (step("clear backward backward step"), "but 2 times as far as they should"),
        "two updates": (step("clear backward step step"), "but 2 times as far as they should"),
        "loss after the update": (step(after=True), "before the update"),
        "sum over the batch": (step(loss_of=lambda z, y: F.cross_entropy(z, y, reduction="sum")), "averaged over"),
        "softmax before the loss": (step(loss_of=lambda z, y: F.cross_entropy(z.softmax(1), y)), "logits as they are"),
        "its own optimizer": (step_with_its_own_optimizer, "but 0.2 times as far"),
        "one weight off": (step_off_in_one_weight, "not by this batch's gradient"),
        "stale loss at the third step": (step_with_a_stale_loss, "the loss of step 3 of three should be"),
        "nan": (step(result=lambda loss: math.nan), "not nan"),
        "losses not averaged": (step(result=lambda loss: loss.repeat(5)), "one number, and this is a tensor of shape"),
        "nothing returned": (step(result=lambda loss: None), "returns None"),
    },
}
