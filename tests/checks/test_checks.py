"""The exercise checks of notebooks 00, 04 and 05, fed stubs, several right answers, and plausible wrong ones."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import CNN, checks, load_mnist


@pytest.fixture(scope="module")
def mnist():
    return load_mnist()


@pytest.fixture(autouse=True)
def random_state_is_left_alone():
    torch.manual_seed(123)
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def outcome(capsys, mnist):
    """What a check prints about an answer."""

    def of(check: str, answer) -> str:
        context = (mnist,) if check == "sevens" else ()
        getattr(checks, check)(answer, *context)
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out.removesuffix("\n")

    return of


# --- right answers ----------------------------------------------------------------------------------------------


def average_by_loop(images, labels, digit):
    total, count = torch.zeros(images.shape[-2:]), 0
    for image, label in zip(images, labels, strict=True):
        if label == digit:
            total += image[0]
            count += 1
    return total / count


def features_by_network(height, width):
    network = CNN()
    return network.conv2(network.conv1(torch.zeros(1, 1, height, width))).flatten().shape[0]


def conv_parameters_by_torch(in_channels, out_channels, height, width):
    conv = nn.Conv2d(in_channels, out_channels, (height, width))
    return sum(parameter.numel() for parameter in conv.parameters())


class Mended(nn.Module):
    """The tutorial's network in other words: the pooling before the ReLU, which commutes with it."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(1, 16, 5, padding="same"), nn.MaxPool2d(2), nn.ReLU())
        self.conv2 = nn.Sequential(nn.Conv2d(16, 32, 5, 1, 2), nn.MaxPool2d(2, 2), nn.ReLU())
        self.out = nn.Linear(1568, 10)

    def forward(self, x):
        x = self.conv2(self.conv1(x))
        return self.out(x.view(x.size(0), -1))


class MendedWithTwoOutputs(CNN):
    """As the original, whose forward also returned the features; here they are kept aside."""

    def forward(self, images):
        self.features = self.conv2(self.conv1(images)).reshape(len(images), -1)
        return self.out(self.features)


def accuracy_by_loop(logits, labels):
    right = 0
    for row, label in zip(logits, labels, strict=True):
        right += int(row.argmax()) == int(label)
    return right / len(labels)


def step_as_in_the_tutorial(model, images, labels, optimizer):
    loss = nn.CrossEntropyLoss()(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def step_clearing_first(model, images, labels, optimizer):
    optimizer.zero_grad(set_to_none=False)
    log_probabilities = F.log_softmax(model(images), dim=1)
    loss = F.nll_loss(log_probabilities, labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def step_clearing_afterwards(model, images, labels, optimizer):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    model.zero_grad()
    return loss.detach()


def best_by_loop(accuracies):
    best_epoch, best = 1, accuracies[0]
    for epoch, value in enumerate(accuracies, start=1):
        if value > best:
            best_epoch, best = epoch, value
    return best_epoch


RIGHT = {
    "sevens": {
        "sum": lambda mnist: int((mnist.full_train.labels == 7).sum()),
        "tensor": lambda mnist: (mnist.full_train.labels == 7).sum(),
        "bincount": lambda mnist: np.bincount(mnist.full_train.labels.numpy())[7],
        "loop": lambda mnist: sum(label == 7 for label in mnist.full_train.labels.tolist()),
    },
    "average_image": {
        "mask": lambda images, labels, digit: images[labels == digit].mean(dim=(0, 1)),
        "mask, first channel": lambda images, labels, digit: images[labels == digit].mean(0)[0],
        "loop": average_by_loop,
        "float64": lambda images, labels, digit: images[labels == digit][:, 0].double().mean(0),
        "weights": lambda images, labels, digit: torch.einsum(
            "n,nchw->hw", (labels == digit).float() / (labels == digit).sum(), images
        ),
    },
    "flat_features": {
        "halved twice": lambda height, width: 32 * (height // 2 // 2) * (width // 2 // 2),
        "quartered": lambda height, width: 32 * (height // 4) * (width // 4),
        "network": features_by_network,
        "tensor": lambda height, width: torch.tensor(32) * (height // 4) * (width // 4),
        "numpy": lambda height, width: np.prod([32, height // 4, width // 4]),
    },
    "conv_parameters": {
        "weights and biases": lambda i, o, h, w: o * i * h * w + o,
        "filter by filter": lambda i, o, h, w: sum(i * h * w + 1 for _ in range(o)),
        "torch": conv_parameters_by_torch,
    },
    "mended_network": {
        "package": CNN,
        "pooling first": Mended,
        "function": lambda: Mended(),
        "features kept aside": MendedWithTwoOutputs,
    },
    "accuracy": {
        "mean": lambda logits, labels: (logits.argmax(dim=1) == labels).float().mean(),
        "item": lambda logits, labels: (logits.argmax(-1) == labels).float().mean().item(),
        "as in the tutorial": lambda logits, labels: (
            float((torch.max(logits, 1)[1].data.numpy() == labels.data.numpy()).astype(int).sum()) / labels.size(0)
        ),
        "numpy": lambda logits, labels: np.mean(logits.numpy().argmax(1) == labels.numpy()),
        "of the softmax": lambda logits, labels: (logits.softmax(1).argmax(1) == labels).sum() / len(labels),
        "loop": accuracy_by_loop,
    },
    "training_step": {
        "as in the tutorial": step_as_in_the_tutorial,
        "clearing first": step_clearing_first,
        "clearing afterwards": step_clearing_afterwards,
    },
    "best_epoch": {
        "index": lambda accuracies: accuracies.index(max(accuracies)) + 1,
        "loop": best_by_loop,
        "max with key": lambda accuracies: max(range(1, len(accuracies) + 1), key=lambda epoch: accuracies[epoch - 1]),
        "numpy": lambda accuracies: np.argmax(accuracies) + 1,
        "torch": lambda accuracies: torch.tensor(accuracies).argmax() + 1,
        "sorts the list": lambda accuracies: accuracies.index(sorted(accuracies)[-1]) + 1,
    },
}
FUNCTIONS = [name for name in RIGHT if name != "sevens"]  # the answer to that one is a number


def _cases(table: dict) -> list:
    return [
        pytest.param(check, answer, id=f"{check}-{name}") for check in table for name, answer in table[check].items()
    ]


@pytest.mark.parametrize(("check", "answer"), _cases(RIGHT))
def test_right_answers(outcome, mnist, check, answer):
    assert outcome(check, answer(mnist) if check == "sevens" else answer) == "correct"


# --- stubs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", RIGHT)
def test_untouched_stub(outcome, check):
    assert outcome(check, ...) == "not tried yet"


@pytest.mark.parametrize("check", FUNCTIONS)
def test_function_of_the_stub(outcome, check):
    assert outcome(check, lambda *_: ...) == "not tried yet"


def test_class_of_the_stub(outcome):
    class Stub(nn.Module):
        def forward(self, images):
            return ...

    assert outcome("mended_network", Stub) == "not tried yet"


# --- wrong answers ----------------------------------------------------------------------------------------------


def one_pixel_off(images, labels, digit):
    average = images[labels == digit].mean((0, 1))
    average[-1, -1] += 0.01
    return average


def off_for_a_single_image(images, labels, digit):
    """Right, unless there is one image only: squeeze() then takes away more than the channel."""
    chosen = images[labels == digit]
    return chosen[0, 0] * 0 if len(chosen) == 1 else chosen.squeeze().mean(0)


def written_for_28(images, labels, digit):
    return images[labels == digit].reshape(-1, 28, 28).mean(0)


class Broken(CNN):
    """The tutorial's network with another `forward`."""

    def __init__(self, forward):
        super().__init__()
        self._forward = forward

    def forward(self, images):
        return self._forward(self, images)


def broken(forward):
    return lambda: Broken(forward)


def changed(change):
    """The tutorial's network with one of its layers changed."""

    def build():
        network = CNN()
        change(network)
        return network

    return build


def without_bias(network):
    network.out = nn.Linear(1568, 10, bias=False)


def with_average_pooling(network):
    network.conv2[2] = nn.AvgPool2d(2)


def without_second_relu(network):
    network.conv2[1] = nn.Identity()


def with_sigmoid(network):
    network.conv1[1] = nn.Sigmoid()


def with_reflected_border(network):
    network.conv2[0].padding_mode = "reflect"
    network.conv2[0]._reversed_padding_repeated_twice = [2, 2, 2, 2]


def with_dropout(network):
    network.out = nn.Sequential(nn.Dropout(), network.out)


def with_3x3(network):
    network.conv1[0] = nn.Conv2d(1, 16, 3, padding=1)


def without_padding(network):
    network.conv1[0].padding = (0, 0)


class OtherNames(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*CNN().conv1, *CNN().conv2, nn.Flatten(), CNN().out)

    def forward(self, images):
        return self.layers(images)


def off_for_one_image(network, images):
    """One logit of one image in the batch."""
    logits = CNN.forward(network, images)
    logits[-1, -1] += 0.01
    return logits


def accuracy_of_small_batch_wrong(logits, labels):
    """squeeze() drops the batch axis of a batch of one."""
    rows = logits.squeeze()
    return 0.0 if rows.dim() == 1 else (rows.argmax(1) == labels).float().mean()


def step(order="clear backward step", loss_of=F.cross_entropy, after=False, result=lambda loss: loss):
    """A training step with its parts in this order, this loss, and the loss perhaps measured after the update."""

    def training_step(model, images, labels, optimizer):
        loss = loss_of(model(images), labels)
        actions = {"clear": optimizer.zero_grad, "backward": loss.backward, "step": optimizer.step}
        for action in order.split():
            actions[action]()
        if after:
            loss = loss_of(model(images), labels)
        return result(loss)

    return training_step


def step_with_its_own_optimizer(model, images, labels, optimizer):
    return step()(model, images, labels, torch.optim.SGD(model.parameters(), lr=0.1))


def step_off_in_one_weight(model, images, labels, optimizer):
    loss = step()(model, images, labels, optimizer)
    with torch.no_grad():
        next(model.parameters())[0, 0] += 0.001
    return loss


def step_forgetting_the_last(model, images, labels, optimizer, calls=[]):  # noqa: B006
    """Right twice, the third time the loss returned is the last one's."""
    calls.append(step()(model, images, labels, optimizer).item())
    return calls[-2] if len(calls) % 3 == 0 else calls[-1]


WRONG = {
    "sevens": {
        "test images": (lambda mnist: (mnist.test.labels == 7).sum(), "10,000 test images"),
        "train images": (lambda mnist: (mnist.train.labels == 7).sum(), "55,000 of train"),
        "validation images": (lambda mnist: (mnist.validation.labels == 7).sum(), "add up how often that is True"),
        "one too many": (lambda mnist: (mnist.full_train.labels == 7).sum() + 1, "compare all labels with 7"),
        "ones": (lambda mnist: (mnist.full_train.labels == 1).sum(), "compare all labels with 7"),
        "share": (lambda mnist: (mnist.full_train.labels == 7).float().mean(), "looks like a share"),
        "zero": (lambda mnist: 0, "compare all labels"),
        "nan": (lambda mnist: math.nan, "compare all labels"),
        "mask": (lambda mnist: mnist.full_train.labels == 7, "one number, and this is a tensor of shape (60000,)"),
        "text": (lambda mnist: "6265", "one number, and this is a str"),
        "None": (lambda mnist: None, "one number, and this is a NoneType"),
        "True": (lambda mnist: True, "one number, and this is a bool"),
        "complex": (lambda mnist: torch.tensor(6265j), "one number, and this is a tensor"),
    },
    "average_image": {
        "of all images": (lambda images, labels, digit: images.mean((0, 1)), "average of all images"),
        "sum": (lambda images, labels, digit: images[labels == digit].sum((0, 1)), "that is the sum"),
        "divided by all": (
            lambda images, labels, digit: images[labels == digit].sum((0, 1)) / len(images),
            "at least one value is off",
        ),
        "one pixel off": (one_pixel_off, "at least one value is off"),
        "off for a single image": (off_for_a_single_image, "at least one value is off"),
        "median": (
            lambda images, labels, digit: images[labels == digit][:, 0].median(0)[0],
            "at least one value is off",
        ),
        "first of them": (lambda images, labels, digit: images[labels == digit][0, 0], "at least one value is off"),
        "channel kept": (lambda images, labels, digit: images[labels == digit].mean(0), "yours is (1, 28, 28)"),
        "one number": (lambda images, labels, digit: images[labels == digit].mean(), "the shape should be (28, 28)"),
        "written for 28 by 28": (written_for_28, "your function stopped with RuntimeError"),
        "on its side": (
            lambda images, labels, digit: images[labels == digit].mean((0, 1)).T.clone(),
            "at least one value is off",
        ),
        "list": (lambda images, labels, digit: images[labels == digit].mean((0, 1)).tolist(), "this is a list"),
        "nan": (lambda images, labels, digit: images[0, 0] * math.nan, "at least one value is off"),
    },
    "flat_features": {
        "positions only": (lambda height, width: (height // 4) * (width // 4), "How many channels"),
        "one pooling": (lambda height, width: 32 * (height // 2) * (width // 2), "each of the two blocks pools"),
        "always 1568": (lambda height, width: 1568, "right for 28 by 28"),
        "square": (lambda height, width: 32 * (height // 4) ** 2, "this image has height 28 and width 20"),
        "square of the width": (lambda height, width: 32 * (width // 4) ** 2, "Follow height and width separately"),
        "rounded up": (lambda height, width: 32 * math.ceil(height / 4) * math.ceil(width / 4), "rounded down"),
        "not rounded": (lambda height, width: 32 * height / 4 * width / 4, "rounded down"),
        "first block's channels": (lambda height, width: 16 * (height // 4) * (width // 4), "not 784"),
        "rounded once": (lambda height, width: 2 * height * width, "rounded down"),
        "width rounded up": (
            lambda height, width: 32 * (height // 4) * (math.ceil(width / 4) if width == 46 else width // 4),
            "not 768",
        ),
        "text": (lambda height, width: "1568", "should be one number, and this is a str"),
        "shape": (lambda height, width: (32, height // 4, width // 4), "one number, and this is a tuple"),
        "nan": (lambda height, width: math.nan, "not nan"),
    },
    "conv_parameters": {
        "no biases": (lambda i, o, h, w: o * i * h * w, "Each output channel also has one bias"),
        "one bias": (lambda i, o, h, w: o * i * h * w + 1, "Count the weights of one filter first"),
        "a bias for each input channel": (
            lambda i, o, h, w: o * i * h * w + i,
            "Count the weights of one filter first",
        ),
        "a bias for each filter's channel": (lambda i, o, h, w: o * i * (h * w + 1), "it should be 12832"),
        "one patch a filter": (lambda i, o, h, w: o * (h * w + 1), "for every input channel"),
        "square kernel": (lambda i, o, h, w: o * (i * h * h + 1), "Height and width may differ"),
        "square kernel of the width": (lambda i, o, h, w: o * (i * w * w + 1), "Height and width may differ"),
        "height and width added": (lambda i, o, h, w: o * (i * (h + w) + 1), "it should be 416, not 176"),
        "always 416": (lambda i, o, h, w: 416, "Count the weights"),
        "wrong for one by one": (lambda i, o, h, w: o * (i * h * w + (h * w > 1)), "one bias"),
        "too few arguments": (lambda i, o, size: 0, "your function stopped with TypeError"),
    },
    "mended_network": {
        "softmax": (broken(lambda self, x: CNN.forward(self, x).softmax(1)), "it returns probabilities"),
        "softmax over the batch": (broken(lambda self, x: CNN.forward(self, x).softmax(0)), "the numbers are not"),
        "log-softmax": (broken(lambda self, x: CNN.forward(self, x).log_softmax(1)), "it returns log-probabilities"),
        "ReLU at the end": (broken(lambda self, x: CNN.forward(self, x).relu()), "cuts off every negative logit"),
        "off for one image": (broken(off_for_one_image), "the numbers are not"),
        "no bias": (changed(without_bias), "28,928 parameters, and the tutorial's has 28,938"),
        "3 by 3": (changed(with_3x3), "Compare kernel sizes and channels"),
        "average pooling": (changed(with_average_pooling), "max-pooling"),
        "one ReLU": (changed(without_second_relu), "a ReLU in each block"),
        "sigmoid": (changed(with_sigmoid), "a ReLU in each block"),
        "reflected border": (changed(with_reflected_border), "the numbers are not"),
        "dropout": (changed(with_dropout), "keep the names conv1, conv2 and out"),
        "no padding": (changed(without_padding), "your function stopped with RuntimeError"),
        "other names": (OtherNames, "keep the names conv1, conv2 and out"),
        "no flattening": (broken(lambda self, x: self.out(self.conv2(self.conv1(x)))), "RuntimeError"),
        "batch flattened": (broken(lambda self, x: self.out(self.conv2(self.conv1(x)).flatten())), "RuntimeError"),
        "logits and features": (broken(lambda self, x: (CNN.forward(self, x), x)), "logits of shape (4, 10)"),
        "labels": (broken(lambda self, x: CNN.forward(self, x).argmax(1)), "(4, 10), not (4,)"),
        "float64": (broken(lambda self, x: CNN.forward(self, x).double() * 2), "the numbers are not"),
        "nothing returned": (broken(lambda self, x: None), "returns None"),
        "no Module": (lambda: lambda images: torch.zeros(4, 10), "inherits from nn.Module"),
        "instance": (CNN(), "your function stopped with TypeError"),
        "number": (28_938, "a function is wanted here, and this is a int"),
    },
    "accuracy": {
        "count": (lambda logits, labels: (logits.argmax(1) == labels).sum(), "Divide by the number of images"),
        "percent": (lambda logits, labels: 100 * (logits.argmax(1) == labels).float().mean(), "in percent"),
        "share of wrong answers": (
            lambda logits, labels: (logits.argmax(1) != labels).float().mean(),
            "share of wrong",
        ),
        "wrong axis": (lambda logits, labels: (logits.argmax(0)[: len(labels)] == labels[:10]).float().mean(), ""),
        "wrong axis where it fits": (
            lambda logits, labels: (logits.argmax(int(logits.shape[0] != logits.shape[1])) == labels).float().mean(),
            "with logits of shape (10, 10)",
        ),
        "smallest logit": (
            lambda logits, labels: (logits.argmin(1) == labels).float().mean(),
            "the largest in its row",
        ),
        "batch of one": (accuracy_of_small_batch_wrong, "with logits of shape (1, 3)"),
        "always by 10": (
            lambda logits, labels: (logits.argmax(1) == labels).sum() / 10,
            "with logits of shape (8, 10)",
        ),
        "rounded": (lambda logits, labels: round(accuracy_by_loop(logits, labels), 2), "with logits of shape"),
        "one image left out": (lambda logits, labels: accuracy_by_loop(logits[1:], labels[1:]), "with logits of shape"),
        "mask": (lambda logits, labels: logits.argmax(1) == labels, "one number, and this is a tensor of shape (8,)"),
        "nan": (lambda logits, labels: math.nan, "the largest in its row"),
    },
    "training_step": {
        "no update": (step("clear backward"), "the weights did not move"),
        "no gradient": (step("clear step"), "the weights did not move"),
        "cleared before the update": (step("backward clear step"), "the weights did not move"),
        "never cleared": (step("backward step"), "Gradients add up until zero_grad"),
        "backward twice": (
            lambda model, images, labels, optimizer: step_twice(model, images, labels, optimizer),
            "not by this batch's gradient",
        ),
        "two updates": (step("clear backward step step"), "not by this batch's gradient"),
        "loss after the update": (step(after=True), "before the update"),
        "sum over the batch": (step(loss_of=lambda z, y: F.cross_entropy(z, y, reduction="sum")), "averaged over"),
        "softmax before the loss": (step(loss_of=lambda z, y: F.cross_entropy(z.softmax(1), y)), "logits as they are"),
        "ReLU before the loss": (step(loss_of=lambda z, y: F.cross_entropy(z.relu(), y)), "logits as they are"),
        "squared error": (
            step(loss_of=lambda z, y: F.mse_loss(z, F.one_hot(y, z.shape[1]).float())),
            "should be",
        ),
        "its own optimizer": (step_with_its_own_optimizer, "not by this batch's gradient"),
        "one weight off": (step_off_in_one_weight, "not by this batch's gradient"),
        "stale loss at the third step": (step_forgetting_the_last, "the loss of step 3 of three should be"),
        "nan returned": (step(result=lambda loss: math.nan), "not nan"),
        "losses not averaged": (step(result=lambda loss: loss.repeat(5)), "one number, and this is a tensor of shape"),
        "nothing returned": (step(result=lambda loss: None), "returns None"),
    },
    "best_epoch": {
        "counted from 0": (lambda accuracies: accuracies.index(max(accuracies)), "Python counts from 0"),
        "the accuracy": (max, "Which epoch had it?"),
        "the last": (len, "the best epoch is number 2, not 4"),
        "always the first": (lambda accuracies: 1, "the best epoch is number 3, not 1"),
        "last of equals": (
            lambda accuracies: max(range(len(accuracies)), key=lambda i: (accuracies[i], i)) + 1,
            "the first of them cost less",
        ),
        "the worst": (lambda accuracies: accuracies.index(min(accuracies)) + 1, "the best epoch is number 3, not 1"),
        "before the first fall": (
            lambda accuracies: next(
                (i for i in range(1, len(accuracies)) if accuracies[i] <= accuracies[i - 1]), len(accuracies) + 1
            ),
            "the best epoch is number 3, not 4",
        ),
        "fails for one epoch": (
            lambda accuracies: accuracies.index(max(accuracies)) + 1 if accuracies[1] else 1,
            "with [0.9] your function stopped with IndexError",
        ),
        "between two epochs": (lambda accuracies: accuracies.index(max(accuracies)) + 1.5, "not 3.5"),
        "text": (lambda accuracies: "3", "the epoch should be one number"),
        "nan": (lambda accuracies: math.nan, "not nan"),
    },
}


def step_twice(model, images, labels, optimizer):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward(retain_graph=True)
    loss.backward()
    optimizer.step()
    return loss


@pytest.mark.parametrize(("check", "answer"), _cases(WRONG))
def test_wrong_answers(outcome, mnist, check, answer):
    wrong, hint = answer
    found = outcome(check, wrong(mnist) if check == "sevens" else wrong)
    assert found.startswith("not right yet: ")
    assert hint in found


def test_each_check_is_fed_three_wrong_answers_or_more():
    assert WRONG.keys() == RIGHT.keys()
    assert min(map(len, WRONG.values())) >= 3


def _raises(*_):
    raise ZeroDivisionError("something odd")


@pytest.mark.parametrize("check", FUNCTIONS)
@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        pytest.param(_raises, "your function stopped with ZeroDivisionError: something odd", id="raises"),
        pytest.param(lambda *_: None, "your function returns None", id="returns None"),
        pytest.param(lambda *_: "a text", "str", id="returns text"),
        pytest.param(lambda *_: {}, "dict", id="returns a dictionary"),
        pytest.param(None, "a function is wanted here, and this is a NoneType", id="None"),
        pytest.param(7, "a function is wanted here, and this is a int", id="number"),
        pytest.param(lambda: 1, "", id="takes no arguments"),
    ],
)
def test_answers_of_another_kind(outcome, check, answer, hint):
    found = outcome(check, answer)
    assert found.startswith("not right yet: ")
    assert hint in found


def test_an_interrupt_is_not_swallowed():
    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checks.accuracy(interrupted)


def test_a_learners_seed_changes_nothing_outside(outcome):
    """Whether it uses random numbers, or sets their seed."""

    def careless(height, width):
        torch.manual_seed(0)
        torch.rand(5)
        return 32 * (height // 4) * (width // 4)

    assert outcome("flat_features", careless) == "correct"
