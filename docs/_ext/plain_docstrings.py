"""Let docstrings be plain text: what reStructuredText reads as markup by accident is escaped.

The docstrings of the package are written for the reader of the source: Google sections, `code`
between single backticks, formulas such as |x|^2 or (*, S) as they are, sources as [key]. Here
`code` becomes a literal, a known [key] becomes a citation, and a star, bar or trailing underscore
stays what it is. Literal blocks, math blocks, doctests and roles are left alone.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from sphinx.application import Sphinx

KEYS = frozenset(
    re.findall(
        r"^@\w+\{([^,\s]+),",
        (Path(__file__).parents[1] / "references.bib").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
)
CODE = re.compile(r"(``.+?``|:[\w:]+:`[^`]+`|`[^`]+`)")
CITATION = re.compile(r"\[([a-z]+\d{4}[a-z]+)\]")
BLOCK = re.compile(r"^(\s*)(\.\. [\w-]+::.*|.*::)$")


def escape_text(text: str) -> str:
    """Escape the characters that mean markup, and turn a [key] into a citation."""
    text = re.sub(r"(?<!\\)([*|])", r"\\\1", text)
    text = re.sub(r"(?<=\w)_(?!\w)", r"\\_", text)

    def cite(match: re.Match[str]) -> str:
        key = match[1]
        return f":cite:p:`{key}`" if key in KEYS else match[0]

    return CITATION.sub(cite, text)


def escape_line(line: str) -> str:
    """Escape one line of running text; a list marker at its start stays one."""
    if line.lstrip().startswith((">>>", "+-", "| ", "..")):
        return line
    marker, rest = re.match(r"(\s*(?:[*-] )?)(.*)", line).groups()
    pieces = CODE.split(rest)
    for i, piece in enumerate(pieces):
        if i % 2 == 0:
            pieces[i] = escape_text(piece)
        elif piece.startswith("`") and not piece.startswith("``"):
            pieces[i] = f"`{piece}`"
    return marker + "".join(pieces)


def join_wrapped_code(lines: list[str]) -> list[str]:
    """Join a line whose `code` runs on into the next one, so that each line can be read alone."""
    joined: list[str] = []
    for line in lines:
        if joined and CODE.sub("", joined[-1]).count("`") % 2 == 1 and line.strip():
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
    return joined


def escaped(lines: list[str]) -> Iterator[str]:
    """Yield the lines with running text escaped and blocks as they are."""
    block: int | None = None  # the indentation of the line that opened a literal or a directive
    for line in join_wrapped_code(lines):
        indent = len(line) - len(line.lstrip())
        if block is not None and line.strip() and indent <= block:
            block = None
        if block is not None:
            yield line
        elif match := BLOCK.match(line):
            block = len(match[1])
            opens_directive = line.lstrip().startswith("..")
            yield line if opens_directive else escape_line(line[:-2]) + "::"
        else:
            yield escape_line(line)


def process(
    app: Sphinx, kind: str, name: str, thing: Callable, options: object, lines: list[str]
) -> None:
    lines[:] = list(escaped(lines))
    if kind in {"attribute", "data", "property"}:
        # napoleon reads "words: more words" on the first line of an attribute as its type; an empty
        # comment in front stops that
        lines[:0] = ["..", ""]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", process, priority=400)  # before napoleon, at 500
    return {"parallel_read_safe": True, "parallel_write_safe": True}
