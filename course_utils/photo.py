"""A picture of digits on paper, turned into images as MNIST has them, and read.

Opening a file is here; what is ink and what is paper is found in `ink`, which pieces of ink are digits in `pieces`.
"""

import io
import math
import os
import warnings
from dataclasses import dataclass
from typing import IO, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor, nn

from course_utils import evidence, ink, pieces, plots, validate
from course_utils.analysis import logits_of, probabilities_of
from course_utils.mnist_form import mnist_way
from course_utils.validate import IMAGE_SHAPE

Source = str | os.PathLike | bytes | IO[bytes] | Image.Image

# Kinds of files that are read. Others that Pillow knows start a program (EPS) or claim files that are no pictures.
KINDS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "DIB", "PPM", "JPEG2000", "ICO", "PCX", "SGI")
OTHER_KINDS = {  # by what such a file begins with, some after a length of four bytes
    b"ftyphei": "a HEIC photo, the iPhone's own format",
    b"ftyphev": "a HEIC photo, the iPhone's own format",
    b"ftypmif": "a HEIC photo, the iPhone's own format",
    b"ftypmsf": "a HEIC photo, the iPhone's own format",
    b"ftypavi": "an AVIF picture",
    b"ftyp": "a video",
    b"%PDF": "a PDF",
    b"%!PS": "a PostScript file",
    b"8BPS": "a Photoshop file",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML file",
    b"<": "a web page",
    b"{": "a notebook or another JSON file",
    b"PK\x03\x04": "a ZIP archive or an office document",
    b"\x1f\x8b": "a gzip archive",
    b"RIFF": "a sound or a video",
    b"ID3": "an MP3 file",
    b"OggS": "an Ogg file",
    b"course_utils checkpoint": "a stored network",
}
CONVERT = {  # what to do about some of them
    "a HEIC photo, the iPhone's own format": (
        "Convert it to JPEG: on an iPhone share or mail it, or set Settings > Camera > Formats > Most Compatible for "
        "the next ones; on a Mac open it in Preview and choose File > Export"
    ),
    "a PDF": "Save the page as a picture (PNG), or take a screenshot of it",
}
OTHERWISE = "Take a photo or a screenshot, and save it as JPEG or PNG"

CHECKPOINT = "modern_network.pt"  # in experiments/results: what reads where no other network is named

PIXELS = 1_500_000  # as many are looked at: a larger picture is made smaller early
FEWEST = 100_000  # a smaller picture is made larger
MOST = 120_000_000  # pixels that are unpacked; a photo of a phone has 12 to 50 million
DARK = 0.12  # of full brightness: where nothing is brighter, the picture is too dark


class BadPhoto(ValueError):
    """A file that is no picture, or a picture without digits that can be found; the message says what to do."""


@dataclass
class Page:
    """The digits that were found on a picture, in reading order.

    `images` is (N, 1, 28, 28), float32 in 0..1, in MNIST's form. `boxes` are [left, top, width, height] in pixels of
    the picture as shown (turned as its orientation tag says), and `line` says on which line, from 0, each digit
    stands. `remarks` are sentences about what may be wrong. The rest are the steps, all of one shape (H, W): `grey`,
    the picture's brightness; `ink`, how dark against the paper each pixel is, without ruling; `ruling`, True where
    lines of the paper were taken out; and `scale`, pixels of the picture for one of these.
    """

    images: Tensor
    boxes: list[list[int]]
    line: list[int]
    remarks: list[str]
    grey: np.ndarray
    ink: np.ndarray
    ruling: np.ndarray
    scale: float

    def figure(self) -> Figure:
        """The steps from the picture to the digits, which are numbered in reading order."""
        count = len(self.images)
        rows = math.ceil(count / 20)
        figure, axes = plt.subplot_mosaic(
            [["grey", "ink", "found"], ["digits"] * 3], figsize=(12, 4.2 + 0.6 * rows), height_ratios=[4, 0.6 * rows]
        )
        plots.image_axes(axes["grey"], torch.from_numpy(self.grey), "1. Grey levels", cmap="gray", vmin=0, vmax=1)
        plots.image_axes(axes["ink"], torch.from_numpy(self.ink), "2. Ink, the light evened", cmap="gray_r")
        axes["ink"].imshow(np.ma.masked_equal(self.ruling, False), cmap="cool", alpha=0.5)
        plots.image_axes(axes["found"], torch.from_numpy(self.grey), "3. Pieces in reading order", cmap="gray")
        for number, box in enumerate(self.boxes, start=1):
            left, top, width, height = (side / self.scale for side in box)
            axes["found"].add_patch(Rectangle((left, top), width, height, fill=False, edgecolor="C1", linewidth=2))
            if count <= 40:
                axes["found"].text(left, top, str(number), color="C1", ha="right", va="bottom", fontsize=10)
        plots.image_axes(axes["digits"], _in_rows(self.images[:, 0], 20), "4. In MNIST's form", cmap="gray")
        return figure


def _in_rows(images: Tensor, columns: int) -> Tensor:
    """Images (N, 28, 28) side by side in one picture, a grey line between them."""
    framed = torch.nn.functional.pad(images, (1, 1, 1, 1), value=0.5)
    columns = min(columns, len(framed))
    missing = -len(framed) % columns
    framed = torch.cat([framed, torch.full((missing, 30, 30), 0.5)])
    return framed.unflatten(0, (-1, columns)).transpose(1, 2).flatten(2).flatten(0, 1)


class Reading(NamedTuple):
    """What a network reads: for each image (N,) the digit, the confidence in it, and whether that is high enough."""

    digits: Tensor
    confidence: Tensor
    sure: Tensor


def read(network: nn.Module, images: Tensor, temperature: float = 1.0, threshold: float = 0.0) -> Reading:
    """What `network` reads in images (N, 1, 28, 28); it is sure of an answer with a confidence of `threshold` or more.

    The confidence is the highest of the ten probabilities, of logits divided by `temperature`. `stored_reader` has
    the temperature and the threshold that `python -m course_utils read` uses with the stored network.
    """
    logits = logits_of(network, validate.images(images, IMAGE_SHAPE))
    confidence, digits = probabilities_of(logits, temperature).max(dim=1)
    return Reading(digits, confidence, confidence >= threshold)


def find_digits(source: Source) -> Page:
    """The digits on a picture: a path, its bytes, an open file or an image of Pillow's.

    Dark ink on light paper or light on dark, in any colour that differs in brightness from the paper. Raises
    `BadPhoto` (a `ValueError`) for what is no picture, is damaged, or shows no digits.
    """
    grey, size = _grey_of(source)
    scale = math.sqrt(size[0] * size[1] / grey.size)
    if grey.max() < DARK:
        raise BadPhoto(f"{_name(source)} is too dark: nothing in it is bright. Take it again with more light")
    try:
        drawn = ink.on_paper(grey)
        found = pieces.digits(drawn.ink, drawn.lowest)
    except ink.NoInk as error:
        raise BadPhoto(
            f"no ink was found in {_name(source)}: {error}. Write with a darker pen, come nearer, and avoid blur"
        ) from None
    except pieces.TooMany as error:
        raise BadPhoto(
            f"{_name(source)} looks like a page of text: {error}. Show digits alone, with room between them"
        ) from None
    boxes = [_as_shown(piece.box, scale, size) for piece in found.pieces]
    images = torch.stack([mnist_way(torch.from_numpy(pieces.drawing(piece.mask))) for piece in found.pieces]).unsqueeze(
        1
    )
    return Page(images, boxes, found.line, found.remarks, grey, drawn.ink, drawn.ruling, scale)


def _as_shown(box: tuple[slice, slice], scale: float, size: tuple[int, int]) -> list[int]:
    """[left, top, width, height] in pixels of the picture."""
    (top, bottom), (left, right) = ((round(side.start * scale), round(side.stop * scale)) for side in box)
    right, bottom = min(right, size[0]), min(bottom, size[1])
    return [left, top, max(1, right - left), max(1, bottom - top)]


# --- the file -----------------------------------------------------------------------------------------------------


def _name(source: Source) -> str:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else "the picture"


def _grey_of(source: Source) -> tuple[np.ndarray, tuple[int, int]]:
    """Brightness (H, W), float32 in 0..1, of about `PIXELS` pixels; and the picture's own (width, height)."""
    name = _name(source)
    opened = source if isinstance(source, Image.Image) else _opened(source, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's about pictures that are large or odd
            size = opened.size
            turned = opened.getexif().get(0x0112, 1) in (5, 6, 7, 8)  # the tag "Orientation": on its side
            _check_size(opened, name)
            opened.draft("RGB", _wanted(size))  # a JPEG is unpacked smaller, at once
            grey = _brightness(ImageOps.exif_transpose(opened))
    except BadPhoto:
        raise
    except MemoryError:
        raise BadPhoto(f"{name} is too large for this machine's memory. Save it smaller") from None
    except Exception as error:  # a damaged file can make the decoders fail in any way
        raise BadPhoto(f"{name} is damaged or was cut off ({error}). Copy or save it again") from error
    resized = Image.fromarray(grey).resize(_wanted(grey.shape[::-1]), _filter(grey.size), reducing_gap=3.0)
    return np.clip(np.asarray(resized), 0, 1), size[::-1] if turned else size


def _opened(source: str | os.PathLike | bytes | IO[bytes], name: str) -> Image.Image:
    if isinstance(source, bytes):
        content = source
    else:
        try:
            content = _content(source)
        except OSError as error:
            raise BadPhoto(_unreadable(name, error)) from None
        except ValueError as error:  # a name with a zero byte
            raise BadPhoto(f"{name!r} is no name of a file: {error}") from None
    if not content:
        raise BadPhoto(f"{name} is an empty file: it was not written to its end, or not copied. Save it again")
    Image.init()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Image.open(io.BytesIO(content), formats=[kind for kind in KINDS if kind in Image.OPEN])
    except Image.DecompressionBombError:
        raise BadPhoto(_too_large(name)) from None
    except UnidentifiedImageError:
        kind = _kind(content)
        raise BadPhoto(f"{name} is {kind}, not a picture that can be read. {CONVERT.get(kind, OTHERWISE)}") from None
    except Exception as error:
        raise BadPhoto(f"{name} is a damaged picture ({error}). Copy or save it again") from error


def _content(source: str | os.PathLike | IO[bytes]) -> bytes:
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            return file.read()
    return source.read()


def _unreadable(name: str, error: OSError) -> str:
    if os.path.isdir(name):
        return f"{name} is a folder; name one picture in it"
    if isinstance(error, FileNotFoundError):
        return f"there is no file {name}. Look at its spelling, and at the folder you are in ({os.getcwd()})"
    return f"{name} can't be read: {error.strerror or error}"


def _kind(content: bytes) -> str:
    """What a file that is no picture seems to be."""
    start = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    for mark, kind in OTHER_KINDS.items():
        if start.startswith(mark) or content[4:].startswith(mark):
            return kind
    return "a text" if b"\0" not in content[:1000] and _is_text(content[:1000]) else "something else"


def _is_text(content: bytes) -> bool:
    try:
        return bool(content.decode("utf-8", errors="strict" if len(content) < 1000 else "ignore"))
    except UnicodeDecodeError:
        return False


def _check_size(picture: Image.Image, name: str) -> None:
    width, height = picture.size
    if not width or not height:
        raise BadPhoto(f"{name} has no pixels ({width} by {height}). Save it again")
    if width * height > MOST and picture.format != "JPEG":
        raise BadPhoto(_too_large(name))


def _too_large(name: str) -> str:
    return f"{name} has too many pixels to be looked at (over {MOST // 1_000_000} million). Save it smaller"


def _wanted(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) to look at: the same proportions, from `FEWEST` to `PIXELS` pixels."""
    width, height = size
    pixels = width * height
    factor = math.sqrt(min(max(pixels, FEWEST), PIXELS) / pixels)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _filter(pixels: int) -> Image.Resampling:
    return Image.Resampling.BICUBIC if pixels < FEWEST else Image.Resampling.BOX


def _brightness(picture: Image.Image) -> np.ndarray:
    """Grey levels (H, W) of any mode of Pillow's, float32, black 0 and white 1; transparent pixels get paper."""
    if picture.mode.startswith("I") or picture.mode == "F":
        return _deep(np.asarray(picture, dtype=np.float32), picture.mode)
    if picture.mode == "La":  # alpha multiplied in; Pillow turns it into LA alone
        picture = picture.convert("LA")
    if picture.has_transparency_data:
        grey, opaque = (np.asarray(band, np.float32) / 255 for band in picture.convert("RGBA").convert("LA").split())
        return grey * opaque + _paper(grey, opaque) * (1 - opaque)
    if picture.mode not in ("L", "RGB"):
        picture = picture.convert("RGB")
    return np.asarray(picture.convert("L"), dtype=np.float32) / 255


def _deep(levels: np.ndarray, mode: str) -> np.ndarray:
    """More than 8 bits: 16 bits as they are, others between their darkest and brightest."""
    levels = np.nan_to_num(levels, posinf=0, neginf=0)
    if mode.startswith("I;16") and levels.max() > 4095:
        return levels / np.float32(65535)
    low, high = float(levels.min()), float(levels.max())
    return (levels - low) / (high - low) if high > low else np.zeros_like(levels)


def _paper(grey: np.ndarray, opaque: np.ndarray) -> float:
    """The brightness for transparent pixels: as the paper's where there is paper, else the one that shows the ink."""
    if opaque.mean() > 0.5:
        return float(np.median(grey[opaque > 0.5]))
    return 0.0 if (grey * opaque).sum() > 0.5 * opaque.sum() else 1.0


# --- in words -----------------------------------------------------------------------------------------------------


def in_words(page: Page, reading: Reading) -> str:
    """The digits line by line, then each with its confidence, "not sure" where that is low, and the remarks."""
    lines = [
        " ".join(str(digit) for digit, at in zip(reading.digits.tolist(), page.line, strict=True) if at == line)
        for line in range(max(page.line) + 1)
    ]
    answers = zip(reading.digits.tolist(), reading.confidence.tolist(), reading.sure.tolist(), strict=True)
    each = [
        f"digit {number}: {digit}, {100 * confidence:.0f} %{'' if sure else ', not sure'}"
        for number, (digit, confidence, sure) in enumerate(answers, start=1)
    ]
    return "\n".join([*lines, "", *each, *(f"note: {remark}" for remark in page.remarks)])


def stored_reader() -> tuple[float, float]:
    """Temperature and threshold for the stored network, as `experiments/reading.py` chose them on validation images."""
    results = evidence.load("reading")["results"]
    return results["temperature"], results["threshold"]
