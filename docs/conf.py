"""The documentation site: `make docs`. What the source says already is written by `docs/pages.py` at each build."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import ziamath
from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

sys.path.insert(0, str(Path(__file__).parents[1]))
from docs import pages

project = "probeta"
author = "the probeta authors"
version = release = metadata.version("probeta")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

html_theme = "furo"
html_title = f"probeta {release}"
html_static_path = ["static", *(str(path) for path in Path(ziamath.__file__).parent.glob("fonts/*.ttf"))]
pygments_dark_style = "monokai"
html_css_files = ["site.css"]
html_show_sourcelink = False
html_show_copyright = False
html_math_renderer = "mathml"

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_merge_streams = True

default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
add_module_names = False
napoleon_use_ivar = True


def show_inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def show_block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    # Browsers show MathML themselves: no page waits for a script from elsewhere.
    app.add_html_math_renderer("mathml", (show_inline, None), (show_block, None))
    pages.write(Path(app.srcdir))
