"""Files of every kind as a photo: each is read rightly, or refused in one sentence that says what to do."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from course_utils import evidence, load_checkpoint, photo, pictures
from experiments._pages import Kind, page

POSIX = pytest.mark.skipif(os.name != "posix", reason="files that other systems don't have")


@pytest.fixture(scope="module")
def network():
    return load_checkpoint(evidence.folder() / photo.CHECKPOINT)


def made(*digits: int, columns: int = 3, seed: int = 0, **looks) -> Image.Image:
    """A page (232 by 104 pixels for three digits) drawn by a pen; decoded, so that it may be saved as anything."""
    kind = Kind(**{"height": 40, "from_strokes": True, **looks})
    return page(kind, None, digits, columns, seed=seed).picture.convert("RGB")


PAGE = made(4, 2, 7)
SHEET = Image.new("RGB", PAGE.size, "white")
GREY = np.asarray(PAGE.convert("L"))
INK = Image.fromarray(255 - GREY).point(lambda level: max(0, level - 60))  # how dark: 0 for paper


def saved(picture: Image.Image, kind: str, **options) -> bytes:
    stored = io.BytesIO()
    picture.save(stored, kind, **options)
    return stored.getvalue()


def on_nothing(ink: int) -> Image.Image:
    """As from a drawing program: ink where the picture is opaque."""
    return Image.merge("LA", [Image.new("L", PAGE.size, ink), INK])


def stored_as(orientation: int) -> bytes:
    """As a camera stores it that is held another way: the picture turned, and a tag that says how to turn it back."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transpositions, by the tag that they undo
    turned = PAGE.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else PAGE
    return saved(turned, "JPEG", exif=tagged(orientation), quality=90)


def tagged(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = orientation
    return exif


def png_of(depth: int, colour: int, rows: np.ndarray) -> bytes:
    """A PNG as Pillow doesn't write them: `rows` (H, bytes of a row)."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", PAGE.width, PAGE.height, depth, colour, 0, 0, 0)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def deep_png(channels: int) -> bytes:
    """16 bits, grey (1) or colour with opacity (4)."""
    levels = np.repeat((GREY.astype(np.uint16) * 257)[..., None], channels, axis=2)
    if channels == 4:
        levels[..., 3] = 65535
    return png_of(16, {1: 0, 4: 6}[channels], levels.reshape(PAGE.height, -1).astype(">u2"))


def floats(low: float, high: float, odd: float | None = None) -> Image.Image:
    levels = low + (high - low) * GREY.astype(np.float64) / 255
    if odd is not None:
        levels[0, :5] = odd
    return Image.fromarray(levels.astype(np.float32))


def palette() -> bytes:
    coloured = PAGE.quantize(16)
    return saved(coloured, "PNG", transparency=max(coloured.getcolors())[1])  # the paper is transparent


def frames(kind: str) -> bytes:
    return saved(PAGE, kind, save_all=True, append_images=[SHEET, SHEET])


def turned(degrees: float) -> Image.Image:
    paper = tuple(int(level) for level in np.median(np.asarray(PAGE), axis=(0, 1)))
    return PAGE.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=paper)


def at_the_edge() -> Image.Image:
    box = ImageOps.invert(INK.point(lambda level: 255 * (level > 60))).getbbox()
    found = INK.point(lambda level: 255 * (level > 60)).getbbox()
    assert box and found
    return PAGE.crop(found)


READ = {  # what is read as 4, 2, 7, or as what stands beside it
    # formats
    **{kind: lambda kind=kind: saved(PAGE, kind) for kind in ("BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PCX", "PNG")},
    **{kind: lambda kind=kind: saved(PAGE, kind) for kind in ("PPM", "SGI", "TIFF", "WEBP")},
    "ICO": lambda: saved(PAGE, "ICO", sizes=[PAGE.size]),
    "PGM as text": lambda: b"P2 %d %d 255\n" % PAGE.size + " ".join(map(str, GREY.ravel())).encode(),
    "JPEG of quality 5": lambda: saved(PAGE, "JPEG", quality=5),
    "progressive JPEG": lambda: saved(PAGE, "JPEG", progressive=True),
    "CMYK JPEG": lambda: saved(PAGE.convert("CMYK"), "JPEG"),
    "WebP without loss": lambda: saved(PAGE, "WEBP", lossless=True),
    "TIFF, LZW": lambda: saved(PAGE, "TIFF", compression="tiff_lzw"),
    "TIFF, JPEG": lambda: saved(PAGE, "TIFF", compression="jpeg"),
    "fax": lambda: saved(PAGE.convert("1", dither=Image.Dither.NONE), "TIFF", compression="group4"),
    "interlaced": lambda: saved(PAGE, "PNG", interlace=1),
    "animated GIF": lambda: frames("GIF"),
    "animated PNG": lambda: frames("PNG"),
    "animated WebP": lambda: frames("WEBP"),
    "TIFF of three pages": lambda: frames("TIFF"),
    "MPO": lambda: frames("MPO"),
    "bytes follow": lambda: saved(PAGE, "JPEG") + bytes(2000),
    # modes
    "1 bit": lambda: saved(PAGE.convert("1", dither=Image.Dither.NONE), "PNG"),
    "1 bit, dithered": lambda: saved(made(4, 2, 7, height=120).convert("1"), "PNG"),
    "8 bits grey": lambda: saved(PAGE.convert("L"), "PNG"),
    "16 bits grey": lambda: deep_png(1),
    "16 bits, colour with opacity": lambda: deep_png(4),
    "12 bits in 16": lambda: saved(Image.fromarray(GREY.astype(np.uint16) * 16), "TIFF"),
    "16 bits, the other way round": lambda: saved(Image.fromarray(GREY.astype(">u2") * 257), "TIFF"),
    "32 bits": lambda: saved(Image.fromarray(GREY.astype(np.int32) * 100_000 - 5_000_000), "TIFF"),
    "floats": lambda: saved(floats(0, 1), "TIFF"),
    "floats of any size": lambda: saved(floats(-3e38, 3e38), "TIFF"),
    "floats, one no number": lambda: saved(floats(0, 1, np.nan), "TIFF"),
    "floats, one infinite": lambda: saved(floats(0, 1, np.inf), "TIFF"),
    "floats, one minus infinity": lambda: saved(floats(0, 1, -np.inf), "TIFF"),
    "palette": lambda: saved(PAGE.quantize(8), "PNG"),
    "palette, paper transparent": palette,
    "grey with opacity": lambda: saved(PAGE.convert("LA"), "PNG"),
    "black on nothing": lambda: saved(on_nothing(0), "PNG"),
    "white on nothing": lambda: saved(on_nothing(255), "PNG"),
    "LAB": lambda: saved(Image.merge("LAB", [PAGE.convert("L"), *[Image.new("L", PAGE.size, 128)] * 2]), "TIFF"),
    # orientations
    **{f"held the way {tag}": lambda tag=tag: stored_as(tag) for tag in range(1, 9)},
    "a tag that means nothing": lambda: saved(PAGE, "JPEG", exif=tagged(99)),
    "tags that are damaged": lambda: saved(PAGE, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f\1\2\3"),
    "a tag in a PNG": lambda: saved(PAGE.transpose(Image.Transpose.ROTATE_90), "PNG", exif=tagged(6)),
    # sizes
    "large": lambda: saved(PAGE.resize((4640, 2080)), "JPEG"),
    "tiny": lambda: saved(PAGE.resize((116, 52), Image.Resampling.BOX), "PNG"),
    "a tall strip": lambda: made(4, 2, 7, columns=1),
    "MNIST's own form": lambda: (Image.fromarray(255 - GREY[:, 70:158]).resize((28, 28), Image.Resampling.BOX), [2]),
    # light and paper
    "ruled": lambda: made(4, 2, 7, ruling="ruled"),
    "squared": lambda: made(4, 2, 7, ruling="squared", spacing=0.8),
    "a gradient": lambda: made(4, 2, 7, light="gradient"),
    "a shadow": lambda: made(4, 2, 7, light="shadow"),
    "dark corners": lambda: made(4, 2, 7, light="vignette"),
    "light on dark": lambda: ImageOps.invert(PAGE),
    "brown paper": lambda: made(4, 2, 7, paper=(0.55, 0.42, 0.28), pen=(0.1, 0.08, 0.05)),
    "dim": lambda: PAGE.point(lambda level: level // 5),
    "low contrast": lambda: made(4, 2, 7, pen=(0.75, 0.75, 0.74), grain=0.004),
    "noisy": lambda: made(4, 2, 7, grain=0.08),
    "blurred": lambda: PAGE.filter(ImageFilter.GaussianBlur(2)),
    "a desk around it": lambda: made(4, 2, 7, desk=(0.3, 0.2, 0.13)),
    # pens
    "red pen": lambda: made(4, 2, 7, pen=(0.8, 0.1, 0.1)),
    "blue pen": lambda: made(4, 2, 7, pen=(0.1, 0.15, 0.75)),
    "green pen": lambda: made(4, 2, 7, pen=(0.05, 0.5, 0.2)),
    "yellow marker": lambda: made(4, 2, 7, pen=(0.95, 0.85, 0.1)),
    "pencil": lambda: made(4, 2, 7, pen=(0.6, 0.6, 0.6), grain=0.015),
    # places
    "turned by 5 degrees": lambda: turned(5),
    "turned by -5 degrees": lambda: turned(-5),
    "seen aslant": lambda: made(4, 2, 7, perspective=0.08, seed=2),
    "at the edge": at_the_edge,
    "two lines": lambda: (made(3, 1, 9, 0, 5, 8), [3, 1, 9, 0, 5, 8]),
    "ten digits": lambda: (made(*range(10), columns=5), list(range(10))),
    "one digit": lambda: (made(8), [8]),
}


@pytest.mark.parametrize("case", READ)
def test_what_is_a_picture_of_digits_is_read(case, network):
    made = READ[case]()
    source, digits = made if isinstance(made, tuple) else (made, [4, 2, 7])
    found = photo.find_digits(source)
    assert photo.read(network, found.images).digits.tolist() == digits
