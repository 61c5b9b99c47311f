"""Sphinx's settings for the web edition. tools/build_site.py prepares the sources and calls Sphinx."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "Convolutional networks, one claim at a time"
html_title = project
language = "en"
extensions = ["myst_nb", "mathml", "folds", "figures", "terms"]
html_theme = "sphinx_book_theme"
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "navbar_persistent": [],
    "home_page_in_toc": True,
    "footer_content_items": [],
}
html_sidebars = {"**": ["search-button-field.html", "sbt-sidebar-nav.html"]}  # the logo would be in no landmark
html_static_path = ["_static", "_build/static"]
html_css_files = ["course.css"]
html_js_files = [("parts.js", {"type": "module"})]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_copy_source = False
html_use_index = False  # no page has an entry
html_show_sphinx = False
html_show_copyright = False
html_math_renderer = "mathml"
nb_execution_mode = "off"  # what is shown are the stored, tested outputs
nb_merge_streams = True
nb_render_markdown_format = "myst"
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
suppress_warnings = ["mystnb.unknown_mime_type", "myst.header", "misc.highlighting_failure"]
_found = json.loads((HERE / "_build" / "found.json").read_text(encoding="utf-8"))
collapsed_headings, glossary_terms = _found["collapsed"], _found["terms"]
