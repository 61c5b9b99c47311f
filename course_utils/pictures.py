"""Pictures in files, whatever their kind: opened, turned as the camera was held, and made into grey levels.

What can't be read is told in one sentence, by the kind of file that it is: `BadPhoto`.
"""

import io
import logging
import math
import os
import stat
import warnings
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from typing import IO, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

Source = str | os.PathLike | bytes | IO[bytes] | Image.Image

# Kinds of files that are read. Others that Pillow knows start a program (EPS) or claim files that are no pictures.
KINDS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "DIB", "PPM", "JPEG2000", "ICO", "PCX", "SGI")
HEIC = "a HEIC photo, the iPhone's own format"
OFFICE = "a ZIP archive or an office document"
DAMAGED = {  # by what files of kinds that are read begin with, if nothing more can be made of them
    b"\xff\xd8": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"BM": "BMP",
    b"P4": "PPM",
    b"P5": "PPM",
    b"P6": "PPM",
    b"\0\0\1\0": "ICO",
    b"\0\0\0\x0cjP": "JPEG 2000",
}
OTHER_KINDS = {  # by what such a file begins with, some after a length of four bytes
    b"ftyphei": HEIC,
    b"ftyphev": HEIC,
    b"ftypmif": HEIC,
    b"ftypmsf": HEIC,
    b"ftypavi": "an AVIF picture",
    b"ftypcrx": "a camera's raw file",
    b"FUJIFILMCCD-RAW": "a camera's raw file",
    b"ftyp": "a video",
    b"\x1aE\xdf\xa3": "a video",
    b"\0\0\0\x0cJXL": "a JPEG XL picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"gimp xcf": "a GIMP file",
    b"8BPS": "a Photoshop file",
    b"%PDF": "a PDF",
    b"%!PS": "a PostScript file",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML file",
    b"<": "a web page",
    b"{\\rtf": "a text with formats (RTF)",
    b"{": "a notebook or another JSON file",
    b"PK\x03\x04": OFFICE,
    b"\xd0\xcf\x11\xe0": OFFICE,
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"RIFF": "a sound or a video",
    b"ID3": "an MP3 file",
    b"OggS": "an Ogg file",
    b"\x93NUMPY": "a NumPy array",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"course_utils checkpoint": "a stored network",
    b"\xff\xfe": "a text",  # of 16 bits a letter
    b"\xfe\xff": "a text",
}
CONVERT = {  # what to do about some of them
    HEIC: (
        "Convert it to JPEG: on an iPhone share or mail it, or set Settings > Camera > Formats > Most Compatible for "
        "the next ones; on a Mac open it in Preview and choose File > Export"
    ),
    "a PDF": "Save the page as a picture (PNG), or take a screenshot of it",
}
OTHERWISE = "Take a photo or a screenshot, and save it as JPEG or PNG"

ORIENTATION = 0x0112  # the tag: how the camera was held
UPRIGHT = {  # what undoes it
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

PIXELS = 1_500_000  # as many are looked at: a larger picture is made smaller early
FEWEST = 100_000  # a smaller picture is made larger
MOST = 120_000_000  # pixels that are unpacked; a photo of a phone has 12 to 50 million
MOST_BYTES = 250_000_000  # of a file
SHORTEST = 8  # pixels of a side: what is smaller holds no digit
LONGEST = 100  # times the other side: what is longer is no page


class BadPhoto(ValueError):
    """A file that is no picture, or a picture without digits that can be found; the message says what to do."""


class Grey(NamedTuple):
    """A picture's brightness.

    `levels` (H, W), float32, black 0 and white 1, are of about `PIXELS` pixels; `size` is the picture's own (width,
    height), as shown, and `frames` says how many pages or frames the file has, of which this is the first.
    """

    levels: np.ndarray
    size: tuple[int, int]
    frames: int


def name_of(source: Source) -> str:
    """How errors call a picture."""
    return os.fspath(source) if isinstance(source, str | os.PathLike) else "the picture"


def grey_levels(source: Source) -> Grey:
    """The brightness of a picture: a path, its bytes, an open file or an image of Pillow's. Raises `BadPhoto`."""
    name = name_of(source)
    with _quiet():
        opened = source if isinstance(source, Image.Image) else _opened(source, name)
        try:
            turn = UPRIGHT.get(_orientation(opened))
            size = opened.size
            _check_size(opened, name)
            frames = 1
            if opened is not source:
                frames = 1 if opened.format == "MPO" else getattr(opened, "n_frames", 1)  # an MPO's second is a preview
                opened.draft("RGB", _wanted(size))  # a JPEG is unpacked smaller, at once
            with _without_c_messages() if opened.format == "TIFF" else nullcontext():
                opened.load()
            levels = _brightness(opened.transpose(turn) if turn is not None else opened)
        except BadPhoto:
            raise
        except MemoryError:
            raise BadPhoto(f"{name} is too large for this machine's memory. Save it smaller") from None
        except Exception as error:  # a damaged file can make the decoders fail in any way
            raise BadPhoto(f"{name} is damaged or was cut off ({error}). Copy or save it again") from error
    resized = Image.fromarray(levels).resize(
        _wanted((levels.shape[1], levels.shape[0])), _filter(levels.size), reducing_gap=3.0
    )
    on_its_side = turn is not None and turn not in (UPRIGHT[2], UPRIGHT[3], UPRIGHT[4])
    return Grey(np.clip(np.asarray(resized), 0, 1), size[::-1] if on_its_side else size, frames)


@contextmanager
def _quiet() -> Generator[None]:
    """Nothing of Pillow's about pictures that are large or odd."""
    logger = logging.getLogger("PIL")
    silent = logging.NullHandler()  # or Python writes warnings that nobody handles to standard error
    logger.addHandler(silent)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeHandler(silent)


@contextmanager
def _without_c_messages() -> Generator[None]:
    """libtiff writes about damaged files to standard error itself, below Python's."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


# --- the file -----------------------------------------------------------------------------------------------------


def _opened(source: str | os.PathLike | bytes | IO[bytes], name: str) -> Image.Image:
    content = source if isinstance(source, bytes) else _content(source, name)
    if not content:
        raise BadPhoto(f"{name} is an empty file: it was not written to its end, or not copied. Save it again")
    Image.init()
    try:
        return Image.open(io.BytesIO(content), formats=[kind for kind in KINDS if kind in Image.OPEN])
    except Image.DecompressionBombError:
        raise BadPhoto(_too_large(name)) from None
    except UnidentifiedImageError:
        raise BadPhoto(_unidentified(name, content)) from None
    except Exception as error:
        raise BadPhoto(f"{name} is a damaged picture ({error}). Copy or save it again") from error


def _content(source: str | os.PathLike | IO[bytes], name: str) -> bytes:
    try:
        if isinstance(source, str | os.PathLike):
            return _file_content(source, name)
        if not hasattr(source, "read"):
            raise BadPhoto(
                f"expected a picture's path, bytes, open file or Pillow image, got {type(source).__name__}. Of an "
                "array of bytes, PIL.Image.fromarray makes an image"
            )
        content = source.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadPhoto(_unreadable(name, error)) from None
    except BadPhoto:
        raise
    except ValueError as error:  # a name with a zero byte, a file that was closed
        raise BadPhoto(f"{name!r} can't be opened: {error}") from None
    if not isinstance(content, bytes):
        raise BadPhoto(f'the picture was opened as text. Open it as bytes: open({getattr(source, "name", "")!r}, "rb")')
    return _not_too_long(content, len(content), name)


def _file_content(path: str | os.PathLike, name: str) -> bytes:
    """Of a file alone: a pipe may keep one waiting, and a device never end."""
    found = os.stat(path)
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise BadPhoto(f"{name} is a device or a pipe, not a file. Save the picture as a file, and name that")
    _not_too_long(b"", found.st_size, name)
    with open(path, "rb") as file:
        return file.read()


def _not_too_long(content: bytes, length: int, name: str) -> bytes:
    if length > MOST_BYTES:
        raise BadPhoto(f"{name} has more than {MOST_BYTES // 1_000_000} MB: too many for a photo. Save it smaller")
    return content


def _unreadable(name: str, error: OSError) -> str:
    if not name:
        return "no picture was named: the name is empty"
    if os.path.isdir(name):
        return f"{name} is a folder; name one picture in it"
    if name.startswith(("http:", "https:")):
        return f"{name} is an address on the web. Save the picture as a file, and name that"
    if isinstance(error, FileNotFoundError):
        return f"there is no file {name}. Look at its spelling, and at the folder you are in ({os.getcwd()})"
    return f"{name} can't be read: {error.strerror or error}"


def _unidentified(name: str, content: bytes) -> str:
    for mark, kind in DAMAGED.items():
        if content.startswith(mark):
            return (
                f"{name} begins as a {kind} picture but can't be read: it is damaged, cut off, or of a rare form. "
                + ("Copy it again, or save it as JPEG or PNG")
            )
    kind = _kind(content)
    return f"{name} is {kind}, not a picture that can be read. {CONVERT.get(kind, OTHERWISE)}"


def _kind(content: bytes) -> str:
    """What a file that is no picture seems to be."""
    start = content[:1000].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<?xml") and b"<svg" in start:
        return OTHER_KINDS[b"<svg"]
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
    if width * height > MOST and picture.format != "JPEG":
        raise BadPhoto(_too_large(name))
    if min(width, height) < SHORTEST:
        raise BadPhoto(f"{name} has {width} by {height} pixels: too few for a digit. Save it larger")
    if max(width, height) > LONGEST * min(width, height):
        raise BadPhoto(
            f"{name} has {width} by {height} pixels: too narrow for a page. Cut out the part with the digits"
        )


def _too_large(name: str) -> str:
    return f"{name} has too many pixels to be looked at (over {MOST // 1_000_000} million). Save it smaller"


# --- the pixels ---------------------------------------------------------------------------------------------------


def _orientation(picture: Image.Image) -> int | None:
    try:
        return picture.getexif().get(ORIENTATION)
    except Exception:  # tags may be damaged in any way, and the picture be whole
        return None


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
    return (
        ((levels.astype(np.float64) - low) / (high - low)).astype(np.float32) if high > low else np.zeros_like(levels)
    )


def _paper(grey: np.ndarray, opaque: np.ndarray) -> float:
    """The brightness for transparent pixels: as the paper's where there is paper, else the one that shows the ink."""
    if opaque.mean() > 0.5:
        return float(np.median(grey[opaque > 0.5]))
    return 0.0 if (grey * opaque).sum() > 0.5 * opaque.sum() else 1.0
