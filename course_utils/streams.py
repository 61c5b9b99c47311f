"""Output that can't end the work it tells of: its reader has gone, the disk is full, the stream is not there."""

import errno
import io
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import TextIO


class Unfailing:
    """A text stream that drops what can't be written, and everything after it. `lost` says why, if it matters.

    A reader that has gone, such as `head`, has what it wanted: that is no loss.
    """

    def __init__(self, stream: TextIO | None):
        there = stream is not None and not stream.closed
        self._stream = stream if there else open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        self.lost: str | None = None
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(errors="backslashreplace")  # a name that this terminal can't show

    def write(self, text: str) -> int:
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except (OSError, ValueError) as error:  # ValueError: somebody has closed it
            if getattr(error, "errno", None) != errno.EPIPE:
                self.lost = self.lost or str(error)
            self._drop()

    def _drop(self) -> None:
        null = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        with suppress(OSError, ValueError):  # what the old stream still holds would fail again when Python ends
            os.dup2(null.fileno(), self._stream.fileno())
        self._stream = null

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


@contextmanager
def unfailing_output() -> Generator[Unfailing]:
    """Neither standard output, which is yielded, nor standard error can raise in the block."""
    _fill_descriptors()
    with redirect_stdout(Unfailing(sys.stdout)) as out, redirect_stderr(Unfailing(sys.stderr)) as err:
        try:
            yield out
        finally:
            out.flush()
            err.flush()


def _fill_descriptors() -> None:
    """Where 0, 1 or 2 is closed, a file that is opened would get that number, and what a library prints."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
