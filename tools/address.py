"""The addresses that begin with the repository's, which stands in pyproject.toml and nowhere else by hand."""

import tomllib
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
PLACEHOLDER = "OWNER/REPOSITORY"  # in pyproject.toml, until the course has an address
BRANCH = "main"


def repository() -> str:
    """Where the course's repository is, without a slash at its end."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["urls"]["Repository"].rstrip("/")


def is_known() -> bool:
    """Whether the repository has an address yet."""
    return PLACEHOLDER not in repository()


def place() -> str:
    """Owner and name of the repository on GitHub."""
    return repository().removeprefix("https://github.com/")


def file(path: str) -> str:
    """A file of the repository, as GitHub shows it."""
    return f"{repository()}/blob/{BRANCH}/{path}"


def site() -> str:
    """The web edition, where GitHub Pages puts it."""
    owner, _, name = place().partition("/")
    return f"https://{owner.lower()}.github.io/{name}/"


def binder(path: str = "start_page.md") -> str:
    """A learner's copies on Binder, that file open."""
    return f"https://mybinder.org/v2/gh/{place()}/HEAD?urlpath=lab/tree/{path}"


def colab(name: str) -> str:
    """A notebook on Colab."""
    return f"https://colab.research.google.com/github/{place()}/blob/{BRANCH}/notebooks/{name}"


def colab_cell() -> list[str]:
    """The lines of the cell that makes Colab ready for a notebook: the course, and what Colab lacks of its packages."""
    return [
        f"!git clone --quiet --depth 1 {repository()} /content/course",
        "%cd /content/course",
        "%pip install --quiet anywidget captum",
    ]


def hub_link(hub: str = "HUB") -> str:
    """What copies the course into a learner's home on a JupyterHub with nbgitpuller, and later what changed in it.

    It names a branch: nbgitpuller can't update a clone of a tag.
    """
    name = place().rpartition("/")[2]
    tree = quote(f"lab/tree/{name}/notebooks/00_start_here.ipynb", safe="")
    return (
        f"https://{hub}/hub/user-redirect/git-pull?repo={quote(repository(), safe='')}&branch={BRANCH}&urlpath={tree}"
    )
