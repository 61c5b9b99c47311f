"""What a classifier knows and does: its logits, calibration, abstaining, strangers, probes, patches, one small attack.

Throughout, `logits` and `probabilities` are (N, K), one row an image, and `labels` (N,) are int64 from 0 to K - 1.
A model is put into evaluation mode for a function's time and then left as it was. Raises `ValueError` where there is
nothing to look at, a number is not finite, or shapes do not fit.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from course_utils.data import EVALUATION_CHUNK
from course_utils.models import evaluation_mode

SUM_TOLERANCE = 1e-4  # how far a row of float32 probabilities may add up from 1
TEMPERATURES = (0.05, 20.0)  # where fit_temperature looks
WILSON_Z = 1.959964  # standard normal quantile of 97.5 %: intervals of 95 %


def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """The model's logits for images (N, C, H, W), in chunks, so that memory stays flat."""
    _check_some(images)
    with evaluation_mode(model), torch.inference_mode():
        logits = torch.cat([model(chunk) for chunk in images.split(EVALUATION_CHUNK)])
    return logits.clone()  # outside of inference_mode: a tensor that gradients may be asked of


def probabilities_of(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Softmax of logits / temperature: above 1 the temperature flattens the probabilities, below 1 it sharpens them."""
    _check_some(logits)
    _check_finite("logits", logits)
    if logits.dim() != 2:
        raise ValueError(f"expected logits of shape (N, K), one row an image, got {tuple(logits.shape)}")
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"the temperature must be a finite number above 0, got {temperature}")
    return (logits / temperature).softmax(dim=1)


def wilson_interval(successes: Tensor, trials: Tensor) -> tuple[Tensor, Tensor]:
    """Lower and upper end of the 95 % interval for shares of `successes` in `trials`, tensors of one shape.

    E. B. Wilson, *Probable inference, the law of succession, and statistical inference*, 1927. Unlike the share plus
    or minus two standard errors it stays within 0..1, and it has a width where all or none succeed.
    """
    if successes.shape != trials.shape:
        raise ValueError(
            f"expected one number of trials for each count of successes, got {tuple(successes.shape)} successes and "
            f"{tuple(trials.shape)} trials"
        )
    successes, trials = successes.double(), trials.double()
    _check_some(trials)
    if not ((trials >= 1) & (successes >= 0) & (successes <= trials)).all():
        raise ValueError(
            "each count of successes must lie between 0 and its number of trials, and that must be at least 1; got "
            f"{successes.tolist()} of {trials.tolist()}"
        )
    share, square = successes / trials, WILSON_Z**2
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = WILSON_Z / (1 + square / trials) * (share * (1 - share) / trials + square / (4 * trials**2)).sqrt()
    return (middle - half).clamp(min=0), (middle + half).clamp(max=1)  # rounding may lead out by a hair


def confident_mistakes(probabilities: Tensor, labels: Tensor, count: int) -> Tensor:
    """Indices of the `count` wrong answers with the highest confidence, highest first; fewer if there are fewer."""
    _check_probabilities(probabilities, labels)
    _check_at_least_one("count", count)
    confidence, answers = probabilities.max(dim=1)
    wrong = (answers != labels).nonzero().squeeze(1)
    return wrong[confidence[wrong].argsort(descending=True, stable=True)][:count]


class Reliability(NamedTuple):
    """A reliability diagram's bins, from low confidence to high: tensors (bins,). An empty bin's means are nan."""

    count: Tensor
    confidence: Tensor  # mean of the highest probability, 0..1
    accuracy: Tensor  # share of right answers, 0..1


def reliability(probabilities: Tensor, labels: Tensor, bins: int = 15) -> Reliability:
    """Sort answers into `bins` of equal width by confidence; a confidence on an edge belongs to the bin below it."""
    _check_probabilities(probabilities, labels)
    _check_at_least_one("bins", bins)
    confidence, answers = probabilities.double().max(dim=1)
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.double)
    # Rounding can lift a confidence above 1 by a hair, beyond the last edge.
    place = torch.bucketize(confidence.clamp(max=1), edges[1:])
    count = place.bincount(minlength=bins)
    return Reliability(
        count,
        place.bincount(confidence, minlength=bins) / count,
        place.bincount((answers == labels).double(), minlength=bins) / count,
    )


def expected_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Mean distance between confidence and accuracy over the bins, weighted by their counts, 0..1.

    Naeini, Cooper and Hauskrecht, *Obtaining well calibrated probabilities using Bayesian binning*, 2015, with the
    equal bins of Guo, Pleiss, Sun and Weinberger, *On calibration of modern neural networks*, 2017.
    """
    binned = reliability(probabilities, labels, bins)
    gaps = (binned.accuracy - binned.confidence).abs().nan_to_num(0)  # an empty bin weighs nothing
    return ((binned.count * gaps).sum() / binned.count.sum()).item()


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature between 0.05 and 20 that gives `labels` the highest likelihood (Guo and others, 2017).

    Fit it on validation images: on those the network was trained with, it would see more confidence than there is.
    Where all answers are right, the likelihood grows with every sharpening and the lower end comes back.
    """
    _check_finite("logits", logits)
    _check_labels(labels, logits)

    def loss(log_temperature: float) -> float:
        return F.cross_entropy(logits.double() / math.exp(log_temperature), labels).item()

    lowest, highest = (math.log(temperature) for temperature in TEMPERATURES)
    found = minimize_scalar(loss, bounds=(lowest, highest), method="bounded").x
    return math.exp(min((lowest, found, highest), key=loss))  # the search comes near its bounds, never onto them


def accuracy_by_coverage(confidence: Tensor, correct: Tensor) -> tuple[Tensor, Tensor]:
    """Accuracy on the answered part (M,), and how many are answered (M,), as the least confident are left out.

    `confidence` (N,) and `correct` (N,), bool. Equal confidences are answered or left out together, since a
    threshold can't tell them apart; the last entry answers all.
    """
    _check_some(confidence)
    _check_finite("confidence", confidence)
    if confidence.shape != correct.shape or confidence.dim() != 1:
        raise ValueError(
            f"expected two tensors of shape (N,), got confidence {tuple(confidence.shape)} and correct "
            f"{tuple(correct.shape)}"
        )
    if correct.dtype != torch.bool:
        raise ValueError(f"correct says True or False for each image (answers == labels), got {correct.dtype}")
    ordered, order = confidence.sort(descending=True)
    answered = torch.arange(1, len(ordered) + 1)
    accuracy = correct[order].double().cumsum(0) / answered
    can_cut = torch.cat([ordered[1:] < ordered[:-1], torch.tensor([True])])
    return accuracy[can_cut], answered[can_cut]


def left_to_read(confidence: Tensor, correct: Tensor, accuracy: float) -> int:
    """How many of the least confident answers must be left to a person so that the rest reaches `accuracy` (0..1).

    All of them, where no threshold reaches it. Shapes as in `accuracy_by_coverage`.
    """
    if not 0 <= accuracy <= 1:
        raise ValueError(f"accuracy is a share from 0 to 1 (99.9 % is 0.999), got {accuracy}")
    reached, answered = accuracy_by_coverage(confidence, correct)
    enough = answered[reached >= accuracy]
    return len(confidence) - (int(enough.max()) if len(enough) else 0)


def caught(known: Tensor, strangers: Tensor, keep: float = 0.95) -> float:
    """Share of `strangers` (M,) whose score lies below the threshold that keeps a share `keep` of the `known` (N,).

    A high score says "known". The threshold is the highest one that at least the share `keep` reaches.
    """
    for name, scores in (("scores of known images", known), ("scores of strangers", strangers)):
        _check_some(scores)
        _check_finite(name, scores)
        if scores.dim() != 1:
            raise ValueError(f"expected one number an image as {name}, got shape {tuple(scores.shape)}")
    if not 0 < keep <= 1:
        raise ValueError(f"keep is a share above 0 and up to 1, got {keep}")
    kept = max(1, math.ceil(round(keep * len(known), 6)))  # rounded first: 0.55 * 100 is 55.00000000000001 in Python
    threshold = known.sort(descending=True).values[kept - 1]
    return (strangers < threshold).double().mean().item()


def probe(features: Tensor, labels: Tensor, strength: float) -> Pipeline:
    """A linear classifier of features (N, ...), one row an image: scikit-learn's logistic regression.

    Each feature is first brought to mean 0 and variance 1. `strength` is scikit-learn's C: the smaller it is, the
    smaller the weights are kept. Use it with `.score(features, labels)`, both (N, D) and (N,). Alain and Bengio,
    *Understanding intermediate layers using linear classifier probes*, 2016.
    """
    _check_some(features)
    _check_finite("features", features)
    if features.dim() < 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            f"expected one row of features and one label an image, (N, ...) and (N,); got {tuple(features.shape)} and "
            f"{tuple(labels.shape)}"
        )
    if len(labels.unique()) < 2:
        raise ValueError(f"a probe needs at least two classes to tell apart, and all {len(labels)} labels are equal")
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000, tol=1e-3))
    return pipeline.fit(features.flatten(1).numpy(), labels.numpy())


def layer_inputs(model: nn.Module, images: Tensor) -> list[Tensor]:
    """What each convolution and each linear layer of `model` receives for `images` (N, C, H, W), from first to last.

    The first entry is the images themselves, the next what the first block made of them, and so on.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    received = [[] for _ in layers]
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs, kept=kept: kept.append(inputs[0].clone()))
        for layer, kept in zip(layers, received, strict=True)
    ]
    try:
        logits_of(model, images)
    finally:
        for hook in hooks:
            hook.remove()
    return [torch.cat(chunks) for chunks in received]


def receptive_field(layers: Sequence[tuple[int, int, int]]) -> tuple[int, int, int]:
    """Of stacked layers (kernel_size, stride, padding): what one output position sees, as (size, stride, start).

    Output position i sees the input pixels from start + i * stride to start + i * stride + size - 1; a negative start
    lies in the padding. In pixels, along one axis.
    """
    size, jump, start = 1, 1, 0
    for kernel_size, stride, padding in layers:
        size += (kernel_size - 1) * jump
        start -= padding * jump
        jump *= stride
    return size, jump, start


def strongest_patches(images: Tensor, maps: Tensor, field: tuple[int, int, int], count: int) -> Tensor:
    """For each channel the `count` patches that excite it most, one an image: (C, count, size, size), strongest first.

    `images` is (N, 1, H, W), `maps` (N, C, h, w) what a layer made of them, `field` its `receptive_field`. Where a
    patch reaches beyond the image it is black.
    """
    _check_some(images)
    _check_finite("maps", maps)
    _check_at_least_one("count", count)
    if images.dim() != 4 or images.shape[1] != 1 or maps.dim() != 4:
        raise ValueError(
            f"expected images (N, 1, H, W) and maps (N, C, h, w); got {tuple(images.shape)} and {tuple(maps.shape)}"
        )
    if len(images) != len(maps) or count > len(images):
        raise ValueError(f"expected as many maps as images and at least {count}; got {len(maps)} and {len(images)}")
    size, jump, start = field
    best = maps.flatten(2).max(dim=2)  # (N, C): the strongest position of each image
    chosen = best.values.topk(count, dim=0).indices.T  # (C, count)
    positions = best.indices.gather(0, chosen.T).T
    # A patch further out than its own size is as black as one that lies next to the image.
    rows = (positions // maps.shape[3] * jump + start).clamp(-size, images.shape[2])
    columns = (positions % maps.shape[3] * jump + start).clamp(-size, images.shape[3])
    padded = F.pad(images[:, 0], [size] * 4)

    def patch(image: int, row: int, column: int) -> Tensor:
        return padded[image, row + size : row + 2 * size, column + size : column + 2 * size]

    flat = zip(chosen.flatten().tolist(), rows.flatten().tolist(), columns.flatten().tolist(), strict=True)
    return torch.stack([patch(*place) for place in flat]).unflatten(0, chosen.shape)


def fgsm(model: nn.Module, images: Tensor, labels: Tensor, step: float) -> Tensor:
    """Each pixel of images (N, C, H, W) moved by `step` (of 0..1) the way that raises the loss, clipped to 0..1.

    Goodfellow, Shlens and Szegedy, *Explaining and harnessing adversarial examples*, 2014: fast gradient sign.
    """
    _check_some(images)
    _check_finite("images", images)
    if labels.shape != images.shape[:1]:
        raise ValueError(f"expected one label an image, got {tuple(labels.shape)} labels, {len(images)} images")
    if not (math.isfinite(step) and step >= 0):
        raise ValueError(f"the step must be a finite number of at least 0, got {step}")
    attacked = []
    with evaluation_mode(model):
        for chunk, wanted in zip(images.split(EVALUATION_CHUNK), labels.split(EVALUATION_CHUNK), strict=True):
            chunk = chunk.clone().requires_grad_()
            logits = model(chunk)
            _check_finite("logits", logits)
            _check_labels(wanted, logits)
            (gradient,) = torch.autograd.grad(_odds_against(logits, wanted).sum(), chunk)
            attacked.append((chunk.detach() + step * gradient.sign()).clamp(0, 1))
    return torch.cat(attacked)


def _odds_against(logits: Tensor, labels: Tensor) -> Tensor:
    """Log odds (N,) of all other answers against the label. Cross-entropy is log(1 + exp(odds)): it rises with them.

    Where the network is all but sure, the gradient of cross-entropy rounds to 0 in float32, and theirs does not.
    """
    others = logits.scatter(1, labels[:, None], torch.finfo(logits.dtype).min)
    return others.logsumexp(dim=1) - logits.gather(1, labels[:, None]).squeeze(1)


def _check_some(values: Tensor) -> None:
    if values.numel() == 0:
        raise ValueError("there is nothing to look at: the selection is empty")


def _check_at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")


def _check_finite(name: str, values: Tensor) -> None:
    if not values.isfinite().all():
        broken = (~values.isfinite().flatten(1).all(dim=1)) if values.dim() > 1 else ~values.isfinite()
        raise ValueError(
            f"{int(broken.sum())} of {len(values)} rows of the {name} hold values that are not finite numbers. Look "
            "for a training that diverged, or images with such values"
        )


def _check_labels(labels: Tensor, rows: Tensor) -> None:
    """Raise `ValueError` unless `labels` fit `rows` (N, K)."""
    if rows.dim() != 2 or labels.shape != rows.shape[:1]:
        raise ValueError(
            f"expected one row and one label an image, (N, K) and (N,); got {tuple(rows.shape)} and "
            f"{tuple(labels.shape)}"
        )
    _check_some(labels)
    if labels.min() < 0 or labels.max() >= rows.shape[1]:
        raise ValueError(
            f"labels must lie between 0 and {rows.shape[1] - 1}, the number of columns less one; got "
            f"{labels.min()} to {labels.max()}"
        )


def _check_probabilities(probabilities: Tensor, labels: Tensor) -> None:
    _check_finite("probabilities", probabilities)
    _check_labels(labels, probabilities)
    sums = probabilities.sum(dim=1)
    if probabilities.min() < 0 or (sums - 1).abs().max() > SUM_TOLERANCE:
        raise ValueError(
            "expected rows of probabilities, each from 0 to 1 and adding up to 1; got values from "
            f"{probabilities.min():g} and sums from {sums.min():g} to {sums.max():g}. Are these logits? Then "
            "probabilities_of(logits) first"
        )
