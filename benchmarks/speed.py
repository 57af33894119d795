"""Measure every operation against its Euclidean twin, and against geoopt and hypll.

    python benchmarks/speed.py            # everything: hours; what is stored is not measured again
    python benchmarks/speed.py --quick    # one size, few rounds, nothing compiled: under a minute

Times are processor time of one thread, in turns within one process; a ratio is a median over the
rounds. On a GPU (--device cuda) they are device time between events. Each row of the table is
stored in --out when it is measured; --page is written from what is stored.
"""

import argparse
import hashlib
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import speed_figure as figure
import speed_page as page
import torch
from speed_clock import Effort
from speed_libraries import MODELS
from speed_measure import PATHS, Place, measure, places
from speed_operations import OPERATIONS
from tqdm import tqdm

import noneuclid

ROOT = Path(__file__).resolve().parents[1]
SIZES = ((1024, 16), (65536, 32), (16384, 128))
QUICK_SIZES = ((16384, 32),)
QUICK_PATHS = ("Euclid", "native", "plain", "geoopt", "hypll")
QUICK_EFFORT = Effort(rounds=3, least=1, budget=0.05, turn=0.0, warm_up=1)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure every operation against its twin in R^n.")
    parser.add_argument("--quick", action="store_true", help="one size, few rounds, no compiler")
    parser.add_argument("--out", type=Path, help="folder of the results (runs/speed)")
    parser.add_argument("--page", type=Path, help="the page to write (docs/speed.md)")
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--operations", nargs="+", choices=OPERATIONS, default=list(OPERATIONS))
    parser.add_argument("--paths", nargs="+", choices=PATHS, help="what is compared")
    parser.add_argument("--sizes", nargs="+", type=size, help="rows x dimension, as in 65536x32")
    parser.add_argument("--rounds", type=int, help="rounds at most (21)")
    options = parser.parse_args(argv)
    name = "speed-quick" if options.quick else "speed"
    options.out = options.out or ROOT / "runs" / name
    options.page = options.page or (
        options.out / "speed.md" if options.quick else ROOT / "docs" / "speed.md"
    )
    options.sizes = options.sizes or (QUICK_SIZES if options.quick else SIZES)
    options.paths = options.paths or (QUICK_PATHS if options.quick else PATHS)
    return options


def size(text: str) -> tuple[int, int]:
    try:
        rows, dim = (int(part) for part in text.split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected rows x dimension, got {text!r}") from None
    if rows < 16 or dim < 2:
        raise argparse.ArgumentTypeError(f"expected 16 rows and 2 dimensions at least, got {text}")
    return rows, dim


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return what results depend on: a stored row of other settings is measured again."""
    return {
        "machine": page.processor() if options.device.type == "cpu" else _gpu(options.device),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {n: _version(n) for n in ("torch", "geoopt", "hypll")},
        "noneuclid": f"{noneuclid.__version__} ({_digest()})",
        "quick": options.quick,
        "paths": list(options.paths),
        "rounds": options.rounds,
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _gpu(device: torch.device) -> str:
    return torch.cuda.get_device_name(device)


def _digest() -> str:
    """Return eight digits that tell this source of the package from any other."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "noneuclid").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def write(path: Path, text: str) -> None:
    """Write to a temporary name and rename it: a file that is there is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def stored(path: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the rows of an earlier run with the same settings."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found["rows"] if found.get("settings") == wanted else {}


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure the rows that are not stored yet and return all of them."""
    path, about = options.out / "results.json", settings(options)
    rows = stored(path, about)
    wanted: list[Place] = places(options.models, options.operations, options.sizes)
    missing = [place for place in wanted if place.key not in rows]
    if len(missing) < len(wanted):
        print(f"{len(wanted) - len(missing)} of {len(wanted)} rows are in {path} already")
    effort = QUICK_EFFORT if options.quick else Effort()
    if options.rounds:
        effort = replace(effort, rounds=options.rounds, least=min(options.rounds, effort.least))
    for place in (bar := tqdm(missing, disable=not sys.stderr.isatty())):
        bar.set_description(place.key)
        rows[place.key] = vars(place) | measure(place, options.paths, effort, options.device)
        write(path, json.dumps({"settings": about, "rows": rows}, indent=1))
    return {"settings": about, "rows": rows}


def command(options: argparse.Namespace) -> str:
    """Return the command that makes this page, without where it writes."""
    default = arguments(["--quick"] if options.quick else [])
    words = ["python benchmarks/speed.py", *(["--quick"] if options.quick else [])]
    for name in ("device", "models", "operations", "paths", "sizes", "rounds"):
        value = getattr(options, name)
        if value != getattr(default, name):
            given = value if isinstance(value, list) else [value]
            texts = ["x".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in given]
            words += [f"--{name}", *(f"'{t}'" if " " in t else t for t in texts)]
    return " ".join(words)


def main(argv: Sequence[str] | None = None) -> None:
    options = arguments(argv)
    torch.set_num_threads(1)
    results = run(options)
    write(options.page, page.text(results, command(options)))
    print(f"wrote {options.page}")
    if figure.can_draw():
        print(f"wrote {figure.draw(results, options.out / 'speed.png')}")
    else:
        print("no figure: matplotlib is not installed (pip install 'noneuclid[viz]')")


if __name__ == "__main__":
    main()
