"""For those who don't see them: each figure of a cell gets its own text, and no head of a table is empty."""

from docutils import nodes


def _share_out(app, doctree):
    for output in doctree.findall(lambda node: "cell_output" in getattr(node, "attributes", {}).get("classes", ())):
        images = list(output.findall(nodes.image))
        texts = images[0].get("alt", "").split("\n") if images else []
        for image, text in zip(images, texts, strict=False):
            image["alt"] = text


def _name_heads(app, doctree):
    for head in list(doctree.findall(nodes.thead)):
        if not head.astext().strip():
            head.parent.remove(head)
        for entry in head.findall(nodes.entry):
            if not entry.astext().strip():
                entry += nodes.raw("", '<span class="visually-hidden">Row</span>', format="html")


def setup(app):
    app.connect("doctree-read", _name_heads)
    app.connect("doctree-read", _share_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
