"""Photos uploaded from the page: read, refused in plain words, one after the other, by mouse, keyboard and dropping."""

import io

import numpy as np
import pytest
from PIL import Image

from experiments._pages import Kind, page

NAME = "photo-reader"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50)


def photo_of(*digits: int) -> bytes:
    stored = io.BytesIO()
    page(Kind(from_strokes=True), None, digits, len(digits), seed=0).picture.save(stored, "JPEG", quality=90)
    return stored.getvalue()


def file(name: str, content: bytes) -> dict:
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def large() -> bytes:
    """A photo of 10 MB: as large as a message to the kernel may be, and a little larger."""
    grain = np.random.default_rng(0).integers(0, 8, (1900, 1900, 3), dtype=np.uint8)
    known = page(Kind(from_strokes=True), None, [4, 2, 7], 3, seed=0).picture.convert("RGB").resize((1900, 852))
    paper = np.full((1900, 1900, 3), 230, np.uint8)
    paper[500:1352] = np.asarray(known)
    stored = io.BytesIO()
    Image.fromarray(paper - grain).save(stored, "BMP")
    return stored.getvalue()


@pytest.fixture
def part(widgets):
    return widgets.show(NAME, "reader = PhotoReader(model, threshold=0.9)\nreader")


def test_a_photo_is_read_and_python_has_it(lab, part, widgets):
    lab.expect_text(part, "status", "")
    part.get_by_test_id("file").set_input_files(file("digits.jpg", photo_of(1, 7, 0)))
    lab.expect_text(part, "status", "Read: 1 7 0")
    assert part.locator(".frame").count() == part.get_by_test_id("found").locator("li").count() == 3
    lefts = [frame.bounding_box()["x"] for frame in part.locator(".frame").all()]
    assert lefts == sorted(lefts)
    assert part.get_by_test_id("picture").evaluate("image => image.complete && image.naturalWidth > 100")
    lab.expect_text(part, "answer-1", " %")
    lab.screenshot(NAME, part)
    assert widgets.ask("reader.value") == "[1, 7, 0]"


def test_what_is_no_photo_is_told_and_the_next_one_read(lab, part, widgets, tmp_path):
    upload = part.get_by_test_id("file").set_input_files
    for name, content, says in (
        ("text.jpg", b"Seven, in words", "is a text"),
        ("photo.heic", HEIC, "HEIC"),
        ("empty.png", b"", "empty file"),
        ("empty.png", b"", "empty file"),  # once more
        ("huge.jpg", bytes(41_000_000), "41 MB"),
    ):
        (tmp_path / name).write_bytes(content)
        upload(tmp_path / name)
        lab.expect_text(part, "failure", says)
        assert part.get_by_test_id("failure").is_visible() and not part.get_by_test_id("picture").is_visible()
    lab.screenshot(f"{NAME}-refused", part)
    assert widgets.ask("reader.value") == "[]"
    for digits in ((1, 0), (7, 1), (7, 1)):
        upload(file("digits.jpg", photo_of(*digits)))
        lab.expect_text(part, "status", f"Read: {digits[0]} {digits[1]}")
        assert not part.get_by_test_id("failure").is_visible()


def test_ten_megabytes_arrive(lab, part):
    content = large()
    assert len(content) > 10 * 2**20
    part.get_by_test_id("file").set_input_files(file("large.jpg", content))
    lab.expect_text(part, "status", "Read: ")
    assert part.get_by_test_id("found").locator("li").count() == 3


def test_a_low_confidence_is_not_sure(lab, widgets):
    part = widgets.show(NAME, "reader = PhotoReader(model, threshold=1.01)\nreader.read(sheet)\nreader")
    lab.expect_text(part, "answer-1", "not sure")
    lab.expect_text(part, "status", "Not sure of 4 of 4")


def test_the_keyboard_reaches_the_files_and_a_file_can_be_dropped(lab, part):
    part.get_by_test_id("file").focus()
    assert lab.has_visible_focus()  # what the control then does with Enter is the browser's
    transfer = lab.page.evaluate_handle(
        "bytes => { const transfer = new DataTransfer();"
        " transfer.items.add(new File([new Uint8Array(bytes)], 'digits.jpg')); return transfer; }",
        list(photo_of(7, 1)),
    )
    part.get_by_test_id("drop").dispatch_event("drop", {"dataTransfer": transfer})
    lab.expect_text(part, "status", "Read: 7 1")
