"""Guards, once for all modules: they say what was wrong, what was expected and what to do.

`TypeError` is for a value of the wrong kind, a float for a whole number or an array for a tensor; `ValueError` for one
of the right kind that can't be used, through its size, shape or content. Each function returns what it was given, as
the type that it promises. `name` is how the errors call it.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from numbers import Integral, Real

import numpy as np
import torch
from torch import Tensor

IMAGE_SHAPE = (1, 28, 28)  # MNIST's
WAVE_SHAPE = (1, 8000)  # one channel, one second at 8 kHz
ROUNDING = 1e-3  # grey levels by which interpolation may leave 0..1
SUM_TOLERANCE = 1e-4  # how far a row of float32 probabilities may add up from 1

# What makes a shape right that is wrong in a common way: its name, code, and the shape that comes out.
MENDS = (
    ("the channel axis is missing", ".unsqueeze(1)", lambda shape: (*shape[:1], 1, *shape[1:])),
    ("one alone is a batch of one", ".unsqueeze(0)", lambda shape: (1, *shape)),
    ("one alone is a batch of one with one channel", "[None, None]", lambda shape: (1, 1, *shape)),
    ("there is an axis too many", ".squeeze(1)", lambda shape: shape[:1] + shape[2:] if shape[1:2] == (1,) else shape),
    ("PyTorch wants the channel axis second", ".movedim(-1, 1)", lambda shape: (*shape[:1], *shape[-1:], *shape[1:-1])),
)


def whole_number(name: str, value: object, at_least: int | None = 0, at_most: int | None = None) -> int:
    """`value` as an int, from an int of Python or NumPy or a tensor that holds one; not from 3.0 or True."""
    plain = _plain(value)
    if not isinstance(plain, Integral) or isinstance(plain, bool):
        hint = ". In Python `/` always gives a float; `//` divides and rounds down to an int"
        is_fraction = isinstance(plain, Real) and not isinstance(plain, Integral)
        raise TypeError(f"{name} must be a whole number (an int), got {value!r}{hint if is_fraction else ''}")
    if at_least is not None and int(plain) < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {plain}")
    if at_most is not None and int(plain) > at_most:
        raise ValueError(f"{name} must be at most {at_most}, got {plain}")
    return int(plain)


def height_and_width(name: str, value: object) -> tuple[int, int]:
    """`value`, two whole numbers of at least 1."""
    if not isinstance(value, Sequence) or len(value) != 2:
        raise TypeError(f"{name} must be a pair (height, width), got {value!r}")
    height, width = (
        whole_number(f"the {side} in {name}", size, 1) for side, size in zip(("height", "width"), value, strict=True)
    )
    return height, width


def number(
    name: str,
    value: object,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    below: float = math.inf,
    at_most: float = math.inf,
) -> float:
    """`value` as a float, from any real number or a tensor that holds one, if it is finite and within the limits."""
    plain = _plain(value)
    if not isinstance(plain, Real) or isinstance(plain, bool):
        raise TypeError(f"{name} must be a number, got {value!r}")
    found = float(plain)
    if not (math.isfinite(found) and above < found < below and at_least <= found <= at_most):
        limits = {"above": above, "of at least": at_least, "below": below, "of at most": at_most}
        said = " and ".join(f"{words} {limit:g}" for words, limit in limits.items() if math.isfinite(limit))
        raise ValueError(
            f"{name} must be a finite number {said}".rstrip() + f", got {found:g}{_percent(found, limits)}"
        )
    return found


def _percent(found: float, limits: dict[str, float]) -> str:
    is_share = 1 in (limits["below"], limits["of at most"])
    return f". If that is in percent: {found / 100:g}" if is_share and 1 < found <= 100 else ""


def _plain(value: object) -> object:
    """What a tensor or an array without dimensions holds; anything else as it is."""
    return value.item() if isinstance(value, Tensor | np.ndarray | np.generic) and value.ndim == 0 else value


def one_of(what: str, value: object, known: Collection[str]) -> str:
    """`value`, if it is one of the `known` names."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"there is no {what} {value!r}; there are {', '.join(known)}")
    return value


def differences(found: Mapping, expected: Mapping, there: str = "there", here: str = "here") -> str:
    """What is not the same in two mappings, for an error's message."""
    names = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
    return ", ".join(f"{name} is {found.get(name)} {there} and {expected.get(name)} {here}" for name in names)


def tensor(name: str, value: object) -> Tensor:
    """`value`, if it is a tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"expected {name} as a tensor, got {type(value).__name__}. torch.as_tensor(…) makes one of a list or an "
            "array; dataset[:] gives those of a dataset"
        )
    return value


def batch(name: str, values: object, shape: Sequence[int | str]) -> Tensor:
    """`values` (N, *shape), a tensor; a letter in `shape` stands for any size."""
    found = tensor(name, values)
    if not _fits(tuple(found.shape), shape):
        mends = [f"{why}: {name}{code}" for why, code, mended in MENDS if _fits(mended(tuple(found.shape)), shape)]
        hint = f" {', or '.join(mends)}" if mends else ""
        raise ValueError(
            f"expected a batch of {name} of shape (N, {', '.join(map(str, shape))}), got {tuple(found.shape)}."
            + hint[:2].upper()
            + hint[2:]
        )
    return found


def _fits(found: Sequence[int], shape: Sequence[int | str]) -> bool:
    wanted = zip(found[1:], shape, strict=False)
    return len(found) == 1 + len(shape) and all(isinstance(want, str) or size == want for size, want in wanted)


def images(values: object, shape: Sequence[int | str] = ("C", "H", "W")) -> Tensor:
    """Images (N, *shape) whose pixels are floating-point numbers."""
    found = batch("images", values, shape)
    if not found.is_floating_point():
        raise TypeError(f"expected pixels as float32 in 0..1, got {found.dtype}. Convert them: images.float() / 255")
    return found


def waves(values: object) -> Tensor:
    """Waves (N, 1, 8000) whose samples are floating-point numbers."""
    found = batch("waves", values, WAVE_SHAPE)
    if not found.is_floating_point():
        raise TypeError(f"expected samples as float32 in -1..1, got {found.dtype}")
    return found


def in_unit_range(name: str, pixels: Tensor) -> Tensor:
    """`pixels`, all from 0 to 1."""
    if pixels.numel() and not (pixels.min() > -ROUNDING and pixels.max() < 1 + ROUNDING):  # nan is not, either
        raise ValueError(
            f"expected {name} from 0 to 1, got {pixels.min():g} to {pixels.max():g}. Divide bytes by 255 first"
        )
    return pixels


def not_empty(name: str, values: object) -> Tensor:
    """`values`, a tensor that holds something."""
    found = tensor(name, values)
    if found.numel() == 0:
        raise ValueError(f"there is nothing to look at: the selection is empty ({name} of shape {tuple(found.shape)})")
    return found


def finite(name: str, values: object) -> Tensor:
    """`values`, a tensor of finite numbers, at least one."""
    found = not_empty(name, values)
    if not found.isfinite().all():
        broken = ~found.isfinite().reshape(len(found), -1).all(dim=1) if found.dim() else ~found.isfinite()
        raise ValueError(
            f"{int(broken.sum())} of {broken.numel()} rows of the {name} hold values that are not finite numbers. Look "
            "for a training that diverged, or images with such values"
        )
    return found


def scores(name: str, values: object) -> Tensor:
    """`values` (N,), one finite number an image."""
    found = finite(name, values)
    if found.dim() != 1:
        raise ValueError(f"expected one number an image as {name}, got shape {tuple(found.shape)}")
    return found


def rows(name: str, values: object) -> Tensor:
    """`values` (N, K), one row of finite numbers an image, as floating-point numbers."""
    found = finite(name, values)
    if found.dim() != 2:
        raise ValueError(f"expected {name} of shape (N, K), one row an image, got {tuple(found.shape)}")
    return found if found.is_floating_point() else found.float()


def probabilities(values: object) -> Tensor:
    """Rows (N, K) of numbers from 0 to 1 that add up to 1."""
    found = rows("probabilities", values)
    sums = found.sum(dim=1)
    if found.min() < 0 or (sums - 1).abs().max() > SUM_TOLERANCE:
        raise ValueError(
            f"expected rows of probabilities, each from 0 to 1 and adding up to 1; got values from {found.min():g} and "
            f"sums from {sums.min():g} to {sums.max():g}. Are these logits? Then probabilities_of(logits) first"
        )
    return found


def labels(values: object, images: Tensor, classes: int | None = None) -> Tensor:
    """Labels (N,) as int64, one for each of `images` (N, ...) and on its device, below `classes` if that is given."""
    found = tensor("labels", values)
    if found.shape != images.shape[:1]:
        raise ValueError(f"expected one label an image, ({len(images)},), got {tuple(found.shape)}")
    if found.is_floating_point() or found.is_complex():
        raise TypeError(f"expected labels as whole numbers (int64), got {found.dtype}")
    not_empty("labels", found)
    if classes is not None and not (found.min() >= 0 and found.max() < classes):
        raise ValueError(
            f"labels must lie between 0 and {classes - 1}, the number of columns less one; got {found.min()} to "
            f"{found.max()}"
        )
    return found.to(images.device, torch.int64)
