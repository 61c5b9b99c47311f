"""Files of every kind as a photo: each is read rightly, or refused in one sentence that says what to do."""

import io
import json
import os
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from course_utils import __main__, evidence, load_checkpoint, photo, pictures
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
    others = [Image.new("RGB", PAGE.size, colour) for colour in ("white", "grey")]
    return saved(PAGE, kind, save_all=True, append_images=others)


def turned(degrees: float) -> Image.Image:
    paper = tuple(int(level) for level in np.median(np.asarray(PAGE), axis=(0, 1)))
    return PAGE.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=paper)


def at_the_edge() -> Image.Image:
    return PAGE.crop(INK.point(lambda level: 255 * (level > 60)).getbbox())


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


def cut(kind: str, share: float = 0.5, **options) -> bytes:
    whole = saved(PAGE, kind, **options)
    return whole[: int(share * len(whole))]


def spoilt(compression: str) -> bytes:
    """A TIFF that is whole, but for 200 bytes in its middle."""
    whole = saved(PAGE, "TIFF", compression=compression)
    middle = len(whole) // 2
    return whole[:middle] + b"\xff" * 200 + whole[middle + 200 :]


def zipped() -> bytes:
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as archive:
        archive.writestr("seven.txt", "7")
    return stored.getvalue()


def specks(step: int, side: int = 900) -> Image.Image:
    """Letters, or what is as many: bars of 16 by 4 pixels."""
    letters = np.full((side, side), 255, np.uint8)
    for row in range(10, side - 20, 30):
        for column in range(10, side - 20, step):
            letters[row : row + 16, column : column + 4] = 0
    return Image.fromarray(letters)


def salt() -> Image.Image:
    random = np.random.default_rng(0)
    return Image.fromarray(np.where(random.random((900, 900)) < 0.02, 0, 255).astype(np.uint8))


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8))


def plain(*colour: int, size: tuple[int, int] = (300, 200), mode: str = "RGB") -> bytes:
    return saved(Image.new(mode, size, colour if len(colour) > 1 else colour[0]), "PNG")


TELLS_HOW = "Save|Copy|Take|Convert|Cut|Write|Show|Look|name|Open"
REFUSED = {  # file: what is said about it
    "empty": (b"", "empty file"),
    "one byte": (b"7", "a text"),
    # other kinds of files
    "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50), "HEIC.*Most Compatible"),
    "HEIC of many": (b"\0\0\0\x24ftypmif1\0\0\0\0mif1heic" + bytes(50), "HEIC"),
    "video": (b"\0\0\0\x18ftypmp42" + bytes(50), "a video"),
    "Matroska": (b"\x1aE\xdf\xa3" + bytes(50), "a video"),
    "raw": (b"\0\0\0\x18ftypcrx " + bytes(50), "raw file"),
    "JPEG XL": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50), "JPEG XL"),
    "PDF": (b"%PDF-1.7\n" + bytes(50), "a PDF.*as a picture"),
    "Photoshop": (b"8BPS\0\1" + bytes(50), "Photoshop"),
    "text": ("Sieben über".encode(), "a text"),
    "text of 16 bits": ("Sieben".encode("utf-16"), "a text"),
    "RTF": (b"{\\rtf1\\ansi 7}", "RTF"),
    "notebook": (b'{"cells": []}', "a notebook"),
    "ZIP": (zipped(), "a ZIP archive"),
    "old office": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50), "office document"),
    "gzip": (b"\x1f\x8b\x08" + bytes(50), "gzip"),
    "web page": (b"<!doctype html>", "a web page"),
    "SVG": (b'<svg xmlns="a"></svg>', "an SVG"),
    "SVG with a head": (b'<?xml version="1.0"?>\n<svg xmlns="a"></svg>', "an SVG"),
    "XML": (b'<?xml version="1.0"?><a/>', "an XML"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
    "sound": (b"RIFF\x24\0\0\0WAVEfmt " + bytes(50), "a sound"),
    "array": (b"\x93NUMPY\1\0" + bytes(50), "NumPy"),
    "program": (b"\x7fELF\2\1\1" + bytes(50), "a program"),
    "any bytes": (bytes(range(128, 256)) * 4, "something else"),
    "zeros": (bytes(5000), "something else"),
    # damaged
    **{
        f"{kind}, cut": (cut(kind), "damaged|cut off")
        for kind in ("BMP", "GIF", "ICO", "JPEG", "PCX", "PNG", "PPM", "SGI", "TIFF", "WEBP")
    },
    **{
        f"{kind}, its head alone": (saved(PAGE, kind)[:12], "damaged|something else|sound")
        for kind in ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
    },
    "TIFF, LZW wrong": (spoilt("tiff_lzw"), "damaged"),
    "PPM of no pixels": (b"P6 0 0 255\n", "damaged|can't be read|too few"),
    # sizes
    "a pixel": (plain(200, size=(1, 1), mode="L"), "1 by 1 pixels: too few"),
    "a line": (plain(200, size=(5000, 1), mode="L"), "too few"),
    "a long strip": (plain(200, size=(10, 5000), mode="L"), "too narrow"),
    "a bomb": (plain(0, size=(16_000, 16_000), mode="1"), "too many pixels"),
    "a greater bomb": (b"P4 900000 900000\n", "too many pixels"),
    # content
    "grey": (plain(180, 170, 160), "no ink"),
    "white": (plain(255, 255, 255), "no ink"),
    "black": (plain(0, 0, 0), "too dark"),
    "nearly black": (plain(9, 9, 9), "too dark"),
    "transparent": (plain(0, 0, 0, 0, mode="RGBA"), "no ink"),
    "stripes": (saved(Image.fromarray(np.tile(np.uint8([[255], [0]]).repeat(9, 0), (15, 300))), "PNG"), "no ink"),
    "noise": (saved(noise(), "PNG"), "no ink"),
    "ruling alone": (saved(page(Kind(ruling="squared"), None, [], 3, seed=0).picture, "JPEG"), "no ink"),
    "a page of text": (saved(specks(20), "PNG"), "page of text"),
    "specks without number": (saved(salt(), "PNG"), "page of text"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_picture_of_digits_is_told_in_one_line(case, tmp_path, monkeypatch, capfd):
    """In the terminal too: one line, of the decoders' libraries none."""
    content, says = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").write_bytes(content)
    assert __main__.main(["read", "photo.jpg", "--json", "out.json"]) == 2
    said = capfd.readouterr()
    assert said.out == "" and said.err.count("\n") == 1, said.err
    assert "photo.jpg" in said.err and re.search(says, said.err), said.err
    assert re.search(TELLS_HOW, said.err), said.err
    assert os.listdir() == ["photo.jpg"]


NOWHERE = {
    "folder": (".", "is a folder; name one"),
    "missing": ("missing.jpg", "no file missing.jpg"),
    "a link to nothing": ("dangling", "no file dangling"),
    "a link to itself": ("loop", "can't be read"),
    "no name": ("", "name is empty"),
    "zero byte": ("a\0b", "can't be opened"),
    "long": ("n" * 300, "long"),
    "two lines": ("a\nb.jpg", "there is no file"),
    "through a file": ("text/a.jpg", "can't be read: Not a directory"),
    "web": ("https://example.org/photo.jpg", "on the web"),
    "pipe": ("pipe", "device or a pipe"),
    "device": (os.devnull, "device or a pipe"),
    "endless": ("/dev/zero", "device or a pipe"),
    "5 GB": ("sparse", "more than 250 MB"),
}


@POSIX
@pytest.mark.parametrize("case", NOWHERE)
def test_paths_that_lead_to_no_picture_are_told_at_once(case, tmp_path, monkeypatch, capfd):
    name, says = NOWHERE[case]
    monkeypatch.chdir(tmp_path)
    os.symlink("nothing", "dangling")
    os.symlink("loop", "loop")
    os.mkfifo("pipe")
    Path("text").write_text("7")
    with open("sparse", "wb") as file:
        file.truncate(5_000_000_000)
    assert __main__.main(["read", name]) == 2
    said = capfd.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and says in said.err, said.err


def test_a_file_that_may_not_be_read(tmp_path):
    if os.name != "posix" or os.geteuid() == 0:
        pytest.skip("root may read everything, and other systems know other permissions")
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved(PAGE, "JPEG"))
    path.chmod(0)
    with pytest.raises(photo.BadPhoto, match="can't be read: Permission denied"):
        photo.find_digits(path)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (np.zeros((30, 30)), "got ndarray.*fromarray"),
        (None, "got NoneType"),
        (7, "got int"),
        (io.StringIO("7"), "text"),
    ],
    ids=["array", "nothing", "number", "text stream"],
)
def test_what_is_no_source_of_a_picture_is_refused(source, says):
    with pytest.raises(photo.BadPhoto, match=says):
        photo.find_digits(source)


def test_a_file_of_any_name_a_stream_and_an_image_are_read_and_left_as_they_were(tmp_path, network):
    path = tmp_path / "Zahlen, größer 7.doc"
    path.write_bytes(saved(PAGE, "JPEG"))
    with Image.open(path) as image, path.open("rb") as stream:
        for source in (path, str(path), stream, image):
            assert photo.read(network, photo.find_digits(source).images).digits.tolist() == [4, 2, 7]
        assert image.size == PAGE.size
    assert path.read_bytes() == saved(PAGE, "JPEG")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_those_of_the_picture_as_shown(orientation):
    boxes = np.array(photo.find_digits(stored_as(orientation)).boxes)
    assert np.abs(boxes - photo.find_digits(stored_as(1)).boxes).max() <= 3


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP", "MPO"])
def test_pages_and_frames_that_are_not_read_are_said(kind):
    """But for MPO: a phone's second picture is a preview."""
    remarks = photo.find_digits(frames(kind)).remarks
    assert any("3 pages or frames" in remark for remark in remarks) == (kind != "MPO")


def test_json_holds_what_was_read(tmp_path, monkeypatch, capsys):
    """In place of what the file held before."""
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").write_bytes(saved(PAGE, "JPEG"))
    Path("out.json").write_text("old")
    assert __main__.main(["read", "photo.jpg", "--json", "out.json", "--device", "cpu"]) == 0
    result = json.loads(Path("out.json").read_text(encoding="utf-8"))
    assert result["digits"] == [4, 2, 7] and all(type(digit) is int for digit in result["digits"])
    assert [type(value) for value in result["confidence"]] == [float] * 3
    assert result["sure"] == [value >= result["threshold"] for value in result["confidence"]]
    assert result["boxes"] == photo.find_digits("photo.jpg").boxes and result["line"] == [0, 0, 0]
    assert capsys.readouterr().out.startswith("4 2 7\n")
