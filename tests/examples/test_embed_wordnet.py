"""examples/graphs/embed_wordnet.py from end to end, a few epochs of it."""

import json
import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "graphs" / "embed_wordnet.py"


@pytest.mark.slow
def test_short_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table, the figure and the numbers are there; learned points beat what is not learned."""
    options = ["--epochs", "8", "--tuning", "1", "--batch", "256", "--out", str(tmp_path)]
    runpy.run_path(str(SCRIPT))["main"](options)
    table = capsys.readouterr().out
    for word in ("mAP", "mean rank", "floor", "Euclidean space", "Poincare disk"):
        assert word in table
    assert (tmp_path / "wordnet.png").stat().st_size > 50_000
    report = json.loads((tmp_path / "wordnet.json").read_text("utf-8"))
    rows = report["results"]
    floors = [row["mAP"] for name, row in rows.items() if name.startswith("floor")]
    assert rows["Poincare ball, 5 dimensions"]["mAP"] > 2 * max(floors)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--epochs", "0"], "at least 1"),
        (["--part", "nouns"], "give --wordnet"),
        (["--wordnet", "nowhere"], "is not there"),
    ],
)
def test_arguments_are_checked(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT))["main"](args)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_groups_and_sizes() -> None:
    """A root over two kinds: of the larger one's groups, the larger is numbered first."""
    script = runpy.run_path(str(SCRIPT))
    parents = [-1, 0, 0, 1, 1, 3, 3, 4]
    assert script["subtree_sizes"](parents) == [8, 6, 1, 3, 2, 1, 1, 1]
    hierarchy = script["Hierarchy"](None, None, parents)
    assert script["branches"](hierarchy) == [-1, -1, -1, 0, 1, 0, 0, 1]
