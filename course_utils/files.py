"""Writing files so that a reader finds the whole of one or none of it, whatever happens meanwhile."""

import datetime
import errno
import glob
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, which refuses to delete a file that a process has open
    fcntl = None


def write_whole(path: str | os.PathLike, content: str | bytes) -> None:
    """Write `content` to `path`, whole or not at all; when this returns, it survives a power failure.

    It is written to a new file beside `path`, which then takes the place of the old one; through a symbolic link, of
    the file that the link names. Several processes may write the same `path`: the last one's is kept. Raises
    `OSError`, and keeps the old file, where it can't be written.
    """
    path = Path(os.path.realpath(path))
    _remove_abandoned(path)
    file = _new_part(path)
    try:
        with file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
            if fcntl:  # while it is locked
                os.replace(file.name, path)
        if not fcntl:  # which replaces no open file
            os.replace(file.name, path)
    except BaseException:
        Path(file.name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def check_writable(path: str | os.PathLike) -> None:
    """Raise the `OSError` that `write_whole` would meet: no such folder, no permission, a name too long."""
    path = Path(os.path.realpath(path))
    if path.exists() and not os.access(path, os.W_OK):  # its folder would let it be replaced all the same
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    with _new_part(path) as file:
        pass
    os.unlink(file.name)


def set_aside(path: Path) -> Path:
    """Rename a file, so that its name and the time stand in the new one, and return that: `02_2026-11-28_22-31-07.txt`.

    Raises `OSError` where it can't be renamed.
    """
    now = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    aside, count = path.with_stem(f"{path.stem}_{now}"), 1
    while aside.exists():
        count += 1
        aside = path.with_stem(f"{path.stem}_{now}_{count}")
    path.rename(aside)
    return aside


def _new_part(path: Path) -> BinaryIO:
    """A new file beside `path`, locked as long as it is open, so that `_remove_abandoned` lets it be."""
    while True:
        file = open(path.with_name(f".{path.name}.{secrets.token_hex(4)}.part"), "xb")  # noqa: SIM115
        with suppress(OSError):  # a file system without locks: there, nothing is ever taken for abandoned
            _lock(file, wait=True)
        if os.path.exists(file.name):
            return file
        file.close()  # it was taken for abandoned before it was locked


def _remove_abandoned(path: Path) -> None:
    """Delete what writers of `path` left that were killed: what nobody has locked."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.????????.part"):
        with suppress(OSError), open(part, "rb") as file:
            _lock(file, wait=False)
            part.unlink()


def _lock(file: BinaryIO, wait: bool) -> None:
    if fcntl:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def _sync_folder(folder: Path) -> None:
    """The name of a new file is kept in its folder, and that is written when it pleases the system."""
    with suppress(OSError):  # Windows opens no folder, and not every file system can do it
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
