"""Plant every known bug in a copy of the repository and report which tests see it.

    python tests/mutants/run.py [words]        only those with a word in file or reason

Exits with 1 when a mutant survives or its text is not found exactly once.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PARALLEL = 2
SECONDS = 400  # for the tests of one mutant
COPIED = ("noneuclid", "tests", "pyproject.toml", "examples", "README.md")


class Outcome(NamedTuple):
    """What became of a mutant."""

    file: str
    why: str
    killer: str  # empty: it survived
    seconds: float


def gather() -> list:
    """Return the MUTANTS of every module beside this one."""
    sys.path.insert(0, str(HERE))  # the modules say `from mutant import Mutant`
    found = []
    for path in sorted(HERE.glob("*.py")):
        if path.stem in {"run", "mutant", "__init__"}:
            continue
        spec = importlib.util.spec_from_file_location(f"mutants_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found += module.MUTANTS
    return found


def copy_repository(place: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "sample", "runs")
            shutil.copytree(source, place / name, ignore=ignore)
        elif source.exists():
            shutil.copy(source, place / name)


def plant(mutant, place: Path) -> None:
    path = place / mutant.file
    text = path.read_text(encoding="utf-8")
    count = text.count(mutant.old)
    if count != 1:
        raise SystemExit(f"{mutant.file}: {count} places, not one, hold:\n{mutant.old}")
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")


def run_tests(place: Path, paths: tuple[str, ...], select: str = "") -> str:
    """Return the test that fails first, or the empty string; a hang is an error, not a kill."""
    environment = dict(os.environ, PYTHONPATH=str(place), PYTHONDONTWRITEBYTECODE="1")
    environment.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no"]
    command += ["-m", "not slow", *paths, *(["-k", select] if select else [])]
    done = subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    if done.returncode == 0:
        return ""
    if done.returncode not in (1, 2):  # 5: no test selected; 4: wrong path
        raise SystemExit(f"pytest ended with {done.returncode}: {done.stdout}{done.stderr}")
    match = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    return match[1] if match else "collection"


def try_one(mutant) -> Outcome:
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        copy_repository(place)
        plant(mutant, place)
        killer = run_tests(place, mutant.paths, mutant.select)
        if killer:  # it must pass without the bug, or it has not seen the bug
            shutil.copy(ROOT / mutant.file, place / mutant.file)
            if run_tests(place, (killer,)):
                raise SystemExit(f"{killer} fails without any bug planted; mend it first")
    return Outcome(mutant.file, mutant.why, killer, time.monotonic() - start)


def main(words: list[str]) -> int:
    mutants = [m for m in gather() if not words or any(w in m.file + m.why for w in words)]
    for mutant in mutants:  # a stale text is an error before the first test runs
        if (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.old) != 1:
            raise SystemExit(f"{mutant.file}: not exactly one place holds:\n{mutant.old}")
    outcomes = []
    with ThreadPoolExecutor(PARALLEL) as pool:
        futures = [pool.submit(try_one, mutant) for mutant in mutants]
        for future in tqdm(as_completed(futures), total=len(futures), unit="mutant"):
            outcome = future.result()
            outcomes.append(outcome)
            tqdm.write(f"{outcome.killer or 'SURVIVED'}: {outcome.why} ({outcome.seconds:.0f} s)")
    survivors = 0
    for outcome in sorted(outcomes):
        survivors += not outcome.killer
        print(f"{outcome.file}: {outcome.why}")
        print(f"    {outcome.killer or 'SURVIVED'}  ({outcome.seconds:.0f} s)")
    print(f"{len(outcomes) - survivors} of {len(outcomes)} mutants killed")
    return 1 if survivors or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
