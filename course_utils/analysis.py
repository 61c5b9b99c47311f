"""What a classifier knows and does: its logits, calibration, abstaining, unknown images, probes, patches, one attack.

Throughout, `logits` and `probabilities` are (N, K), one row an image, and `labels` (N,) are whole numbers from 0 to
K - 1. Model, images and labels may lie on different devices: what has a row or a place for each image comes back where
the images are, statistics come from the CPU, in float64. A model is put into evaluation mode for a function's time and
then left as it was. Raises `ValueError` where there is nothing to look at, a number is not finite, or shapes do not
fit, `TypeError` for what is no tensor or no number.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from course_utils import validate
from course_utils.data import EVALUATION_CHUNK
from course_utils.models import device_of, evaluation_mode, prediction_mode, recorded

TEMPERATURES = (0.05, 20.0)  # where fit_temperature looks


def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """The model's logits for images (N, C, H, W), in chunks, so that memory stays flat."""
    validate.not_empty("images", images)
    with prediction_mode(model), torch.no_grad():
        return torch.cat([model(chunk).to(images.device) for chunk in _chunks(images, model)])


def _chunks(images: Tensor, model: nn.Module) -> Iterator[Tensor]:
    """Images, a few at a time, on the model's device."""
    return (chunk.to(device_of(model)) for chunk in images.split(EVALUATION_CHUNK))


def probabilities_of(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Softmax of logits / temperature: above 1 the temperature flattens the probabilities, below 1 it sharpens them."""
    logits = validate.rows("logits", logits)
    return (logits / validate.number("temperature", temperature, above=0)).softmax(dim=1)


def confident_mistakes(probabilities: Tensor, labels: Tensor, count: int) -> Tensor:
    """Indices of the `count` wrong answers with the highest confidence, highest first; fewer if there are fewer."""
    confidence, correct = _answers(probabilities, labels)
    count = validate.whole_number("count", count, at_least=1)
    wrong = (~correct).nonzero().squeeze(1)
    return wrong[confidence[wrong].argsort(descending=True, stable=True)][:count]


def _answers(probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """For each image (N,): the highest probability, and whether its class is the label."""
    probabilities = validate.probabilities(probabilities)
    confidence, answers = probabilities.max(dim=1)
    return confidence, answers == validate.labels(labels, probabilities, classes=probabilities.shape[1])


class Reliability(NamedTuple):
    """A reliability diagram's bins, from low confidence to high: tensors (bins,). An empty bin's means are nan."""

    count: Tensor
    confidence: Tensor  # mean of the highest probability, 0..1
    accuracy: Tensor  # share of right answers, 0..1


def reliability(probabilities: Tensor, labels: Tensor, bins: int = 15) -> Reliability:
    """Sort answers into `bins` of equal width by confidence; a confidence on an edge belongs to the bin below it."""
    confidence, correct = (_precise(values) for values in _answers(probabilities, labels))
    bins = validate.whole_number("bins", bins, at_least=1)
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.double)
    # Rounding can lift a confidence above 1 by a hair, beyond the last edge.
    place = torch.bucketize(confidence.clamp(max=1), edges[1:])
    count = place.bincount(minlength=bins)
    confidence, accuracy = (place.bincount(values, minlength=bins) / count for values in (confidence, correct))
    return Reliability(count, confidence, accuracy)


def _precise(values: Tensor) -> Tensor:
    """In float64, for statistics. On the CPU, since Apple's MPS has no float64."""
    return values.detach().cpu().double()


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
    precise = _precise(validate.rows("logits", logits))
    wanted = validate.labels(labels, precise, classes=precise.shape[1])

    def loss(log_temperature: float) -> float:
        return F.cross_entropy(precise / math.exp(log_temperature), wanted).item()

    lowest, highest = (math.log(temperature) for temperature in TEMPERATURES)
    found = minimize_scalar(loss, bounds=(lowest, highest), method="bounded").x
    return math.exp(min((lowest, found, highest), key=loss))  # the search comes near its bounds, never onto them


def accuracy_by_coverage(confidence: Tensor, correct: Tensor) -> tuple[Tensor, Tensor]:
    """Accuracy on the answered part (M,), and how many are answered (M,), as the least confident are left out.

    `confidence` (N,) and `correct` (N,), bool. Equal confidences are answered or left out together, since a
    threshold can't tell them apart; the last entry answers all.
    """
    ordered, order = validate.scores("confidence", confidence).detach().cpu().sort(descending=True)
    if validate.tensor("correct", correct).dtype != torch.bool:
        raise TypeError(f"correct says True or False for each image (answers == labels), got {correct.dtype}")
    if correct.shape != confidence.shape:
        raise ValueError(f"correct must have the shape of confidence, {tuple(order.shape)}, got {tuple(correct.shape)}")
    answered = torch.arange(1, len(ordered) + 1)
    accuracy = _precise(correct)[order].cumsum(0) / answered
    can_cut = torch.cat([ordered[1:] < ordered[:-1], torch.tensor([True])])
    return accuracy[can_cut], answered[can_cut]


def deferred_count(confidence: Tensor, correct: Tensor, accuracy: float) -> int:
    """How many of the least confident answers must be left to a person so that the rest reaches `accuracy` (0..1).

    All of them, where no threshold reaches it. Shapes as in `accuracy_by_coverage`.
    """
    wanted = validate.number("accuracy", accuracy, at_least=0, at_most=1)
    reached, answered = accuracy_by_coverage(confidence, correct)
    enough = answered[reached >= wanted]
    return len(confidence) - (int(enough.max()) if len(enough) else 0)


def detection_rate(in_distribution: Tensor, out_of_distribution: Tensor, keep: float = 0.95) -> float:
    """Share of out-of-distribution images (M,) with a score below the threshold that lets a share `keep` of (N,) pass.

    `in_distribution` has the scores of images of the kind that the network was trained for; a high score says so. The
    threshold is the highest one that at least the share `keep` of them reaches. The field often gives the rest, the
    *false positive rate at 95 % true positive rate* (Hendrycks and Gimpel, 2017).
    """
    known = validate.scores("in_distribution", in_distribution).cpu()
    unknown = validate.scores("out_of_distribution", out_of_distribution).cpu()
    share = validate.number("keep", keep, above=0, at_most=1)
    kept = max(1, math.ceil(round(share * len(known), 6)))  # rounded first: 0.55 * 100 is 55.00000000000001 in Python
    threshold = known.sort(descending=True).values[kept - 1]
    return (unknown < threshold).double().mean().item()


class Probe(Pipeline):
    """Scikit-learn's pipeline that takes tensors as well: features (N, ...) and labels (N,), on any device."""

    def fit(self, features: ArrayLike | Tensor, labels: ArrayLike | Tensor) -> "Probe":
        return super().fit(_columns(features), _on_cpu(labels).numpy())

    def predict(self, features: ArrayLike | Tensor) -> ArrayLike:
        return super().predict(_columns(features))

    def score(self, features: ArrayLike | Tensor, labels: ArrayLike | Tensor) -> float:
        """Share of right answers, 0..1."""
        return float(super().score(_columns(features), _on_cpu(labels).numpy()))


def _on_cpu(values: ArrayLike | Tensor) -> Tensor:
    return torch.as_tensor(values).detach().cpu()


def _columns(features: ArrayLike | Tensor) -> ArrayLike:
    return _on_cpu(features).flatten(1).numpy()


def probe(features: Tensor, labels: Tensor, C: float) -> Probe:
    """A linear classifier of features (N, ...), one row an image: scikit-learn's logistic regression.

    Each feature is first brought to mean 0 and variance 1. `C` is scikit-learn's: the smaller it is, the smaller the
    weights are kept. Use it with `.score(features, labels)`. Alain and Bengio, *Understanding intermediate layers
    using linear classifier probes*, 2016.
    """
    validate.finite("features", features)
    validate.labels(labels, features)
    if features.dim() < 2:
        raise ValueError(f"expected one row of features an image, (N, ...), got {tuple(features.shape)}")
    if len(labels.unique()) < 2:
        raise ValueError(f"a probe needs at least two classes to tell apart, and all {len(labels)} labels are equal")
    classifier = LogisticRegression(C=validate.number("C", C, above=0), max_iter=1000, tol=1e-3)
    return Probe([("scaler", StandardScaler()), ("classifier", classifier)]).fit(features, labels)


def layer_inputs(model: nn.Module, images: Tensor) -> list[Tensor]:
    """What each convolution and each linear layer of `model` receives for `images` (N, C, H, W), in running order.

    The first entry is the images themselves, the next what the first block made of them, and so on.
    """
    validate.not_empty("images", images)
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    chunks = []
    with evaluation_mode(model), torch.no_grad(), recorded(model, layers) as calls:
        for chunk in _chunks(images, model):
            calls.clear()
            model(chunk)
            chunks.append([call.input.to(images.device) for call in calls])
    return [torch.cat(inputs) for inputs in zip(*chunks, strict=True)]


def receptive_field(layers: Sequence[tuple[int, int, int]]) -> tuple[int, int, int]:
    """Of stacked layers (kernel_size, stride, padding): what one output position sees, as (size, stride, start).

    Output position i sees the input pixels from start + i * stride to start + i * stride + size - 1; a negative start
    lies in the padding. In pixels, along one axis.
    """
    size, jump, start = 1, 1, 0
    for kernel_size, stride, padding in layers:
        size += (validate.whole_number("kernel_size", kernel_size, at_least=1) - 1) * jump
        start -= validate.whole_number("padding", padding) * jump
        jump *= validate.whole_number("stride", stride, at_least=1)
    return size, jump, start


def strongest_patches(images: Tensor, maps: Tensor, field: tuple[int, int, int], count: int) -> Tensor:
    """For each channel the `count` patches that excite it most, one an image: (C, count, size, size), strongest first.

    `images` is (N, 1, H, W), `maps` (N, C, h, w) what a layer made of them, `field` its `receptive_field`. Where a
    patch reaches beyond the image it is black.
    """
    validate.batch("images", validate.not_empty("images", images), (1, "H", "W"))
    validate.batch("maps", validate.finite("maps", maps), ("C", "h", "w"))
    count = validate.whole_number("count", count, at_least=1)
    if len(images) != len(maps) or count > len(images):
        raise ValueError(f"expected as many maps as images and at least {count}; got {len(maps)} and {len(images)}")
    size, jump, start = field
    best = maps.flatten(2).max(dim=2)  # (N, C): the strongest position of each image
    chosen = best.values.topk(count, dim=0).indices  # (count, C)
    positions = best.indices.gather(0, chosen)
    # A patch further out than its own size is as black as one that lies next to the image.
    rows = (positions // maps.shape[3] * jump + start).clamp(-size, images.shape[2])
    columns = (positions % maps.shape[3] * jump + start).clamp(-size, images.shape[3])
    padded = F.pad(images[:, 0], [size] * 4)

    def patch(image: int, row: int, column: int) -> Tensor:
        return padded[image, row + size : row + 2 * size, column + size : column + 2 * size]

    places = torch.stack([chosen, rows, columns], dim=2).transpose(0, 1).flatten(0, 1).tolist()
    return torch.stack([patch(*place) for place in places]).unflatten(0, (-1, count))


def fgsm(model: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Each pixel of images (N, C, H, W) moved by `epsilon` (of 0..1) the way that raises the loss, clipped to 0..1.

    Goodfellow, Shlens and Szegedy, *Explaining and harnessing adversarial examples*, 2014: fast gradient sign.
    """
    validate.finite("images", images)
    wanted = validate.labels(labels, images)
    epsilon = validate.number("epsilon", epsilon, at_least=0)
    with prediction_mode(model):
        signs = [
            _loss_slope(model, chunk, answers).sign().to(images.device)
            for chunk, answers in zip(_chunks(images, model), wanted.split(EVALUATION_CHUNK), strict=True)
        ]
    return (images.detach() + epsilon * torch.cat(signs)).clamp(0, 1)


def _loss_slope(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The gradient of each image's loss with respect to its pixels, or a positive multiple of it."""
    images = images.detach().clone().requires_grad_()
    logits = validate.rows("logits", model(images))
    odds = _odds_against(logits, validate.labels(labels, logits, classes=logits.shape[1]))
    (gradient,) = torch.autograd.grad(odds.sum(), images)
    return gradient


def _odds_against(logits: Tensor, labels: Tensor) -> Tensor:
    """Log odds (N,) of all other answers against the label. Cross-entropy is log(1 + exp(odds)): it rises with them.

    Where the network is all but sure, the gradient of cross-entropy rounds to 0 in float32, and theirs does not.
    """
    others = logits.scatter(1, labels[:, None], torch.finfo(logits.dtype).min)
    return others.logsumexp(dim=1) - logits.gather(1, labels[:, None]).squeeze(1)
