"""The files that a command writes: looked at before the work, and each written though another could not be."""

import os
import stat
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from course_utils.files import check_writable


class BadOutput(ValueError):
    """A file that can't be written, or would take the place of another one; the message says why."""


class Outputs:
    """The files that were named, by option; what of them was written, and what could not be.

    `read` are files that the command reads. Raises `BadOutput` for a folder or a device, for a file that can't be
    written, and for two names of one file, be it one that is read or the one that standard output goes to.
    """

    def __init__(self, named: dict[str, Path], read: Iterable[str] = ()):
        self.written: list[str] = []
        self.failed: list[str] = []
        taken = {_of_stream(stream): "the output" for stream in (sys.stdout, sys.stderr)}
        taken |= {_identity(Path(name)): repr(name) for name in read if os.path.exists(name)}
        for option, path in named.items():
            _check(path)
            other = taken.setdefault(_identity(path), option)
            if other != option:
                raise BadOutput(f"{option} and {other} are the same file, {str(path)!r}: one would overwrite the other")

    def write(self, path: Path, action: Callable[[], None]) -> None:
        """Let `action` write `path`; where it can't, remember why, so that the rest is written all the same."""
        try:
            action()
            self.written.append(str(path))
        except OSError as error:
            self.failed.append(f"{path} could not be written: {error.strerror or error}")


def _check(path: Path) -> None:
    if os.path.exists(path) and not os.path.isfile(path):  # writing would put a file in the place of a device
        raise BadOutput(f"{str(path)!r} is a {'folder' if path.is_dir() else 'device'}; name a file")
    if not os.path.isdir(path.parent):
        raise BadOutput(f"the folder of {str(path)!r} does not exist")
    try:
        check_writable(path)
    except OSError as error:
        raise BadOutput(f"{str(path)!r} can't be written: {error.strerror}") from error


def _identity(path: Path) -> object:
    """The same for two names of one file, whether it is there or not."""
    if path.exists():
        return _inode(os.stat(path))
    place = os.path.realpath(path)
    return place if sys.platform == "linux" else place.casefold()  # macOS and Windows take no notice of the case


def _of_stream(stream: TextIO) -> object:
    """The identity of the file that a stream was sent to, if it is one."""
    with suppress(OSError, ValueError):
        found = os.stat(stream.fileno())
        return _inode(found) if stat.S_ISREG(found.st_mode) else None


def _inode(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
