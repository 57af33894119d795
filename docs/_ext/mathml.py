"""Write mathematics as MathML when the site is built.

MathJax and KaTeX either come from a network (formulas stay raw offline) or weigh megabytes in the
repository; images need a LaTeX installation. Browsers render MathML by themselves, so a pure-Python
conversion at build time gives pages that read offline, without a script. What it cannot convert is
a warning, and warnings are errors here.
"""

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def to_mathml(latex: str, display: str, node: nodes.Node) -> str:
    """Return the MathML of a formula; `display` is "inline" or "block"."""
    if display == "block" and ("\\\\" in latex or "&" in latex) and "\\begin" not in latex:
        latex = f"\\begin{{aligned}}{latex}\\end{{aligned}}"
    try:
        return convert(latex, display=display)
    except Exception as error:  # the converter has no base class for its errors
        logger.warning("formula %r: %s", latex, error, location=node)
        return f"<code>{latex}</code>"


def visit_inline(translator, node) -> None:
    translator.body.append(to_mathml(node.astext(), "inline", node))
    raise nodes.SkipNode


def visit_block(translator, node) -> None:
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    translator.body.append(to_mathml(node.astext(), "block", node))
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
