"""Headings that a notebook stores collapsed are folds in the page too, as <details>."""

from html import escape

from docutils import nodes


def _fold(app, doctree, docname):
    for section in list(doctree.findall(nodes.section)):
        title = section.next_node(nodes.title)
        if title is None or title.astext() not in app.config.collapsed_headings.get(docname, ()):
            continue
        summary = f"Open this part<span class='visually-hidden'>: {escape(title.astext())}</span>"
        start = f'<details class="course-fold"><summary>{summary}</summary>'
        section.insert(section.index(title) + 1, nodes.raw("", start, format="html"))
        section.append(nodes.raw("", "</details>", format="html"))


def setup(app):
    app.add_config_value("collapsed_headings", {}, "env", dict)
    app.connect("doctree-resolved", _fold)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
