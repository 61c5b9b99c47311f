"""Progress bars for a notebook and a terminal."""

import os

from tqdm.auto import tqdm


def progress(*arguments, **options) -> tqdm:
    """A tqdm bar, and none where TQDM_DISABLE is set: tqdm's own bar for notebooks overlooks that variable."""
    return tqdm(*arguments, disable=bool(os.environ.get("TQDM_DISABLE")), **options)
