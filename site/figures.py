"""A cell with several figures has several texts for those who don't see them, in a row; each figure gets its own."""

from docutils import nodes


def _share_out(app, doctree):
    for output in doctree.findall(lambda node: "cell_output" in getattr(node, "attributes", {}).get("classes", ())):
        images = list(output.findall(nodes.image))
        texts = images[0].get("alt", "").split("\n") if images else []
        for image, text in zip(images, texts, strict=False):
            image["alt"] = text


def setup(app):
    app.connect("doctree-read", _share_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
