"""The sources of the web edition's pages: notebooks and the texts of docs/, changed into what Sphinx reads."""

import re

from tools import address, site_exercises, site_parts

LINK = re.compile(r"\]\((\.\./)?((?:\w+/)*[\w.]*)(#[^)]*)?\)")
CELL = re.compile(r"\((?:(?:\.\./)?notebooks/)?(\w*)(?:\.ipynb)?#cell-id=([\w-]+)\)")
TERM = re.compile(r"^- \*\*(.+?)\*\*: (.+?) \(\[", re.M)
BETWEEN_ALTS = "\n"  # site/figures.py splits there


def linked_cells(texts: dict[str, str]) -> set[str]:
    """The labels of the cells that a link in one of the texts leads to; the texts are those of pages, by name."""
    return {_label(page or name, cell) for name, text in texts.items() for page, cell in CELL.findall(text)}


def _label(page: str, cell: str) -> str:
    return f"{page}-{cell}"


def with_links(text: str, page: str) -> str:
    """The text of a page, its links leading to the other pages; to GitHub where a file is no page."""

    def link(found: re.Match) -> str:
        up, path, place = found.groups(default="")
        folder, _, name = path.rpartition("/")
        if place.startswith("#cell-id="):
            return f"](#{_label(name.removesuffix('.ipynb') or page, place.removeprefix('#cell-id='))})"
        if path == "README.md":  # what it says to a reader of the pages stands on the first one
            return "](index.md)"
        if up and folder not in ("notebooks", "docs"):
            return f"]({address.file(path)}{place})"
        return f"]({name}{place})"

    return LINK.sub(link, text)


def text_page(text: str, page: str) -> str:
    """A text of docs/ as a page; each term of the glossary can be led to."""
    with_places = TERM.sub(lambda found: f'- <dfn id="{term_id(found[1])}">{found[1]}</dfn>: {found[2]} ([', text)
    return with_links(with_places, page)


def term_id(term: str) -> str:
    """Where a term stands in the glossary's page."""
    return "term-" + re.sub(r"\W+", "-", term.lower())


def terms(glossary: str) -> dict[str, tuple[str, str]]:
    """Of each term of the glossary its place, and its definition in plain text."""
    return {term: (term_id(term), re.sub(r"[`*]", "", text)) for term, text in TERM.findall(glossary)}


def notebook_page(notebook: dict, name: str, targets: set[str]) -> list[str]:
    """Change a notebook, in place, into what the page shows; return the headings that it stores collapsed."""
    page = name.removesuffix(".ipynb")
    collapsed, cells, section = [], [], ""
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        if _label(page, cell["id"]) in targets:
            cells.append(_markdown(f"target-{cell['id']}", f"({_label(page, cell['id'])})="))
        if cell["cell_type"] == "code":
            _fold_and_describe(cell)
        else:
            *_, section = section, *re.findall(r"^#+ (.+)", cell["source"], re.M)
            if cell["metadata"].get("jp-MarkdownHeadingCollapsed"):
                collapsed += [re.sub(r"[*`]", "", title) for title in re.findall(r"\A#+ (.+)", cell["source"])]
            cell["source"] = with_links(cell["source"], page)
        if check := site_exercises.check_of(cell["source"], cells):
            cell = _markdown(cell["id"], site_exercises.ladder(check, name, section))
        cells.append(cell)
    cells.insert(1, _markdown("where-to-run", where_to_run(name)))
    notebook["cells"] = cells
    return collapsed


def _markdown(cell_id: str, source: str) -> dict:
    return {"cell_type": "markdown", "id": cell_id, "metadata": {}, "source": source}


def _fold_and_describe(cell: dict) -> None:
    metadata = cell["metadata"]
    tags = metadata.setdefault("tags", [])
    hidden = metadata.get("jupyter", {})
    shown = metadata.setdefault("mystnb", {})
    if "solution" in tags:
        tags.append("hide-cell")
        shown |= {"code_prompt_show": "Show a solution", "code_prompt_hide": "Hide the solution"}
    elif hidden.get("outputs_hidden"):
        tags.append("hide-cell")
    elif hidden.get("source_hidden"):
        tags.append("hide-input")
    for output in cell["outputs"]:
        text = "".join(output.get("data", {}).get("text/plain", ""))
        if "interactive part" in text:
            title = text.strip("[").partition(":")[0]
            if title in site_parts.NAMES:  # the others keep their line, which says where they run
                output["data"] = {"text/html": site_parts.placeholder(title), "text/plain": text}
    # myst-nb takes the text for those who don't see a figure from the cell, Jupyter keeps it with the output
    alts = [output.get("metadata", {}).get("image/png", {}).get("alt", "") for output in cell["outputs"]]
    if any(alts):
        shown["image"] = {"alt": BETWEEN_ALTS.join(filter(None, alts))}


def where_to_run(name: str) -> str:
    """The line on each notebook's page that says where the notebook runs."""
    offers = [f'<a href="notebooks/{name}" download>Download the notebook</a>']
    if address.is_known():
        offers += [
            f'<a href="{address.binder(f"notebooks/{name}")}">Open in Binder</a>',
            f'<a href="{address.colab(name)}">Open in Colab</a> (<a href="running.html#on-colab">run a cell first</a>)',
            f'<a href="{address.repository()}">Get the course</a>',
        ]
    return (
        '<p class="course-run">Run it, and solve the exercises, in JupyterLab: after <code>make lab</code> in your '
        f"clone, open <code>{name}</code>. {' · '.join(offers)}</p>"
    )
