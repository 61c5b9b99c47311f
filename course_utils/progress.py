"""Progress bars for a notebook and a terminal."""

import os
import sys

from tqdm.auto import tqdm


def progress(*arguments, **options) -> tqdm:
    """A tqdm bar; none without a place for it, or where TQDM_DISABLE is set, which tqdm's notebook bar overlooks."""
    disabled = bool(os.environ.get("TQDM_DISABLE")) or sys.stderr is None
    return tqdm(*arguments, disable=disabled, **options)


def say(text: str) -> None:
    """Print a line above the bars, wherever that is possible."""
    if sys.stdout is not None:
        tqdm.write(text)
