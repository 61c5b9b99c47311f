"""Answers to the exercises of notebook 03."""

import torch
import torch.nn.functional as F

LEFT_OUT = 32 * 28 * 28  # numbers that reach the last layer without pooling


def pool_by_loop(images, size):
    rows, columns = (range(0, side - size + 1, size) for side in images.shape[-2:])
    windows = [images[:, :, i : i + size, j : j + size].amax(dim=(2, 3)) for i in rows for j in columns]
    return torch.stack(windows, dim=2).unflatten(2, (len(rows), len(columns)))


def pool_by_reshape(images, size):
    height, width = images.shape[-2] // size, images.shape[-1] // size
    kept = images[:, :, : height * size, : width * size]
    return kept.reshape(*images.shape[:2], height, size, width, size).amax(dim=(3, 5))


def average_weights(channels, size):
    return torch.eye(channels)[:, :, None, None].repeat(1, 1, size, size) / size**2


def stays_equal(before, after):
    ink = (before != 0) | (after != 0)
    return (before[ink] == after[ink]).float().mean()


def verdict(mean, low, high, margin):
    if low > 0 and mean >= margin:
        return "better"
    return "worse" if high < 0 and mean <= -margin else "no difference shown"


RIGHT = {
    "unchanged_share": {
        "mask": stays_equal,
        "counted": lambda before, after: (
            sum(one == other != 0 for one, other in zip(before.flatten(), after.flatten(), strict=True))
            / sum(bool(one != 0 or other != 0) for one, other in zip(before.flatten(), after.flatten(), strict=True))
        ),
        "numpy": lambda before, after: stays_equal(before, after).double().numpy(),
    },
    "judge": {"ladder": verdict, "in capitals": lambda *numbers: verdict(*numbers).upper()},
    "max_pool": {"loop": pool_by_loop, "reshape": pool_by_reshape, "library": F.max_pool2d},
    "average_weights": {
        "repeated": average_weights,
        "float64, expanded": lambda channels, size: (
            torch.eye(channels).double()[:, :, None, None].expand(-1, -1, size, size) / size**2
        ),
    },
    "larger_of_two": {
        "a and more": lambda a, b: a + F.relu(b - a),
        "b and more": lambda a, b: b + torch.relu(a - b),
        "as a method": lambda a, b: (a - b).relu() + b,
    },
    "parameters_without_pooling": {"numbers": (12_832, 250_890), "tensor": (torch.tensor(12_832), 10 * LEFT_OUT + 10)},
}


def one_value_off(images, size):
    pooled = F.max_pool2d(images, size)
    pooled[-1, -1, -1, -1] += 0.01
    return pooled


def all_channels(images, size):
    return F.max_pool2d(images, size).amax(dim=1, keepdim=True)


def one_weight_off(channels, size):
    weights = average_weights(channels, size)
    weights[-1, -1, -1, -1] += 0.01
    return weights


def off_for_many_axes(a, b):
    larger = a + F.relu(b - a)
    return larger if a.dim() == 1 else larger - 0.01


WRONG = {
    "unchanged_share": {
        "with the background": (lambda before, after: (before == after).float().mean(), "counts the background"),
        "where it was": (
            lambda before, after: (before[before != 0] == after[before != 0]).float().mean(),
            "places that were 0",
        ),
        "where it is": (
            lambda before, after: (before[after != 0] == after[after != 0]).float().mean(),
            "places that have become 0",
        ),
        "changed": (lambda *maps: 1 - stays_equal(*maps), "the share that changed"),
        "count": (lambda before, after: ((before == after) & (before != 0)).sum(), "Divide by how many"),
        "below the line": (
            lambda before, after: ((before == after) & (before != 0)).float().mean(),
            "left out above the line",
        ),
        "rounded": (lambda *maps: round(float(stays_equal(*maps)), 2), "yours is rounded"),
    },
    "judge": {
        "mean only": (lambda mean, low, high, margin: verdict(mean, 1, 1, margin), "the interval holds 0"),
        "interval only": (lambda mean, low, high, margin: verdict(9, low, high, 0), "smaller than a reader"),
        "low above the margin": (
            lambda mean, low, high, margin: verdict(mean, low - margin + 1e-9, high, margin),
            "the mean is as large as the margin",
        ),
        "never worse": (
            lambda mean, low, high, margin: "better" if low > 0 and mean >= margin else "no difference shown",
            "it can be worse as well",
        ),
        "above the margin": (
            lambda mean, low, high, margin: verdict(mean, low, high, margin + 1e-9),
            "as large as the margin, which is enough",
        ),
        "from 0": (
            lambda mean, low, high, margin: verdict(mean, low + (low == 0), high, margin),
            "the interval holds 0",
        ),
        "turned": (lambda mean, low, high, margin: verdict(-mean, -high, -low, margin), "above 0 is better"),
        "True": (lambda *numbers: verdict(*numbers) == "better", "should come back, and this is a bool"),
        "other words": (lambda *numbers: "no difference", "is none of the three"),
    },
    "max_pool": {
        "mean": (F.avg_pool2d, "average of each window"),
        "all channels": (all_channels, "2 channels became one"),
        "all channels, axis lost": (lambda images, size: all_channels(images, size)[:, 0], "2 channels became one"),
        "all channels in each": (
            lambda images, size: all_channels(images, size).expand(-1, images.shape[1], -1, -1),
            "Each channel is pooled by itself",
        ),
        "rounded up": (lambda images, size: F.max_pool2d(images, size, ceil_mode=True), "sizes round down"),
        "stride 1": (lambda images, size: F.max_pool2d(images, size, stride=1), "moves by its own size"),
        "smallest": (lambda images, size: -F.max_pool2d(-images, size), "smallest"),
        "top left": (lambda images, size: images[:, :, ::size, ::size], "top left"),
        "begun at 0": (lambda images, size: F.max_pool2d(images, size).clamp(min=0), "Don't start from 0"),
        "always 2": (lambda images, size: F.max_pool2d(images, 2), "size 3 the shape should be"),
        "one value off": (one_value_off, "at least one value is off"),
        "square": (lambda images, size: pool_by_loop(images[..., : images.shape[-2]], size), "the shape should be"),
        "first channel": (
            lambda images, size: F.max_pool2d(images, size)[:, :1].expand(-1, images.shape[1], -1, -1),
            "at least one value is off",
        ),
        "a number": (lambda images, size: 3.0, "a tensor should come back"),
    },
    "average_weights": {
        "sum": (lambda channels, size: size**2 * average_weights(channels, size), "each window is added up"),
        "by the side": (lambda channels, size: size * average_weights(channels, size), "divide by the window's side"),
        "mixed": (lambda c, size: torch.full((c, c, size, size), 1 / size**2), "mixes all input channels"),
        "mixed, mean": (lambda c, size: torch.full((c, c, size, size), 1 / c / size**2), "mixes all input channels"),
        "channels turned": (lambda channels, size: average_weights(channels, size).flip(0), "weights[o, i] goes from"),
        "always 2": (lambda channels, size: average_weights(channels, 2), "the shape should be"),
        "one channel": (lambda channels, size: average_weights(channels, size)[:, :1], "the shape should be"),
        "rounded": (lambda channels, size: average_weights(channels, size).long(), "at least one output differs"),
        "one weight off": (one_weight_off, "at least one output differs"),
    },
    "larger_of_two": {
        "maximum": (torch.maximum, "you used maximum"),
        "where": (lambda a, b: torch.where(a > b, a, b), "you used gt, where"),
        "amax": (lambda a, b: torch.stack([a, b]).amax(dim=0), "you used amax"),
        "smaller": (lambda a, b: a - F.relu(a - b), "the smaller one"),
        "ReLU of a": (lambda a, b: F.relu(a) + F.relu(b - F.relu(a)), "the answer is not 0"),
        "by how much": (lambda a, b: F.relu(b - a), "What do you have to add it to?"),
        "added to the wrong one": (lambda a, b: a + F.relu(a - b), "at least one value is off"),
        "one number": (lambda a, b: a.max(), "the shape should be"),
        "off for many axes": (off_for_many_axes, "at least one value is off"),
    },
    "parameters_without_pooling": {
        "conv2 slides further": ((4 * 12_832, 250_890), "how far it slides"),
        "and further": ((16 * 12_832, 250_890), "how far it slides"),
        "conv2 without biases": ((12_800, 250_890), "conv2: the weights are right. The 32 biases"),
        "out with pooling": ((12_832, 15_690), "the number with pooling"),
        "out without biases": ((12_832, 250_880), "out: the weights are right. The 10 biases"),
        "one pooling left": ((12_832, 62_730), "with one pooling left"),
        "one pooling left, no biases": ((12_832, 62_720), "with one pooling left"),
        "one too few": ((12_832, 250_889), "out: not 250889"),
        "list": ((12_832, [250_890]), "out should be one number"),
    },
}
