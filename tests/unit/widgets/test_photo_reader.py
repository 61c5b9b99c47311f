"""The photo reader without a browser: what an upload and Python make of a photo, and what the page is told."""

import io

import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image
from torch import nn

from course_utils import evidence, load_checkpoint, photo
from course_utils.widgets import PhotoReader
from experiments._pages import Kind, page


@pytest.fixture(scope="module")
def network():
    return load_checkpoint(evidence.folder() / photo.CHECKPOINT)


def photo_of(*digits: int) -> bytes:
    stored = io.BytesIO()
    page(Kind(height=40, from_strokes=True), None, digits, len(digits), seed=0).picture.save(stored, "JPEG")
    return stored.getvalue()


def upload(part: PhotoReader, content: bytes, size: int = 1000) -> None:
    """As the page does it: in parts."""
    for index in range(max(1, -(-len(content) // size))):
        said = {"index": index, "last": (index + 1) * size >= len(content)}
        message = {"content": {"data": {"method": "custom", "content": said}}}
        part._handle_msg({**message, "buffers": [memoryview(content[index * size : (index + 1) * size])]})


def test_uploads_are_read_one_after_the_other(network):
    part = PhotoReader(network, *photo.stored_reader())
    assert (part.value, part.page, part.answer) == ([], None, {})
    for digits in ([4, 2, 7], [0, 5]):
        upload(part, photo_of(*digits))
        assert part.value == part.answer["digits"] == digits and part.answer["state"] == "read"
        assert part.answer["boxes"] == part.page.boxes and len(part.digits) == 784 * len(digits)
        assert Image.open(io.BytesIO(part.picture)).format == "JPEG"
        assert part.answer["confidence"] == part.reading.confidence.tolist()


def test_an_upload_that_was_left_off_is_forgotten(network):
    part = PhotoReader(network)
    said = {"content": {"data": {"method": "custom", "content": {"index": 0, "last": False}}}}
    part._handle_msg({**said, "buffers": [memoryview(b"half a photo")]})
    upload(part, photo_of(4, 2))
    assert part.value == [4, 2]


def test_what_is_no_photo_is_told_each_time_and_raised_in_python(network):
    part = PhotoReader(network)
    part.read(photo_of(4, 2))
    numbers = []
    for _ in range(2):
        upload(part, b"seven")
        assert part.answer["state"] == "failed" and "is a text" in part.answer["text"]
        assert (part.value, part.page, part.reading) == ([], None, None)
        numbers.append(part.answer["number"])
    assert numbers[0] != numbers[1]  # or the page would wait for the second
    with pytest.raises(photo.BadPhoto, match="no file nowhere"):
        part.read("nowhere.jpg")
    assert "nowhere.jpg" in part.answer["text"]
    upload(part, b"")
    assert "empty file" in part.answer["text"]


def test_a_network_that_fails_is_told_in_the_page():
    part = PhotoReader(nn.Sequential(nn.Flatten(), nn.Linear(5, 10)))
    upload(part, photo_of(4, 2))
    assert part.answer["state"] == "failed" and "RuntimeError" in part.answer["text"]
    with pytest.raises(TypeError, match="a network"):
        PhotoReader(nn.Linear)


def test_the_figure_shows_each_answer_and_says_not_sure(network):
    part = PhotoReader(network, threshold=1.01)
    with pytest.raises(ValueError, match="No photo has been read"):
        part.figure()
    part.read(photo_of(4, 2, 7))
    assert part.answer["sure"] == [False] * 3
    figure = part.figure()
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    plt.close(figure)
    assert [title[:4] for title in titles] == ["1: 4", "2: 2", "3: 7"]
    assert all("not sure" in title for title in titles)


def test_pixels_for_the_page_are_the_digits(network):
    part = PhotoReader(network)
    part.read(photo_of(4, 2))
    sent = torch.frombuffer(bytearray(part.digits), dtype=torch.uint8).view(2, 28, 28)
    assert (sent / 255 - part.page.images[:, 0]).abs().max() < 0.01
