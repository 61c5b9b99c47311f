"""Pictures of digits on paper, made by code, as a phone's camera would take them. The same seed, the same page.

Digits come enlarged from MNIST or as strokes of a pen; a page is paper, then ink, then light, then the camera.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from scipy import ndimage
from torch import Tensor

from course_utils.widgets.strokes import draw
from tools.bench.digit_strokes import DIGITS

WHITE, BLACK = (0.93, 0.92, 0.88), (0.12, 0.12, 0.14)


@dataclass(frozen=True)
class Kind:
    """How a page looks and was taken. Lengths are in heights of a digit, or pixels where said; colours 0..1."""

    height: int = 80  # pixels of a digit, about
    paper: tuple[float, float, float] = WHITE
    pen: tuple[float, float, float] = (0.13, 0.15, 0.25)
    thickness: float = 0.0  # pixels by which the pen is thicker (or thinner) than MNIST's
    ruling: str = ""  # "ruled" or "squared"
    printed: tuple[float, float, float] = (0.62, 0.72, 0.86)  # the colour of the lines
    spacing: float = 1.7  # of lines
    light: str = "even"  # "gradient", "shadow" or "vignette"
    tilt: float = 0.0  # degrees, at most
    perspective: float = 0.0  # of the picture's side by which corners move, at most
    grain: float = 0.01  # standard deviation of the camera's noise
    blur: float = 0.7  # pixels
    quality: int = 90  # of JPEG
    from_strokes: bool = False
    room: float = 1.6  # from one digit to the next
    desk: tuple[float, float, float] | None = None  # the colour of what is seen around the paper
    bend: float = 0.0  # by which the paper's lines bow, at most


@dataclass
class MadePage:
    """A picture, and what is on it: the digits of each line, and the middle (x, y) of each digit in reading order."""

    picture: Image.Image
    lines: list[list[int]]
    centres: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))


KINDS = {
    "plain": Kind(),
    "ruled": Kind(ruling="ruled"),
    "squared": Kind(ruling="squared", spacing=0.7),
    "dark ruling": Kind(ruling="squared", spacing=1.0, printed=(0.35, 0.38, 0.42)),
    "gradient": Kind(light="gradient"),
    "shadow": Kind(light="shadow"),
    "vignette": Kind(light="vignette"),
    "tilted": Kind(tilt=6.0),
    "perspective": Kind(perspective=0.08, ruling="ruled", light="gradient"),
    "blackboard": Kind(paper=(0.12, 0.22, 0.17), pen=(0.85, 0.85, 0.82), grain=0.03, light="vignette"),
    "pencil": Kind(pen=(0.55, 0.55, 0.56), thickness=-2.0, grain=0.015),
    "marker": Kind(pen=(0.75, 0.12, 0.15), thickness=5.0),
    "noisy": Kind(grain=0.06, blur=1.2, quality=25),
    "small": Kind(height=32, ruling="squared", spacing=0.9, thickness=-0.5),
    "strokes": Kind(from_strokes=True),
    "crowded": Kind(room=1.15),
    "ballpoint": Kind(thickness=-5.0, pen=(0.2, 0.25, 0.6), ruling="ruled"),
    "desk": Kind(desk=(0.3, 0.2, 0.13), tilt=3.0, light="gradient"),
    "curved": Kind(bend=0.12, ruling="squared", spacing=0.8),
    "all at once": Kind(
        ruling="squared",
        spacing=0.8,
        light="shadow",
        tilt=3.0,
        perspective=0.04,
        grain=0.03,
        quality=50,
        thickness=-1.0,
    ),
}


def page(kind: Kind, images: Tensor, labels: Sequence[int], columns: int, seed: int) -> MadePage:
    """A page with the digits `images` (N, 1, 28, 28), `columns` in a line; with strokes, `labels` alone count."""
    random = np.random.default_rng(seed)
    cell = int(kind.room * kind.height)
    rows = -(-len(labels) // columns)
    shape = rows * cell + kind.height, columns * cell + kind.height
    coverage, centres = np.zeros(shape), []
    for index, label in enumerate(labels):
        sprite = _strokes(label, kind, random) if kind.from_strokes else _enlarged(images[index, 0].numpy(), kind)
        row, column = divmod(index, columns)
        room = np.array([cell, cell]) - sprite.shape
        top, left = (np.array([row, column]) * cell + kind.height // 2 + room * random.uniform(0.2, 0.8, 2)).astype(int)
        coverage[top : top + sprite.shape[0], left : left + sprite.shape[1]] += sprite
        centres.append((left + sprite.shape[1] / 2, top + sprite.shape[0] / 2))
    picture = _paper(shape, kind, random)
    ink = np.clip(coverage, 0, 1)[..., None] * random.uniform(0.9, 1.0, (*shape, 1))
    picture = picture * (1 - ink) + np.array(kind.pen) * ink
    picture, centres = _bent(picture, np.array(centres), kind)
    if kind.desk:
        width = kind.height // 2
        picture = np.pad(picture, ((width, width), (width, width), (0, 0)))
        picture[_border(picture.shape[:2], width)] = kind.desk
        centres = centres + width
    lit = picture * _light(picture.shape[:2], kind, random)[..., None]
    picture, centres = _seen(lit, centres, kind, random)
    lines = [[int(label) for label in labels[start : start + columns]] for start in range(0, len(labels), columns)]
    return MadePage(_taken(picture, kind, random), lines, centres)


def _border(shape: tuple[int, int], width: int) -> np.ndarray:
    border = np.ones(shape, dtype=bool)
    border[width:-width, width:-width] = False
    return border


def _bent(picture: np.ndarray, centres: np.ndarray, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    """The page as if its left and right lay lower than its middle."""
    height, width = picture.shape[:2]

    def lower(x: np.ndarray) -> np.ndarray:
        return kind.bend * kind.height * (2 * x / width - 1) ** 2

    if not kind.bend:
        return picture, centres
    y, x = np.mgrid[:height, :width].astype(float)
    bands = [
        ndimage.map_coordinates(picture[..., band], (y - lower(x), x), order=1, mode="nearest") for band in range(3)
    ]
    return np.stack(bands, axis=-1), centres + np.c_[np.zeros(len(centres)), lower(centres[:, 0])]


def _enlarged(image: np.ndarray, kind: Kind) -> np.ndarray:
    """One of MNIST's digits, its box `height` pixels high or wide at most, with a pen's sharp edges."""
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    image = np.pad(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 2)
    large = ndimage.zoom(image, kind.height / 20, order=3)
    return _thickened(ndimage.gaussian_filter(large, 0.02 * kind.height), kind.thickness)


def _strokes(label: int, kind: Kind, random: np.random.Generator) -> np.ndarray:
    """A digit drawn by a pen, slanted and widened a little by chance."""
    slant, wide, width = random.uniform(-0.25, 0.25), random.uniform(0.85, 1.15), random.uniform(0.035, 0.1)
    bent = [
        [(0.5 + wide * (x - 0.5) - slant * (y - 0.5), y + random.normal(0, 0.006)) for x, y in stroke]
        for stroke in DIGITS[int(label)]
    ]
    drawn = draw(bent, width).numpy()
    return ndimage.gaussian_filter(ndimage.zoom(drawn, 1.35 * kind.height / len(drawn), order=1), 0.5)


def _thickened(sprite: np.ndarray, by: float) -> np.ndarray:
    inside, outside = (ndimage.distance_transform_edt(part) for part in (sprite > 0.4, sprite <= 0.4))
    return np.clip(inside - outside + by / 2 + 0.5, 0, 1)


def _paper(shape: tuple[int, int], kind: Kind, random: np.random.Generator) -> np.ndarray:
    fibres = ndimage.gaussian_filter(random.normal(0, 1, shape), 1.5)
    picture = np.array(kind.paper) + 0.012 * fibres[..., None] / fibres.std()
    width = max(1, round(kind.height / 40))
    for axis in range({"": 0, "ruled": 1, "squared": 2}[kind.ruling]):
        places = np.arange(random.uniform(0, 1) * kind.height, shape[axis], kind.spacing * kind.height).astype(int)
        for place in places:
            picture[(slice(None),) * axis + (slice(place, place + width),)] = kind.printed
    return picture


def _light(shape: tuple[int, int], kind: Kind, random: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    angle = random.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    if kind.light == "gradient":
        return 0.7 + 0.3 * along
    if kind.light == "vignette":
        return 1 - 0.3 * (x**2 + y**2)
    if kind.light == "shadow":  # of a head and a hand, with the soft edge that a lamp makes
        return 1 - 0.5 / (1 + np.exp(-(along - 0.25 * np.sin(4 * (y * np.cos(angle) - x * np.sin(angle)))) / 0.02))
    return np.full(shape, 0.98)


def _seen(picture: np.ndarray, centres: np.ndarray, kind: Kind, random: np.random.Generator):
    """The page turned and seen aslant; and where its digits have come to lie."""
    height, width = picture.shape[:2]
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=float)
    middle, turn = corners.mean(axis=0), np.radians(random.uniform(-kind.tilt, kind.tilt))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = (corners - middle) @ rotation.T + middle
    moved += random.uniform(-kind.perspective, kind.perspective, (4, 2)) * np.array([width, height])
    if np.allclose(moved, corners):
        return picture, centres
    back, forth = _homography(moved, corners), _homography(corners, moved)
    seen = np.stack([_warped(picture[..., band], back) for band in range(3)], axis=-1)
    lifted = np.c_[centres, np.ones(len(centres))] @ forth.T
    return seen, lifted[:, :2] / lifted[:, 2:]


def _homography(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The 3 by 3 matrix that takes the four points `before` to `after`."""
    rows, wanted = [], []
    for (x, y), (u, v) in zip(before, after, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(wanted)), 1).reshape(3, 3)


def _warped(band: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Where the page ends, it goes on: the camera sees paper alone."""
    image = Image.fromarray(np.pad(band, 200, mode="reflect").astype(np.float32))
    shift = np.array([[1, 0, 200], [0, 1, 200], [0, 0, 1.0]]) @ back
    coefficients = (shift / shift[2, 2]).ravel()[:8]
    seen = image.transform(band.shape[::-1], Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)
    return np.asarray(seen)


def _taken(picture: np.ndarray, kind: Kind, random: np.random.Generator) -> Image.Image:
    """What the camera stores."""
    blurred = ndimage.gaussian_filter(picture, (kind.blur, kind.blur, 0))
    levels = np.clip(blurred + random.normal(0, kind.grain, picture.shape), 0, 1)
    stored = io.BytesIO()
    Image.fromarray((255 * levels).astype(np.uint8)).save(stored, "JPEG", quality=kind.quality)
    stored.seek(0)
    return Image.open(stored)
