"""Links that leave the course still lead somewhere. Asks the internet: `make links`, weekly on GitHub."""

import re
import socket
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"https?://[^\s)\]>\"`\\]+")
REFUSED = {401, 403, 405, 406, 418, 429}  # not to scripts, not by this method, not so often: but it is there


def outward() -> list[str]:
    """All addresses in what a learner reads, but the links that whoever hosts a copy fills in."""
    read = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("data/**/*.md"), *ROOT.glob("notebooks/*.ipynb")]
    found = {link.rstrip(".,;:") for path in read for link in LINK.findall(path.read_text(encoding="utf-8"))}
    return sorted(link for link in found if "OWNER" not in link and "//127" not in link)


@pytest.mark.network
@pytest.mark.parametrize("link", outward())
def test_a_link_that_leaves_the_course_is_alive(link):
    try:
        socket.create_connection(("github.com", 443), timeout=10).close()
    except OSError:
        pytest.skip("there is no network here")
    request = Request(link, headers={"User-Agent": "Mozilla/5.0 (link check of a course)"})
    try:
        with urlopen(request, timeout=30):
            pass
    except HTTPError as error:
        assert error.code in REFUSED, f"{link}: {error}"
