"""Writing files so that a reader finds the whole of one or none of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` at the end; if that is cut short, the old file stays."""
    part = Path(f"{os.fspath(path)}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")
