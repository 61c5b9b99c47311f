"""Printing never ends the work, whatever standard output is."""

import errno
import os
import sys

import pytest

from course_utils.streams import Unfailing, unfailing_output


def _pipe_without_a_reader():
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w")


def _closed():
    stream = open(os.devnull, "w")  # noqa: SIM115
    stream.close()
    return stream


@pytest.mark.parametrize(
    ("make", "is_a_loss"),
    [
        (lambda: None, False),  # as under pythonw, or started with >&-
        (_pipe_without_a_reader, False),  # as | head leaves it
        (_closed, False),
        pytest.param(
            lambda: open("/dev/full", "w"),  # noqa: SIM115
            True,
            marks=pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device here"),
        ),
    ],
    ids=["missing", "reader gone", "closed", "disk full"],
)
def test_what_can_not_be_printed_is_dropped(make, is_a_loss, monkeypatch):
    stream = make()
    monkeypatch.setattr(sys, "stdout", stream)
    with unfailing_output() as out:
        for _ in range(3):
            print("x" * 20_000)  # more than is buffered
    assert bool(out.lost) == is_a_loss
    if stream and not stream.closed:
        stream.close()  # nor does what it still held fail now


def test_the_rest_is_printed_as_ever(capsys):
    with unfailing_output() as out:
        print("to out")
        print("to err", file=sys.stderr)
        assert out.encoding and not out.isatty()
    assert capsys.readouterr() == ("to out\n", "to err\n")
    assert out.lost is None


def test_a_name_that_the_terminal_can_not_show(tmp_path):
    with open(tmp_path / "out", "w", encoding="ascii") as file:
        print("ü", file=Unfailing(file))
    assert (tmp_path / "out").read_text() == "\\xfc\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_files_do_not_get_the_numbers_of_closed_streams(tmp_path):
    """In a process of its own, which closes them; 0 is what it ends with if all is well."""
    if (child := os.fork()) == 0:
        for number in (0, 1, 2):
            os.close(number)
        with unfailing_output(), open(tmp_path / "weights", "wb") as file:
            os.write(1, b"a library's warning")
            os._exit(0 if file.fileno() > 2 and os.path.getsize(file.name) == 0 else errno.EBADF)
    assert os.waitpid(child, 0)[1] == 0
