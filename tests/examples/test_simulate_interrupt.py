"""How examples/jets/simulate.py ends when its workers die."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "jets"


@pytest.mark.parametrize(("number", "error"), [(2, "KeyboardInterrupt"), (9, "BrokenProcessPool")])
def test_worker_that_died_says_of_what(number: int, error: str, tmp_path: Path) -> None:
    """An interrupt that the workers notice first is an interrupt; any other death is not."""
    (tmp_path / "script.py").write_text(
        f"import os, sys\nsys.path.insert(0, {str(EXAMPLE)!r})\nimport simulate\n"
        f"def die(task):\n    os.kill(os.getpid(), {number})\n"
        "simulate._make = die\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        with simulate._results([1, 2, 3], 2) as results:\n"
        "            list(results)\n"
        "    except BaseException as error:\n"
        "        print(type(error).__name__)\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{error}\n", done.stderr
