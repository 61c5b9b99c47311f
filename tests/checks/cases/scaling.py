"""Answers to the exercises of notebook 10."""

import torch


def weighted(gradients, counts):
    return sum(count / sum(counts) * gradient for count, gradient in zip(counts, gradients, strict=True))


def by_matrix(gradients, counts):
    shares = torch.tensor(counts, dtype=torch.float32)
    return (shares / shares.sum()) @ torch.stack(gradients)


def ring(parameters, processes):
    return 8 * parameters * (processes - 1) / processes


def speedup(compute, share, processes):
    return compute / (compute / processes + share * (processes > 1))


RIGHT = {
    "whole_gradient": {"weighted": weighted, "matrix": by_matrix},
    "control_of_two": {"numbers": (128, 50), "as computed": (2 * 64, 6400 / 128)},
    "ring_bytes": {"formula": ring, "by pieces": lambda n, p: torch.tensor(4 * n / p * 2 * (p - 1))},
    "speedup": {
        "formula": speedup,
        "by cases": lambda c, s, p: torch.tensor(1.0 if p == 1 else c * p / (c + s * p)).double(),
    },
}


def one_number_off(gradients, counts):
    result = weighted(gradients, counts)
    result[-1] += 0.001
    return result


def plain_where_a_part_is_empty(gradients, counts):
    return weighted(gradients, counts) if all(counts) else sum(gradients) / len(gradients)


WRONG = {
    "whole_gradient": {
        "plain mean": (lambda gradients, counts: torch.stack(gradients).mean(0), "more say"),
        "sum": (lambda gradients, counts: sum(gradients), "sum of the parts' gradients"),
        "sum over images": (lambda gradients, counts: weighted(gradients, counts) * sum(counts), "Divide by how many"),
        "by parts": (lambda g, c: weighted(g, c) * sum(c) / len(c), "not by the number of parts"),
        "one number off": (one_number_off, "another vector"),
        "wrong for an empty part": (plain_where_a_part_is_empty, "10, 0, 6"),
        "a number": (lambda gradients, counts: 0.5, "a tensor should come back"),
        "a row": (lambda gradients, counts: weighted(gradients, counts)[None], "the shape should be (5,)"),
    },
    "control_of_two": {
        "her first run": ((64, 100), "that is her run in one process"),
        "half the pictures": ((64, 50), "64 pictures went into each"),
        "both batches and more": ((256, 25), "pictures_per_step: how many"),
        "two passes": ((128, 100), "are two passes"),
        "a step too few": ((128, 49), "one pass over 6,400"),
    },
    "ring_bytes": {
        "numbers": (lambda n, p: ring(n, p) / 4, "how many numbers"),
        "bits": (lambda n, p: 8 * ring(n, p), "in bits"),
        "float64": (lambda n, p: 2 * ring(n, p), "float64"),
        "one way": (lambda n, p: ring(n, p) / 2, "one half of the way"),
        "whole gradient a round": (lambda n, p: ring(n, p) * p, "sends one piece a round"),
        "a round too many": (lambda n, p: 8 * n, "not P"),
        "alone": (lambda n, p: ring(n, p) if p > 1 else 4 * n, "alone, there is nobody"),
        "pieces cut down": (lambda n, p: 8 * (p - 1) * (n // 100 * 100 // p), "Count the rounds"),
    },
    "speedup": {
        "shares alone": (lambda c, s, p: c / (c / p + s), "alone, there is nobody"),
        "the time": (lambda c, s, p: c / p + s, "that is the time"),
        "upside down": (lambda c, s, p: (c / p + s) / c, "upside down"),
        "sharing left out": (lambda c, s, p: p, "leaves the sharing out"),
        "sharing divided": (lambda c, s, p: p * c / (c + s), "the sharing is not"),
        "a little off": (lambda c, s, p: speedup(c, s, p) + 0.001, "it should be 1.4286, not 1.4296"),
        "never below 1": (lambda c, s, p: max(1, speedup(c, s, p)), "it should be 0.2857, not 1"),
    },
}
