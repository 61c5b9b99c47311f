"""Where a notebook's page first uses a term of the glossary, the term links there; its title is the definition."""

import re

from docutils import nodes

# They have plain meanings too, so they are linked only where a notebook sets them in italics: there it defines them.
EVERYDAY = {
    *("control", "energy", "gain", "head", "jump", "kernel"),
    *("overlap", "process", "rank", "weight", "window"),
}
NOT_IN = (nodes.literal, nodes.literal_block, nodes.reference, nodes.title, nodes.raw, nodes.math, nodes.math_block)


def _is_prose(text: nodes.Text) -> bool:
    node = text.parent
    while node.parent is not None:
        if isinstance(node, NOT_IN) or "cell_output" in node.get("classes", ()):
            return False
        node = node.parent
    return True


def _link(app, doctree, docname):
    terms = {term.lower(): place for term, place in app.config.glossary_terms.items()}
    if not docname[0].isdigit():
        return
    words = "|".join(re.escape(term).replace(r"\ ", r"\s+") for term in sorted(terms, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w-])({words})(?:s|es)?(?![\w-])", re.IGNORECASE)
    for text in list(doctree.findall(nodes.Text)):
        if _is_prose(text):
            _link_in(text, pattern, terms)


def _link_in(text: nodes.Text, pattern: re.Pattern, terms: dict) -> None:
    """Link the terms in one piece of text, and take them out of `terms`."""
    parts, end = [], 0
    for found in pattern.finditer(text):
        term = " ".join(found[1].lower().split())
        if term not in terms or (term in EVERYDAY and not isinstance(text.parent, nodes.emphasis)):
            continue
        place, definition = terms.pop(term)
        uri = f"glossary.html#{place}"
        link = nodes.reference("", found[0], refuri=uri, reftitle=definition, classes=["course-term"])
        parts += [nodes.Text(text[end : found.start()]), link]
        end = found.end()
    if parts:
        text.parent.replace(text, [*parts, nodes.Text(text[end:])])


def setup(app):
    app.add_config_value("glossary_terms", {}, "env", dict)
    app.connect("doctree-resolved", _link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
