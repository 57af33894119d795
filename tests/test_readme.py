"""Every Python block of README.md and of the guide runs, in order, one namespace a file."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[int, str]]:
    """Return (line number, code) of each block that is marked ```python."""
    text = page.read_text(encoding="utf-8")
    return [(text.count("\n", 0, match.start(1)), match[1]) for match in BLOCK.finditer(text)]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page)], ids=lambda page: page.name
)
def test_code_of_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page's code runs as printed, from the root; what it writes lands in a temporary folder."""
    for entry in ROOT.iterdir():
        if entry.name not in {".git", "runs"}:
            (tmp_path / entry.name).symlink_to(entry)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for line, code in blocks(page):
        # blank lines in front, so that a traceback names the line of the page
        exec(compile("\n" * line + code, str(page), "exec"), namespace)


def test_blocks_are_found() -> None:
    """The README is read at all: it has code, and the code uses the library."""
    code = "".join(code for _, code in blocks(ROOT / "README.md"))
    assert "import noneuclid" in code or "from noneuclid" in code
