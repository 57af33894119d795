"""Tag top jets with product-manifold networks: one table, one ROC figure, the jets in the disk.

    python examples/jets/tag.py                        # the jets of examples/jets/sample
    python examples/jets/tag.py --data train.h5 --signature "H* x E" --epochs 20

PM-MLPs of several geometries, a Euclidean network of the same number of parameters, and the floor:
four jet observables (mass, multiplicity, pT dispersion, girth) in a small MLP, which know nothing
of the constituents. Each run (model, seed) leaves its result in --out and is not trained again.
Source: [woodward2024product].
"""

import argparse
import json
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NoReturn

from tagging import report, training
from tagging.training import BASELINE, FLOOR, Data, Settings
from tqdm import tqdm

SAMPLE = Path(__file__).resolve().parent / "sample"
SIGNATURES = ("E", "H*", "S*", "H* x E", "H* x S*")
_DATA: list[Data] = []  # what a worker process has read


def stop(message: str) -> NoReturn:
    """Say in one sentence what is wrong, and end with exit code 2."""
    print(f"tag.py: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(2)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Tag top jets with product-manifold networks.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    positive = _at_least(1)
    parser.add_argument("--data", default=str(SAMPLE), help="jet file, or folder of jet files")
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder of the results")
    parser.add_argument(
        "--signature", nargs="+", default=list(SIGNATURES), help="geometries of the PM-MLPs"
    )
    parser.add_argument("--seeds", type=positive, default=3, help="number of seeds")
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--epochs", type=positive, default=6)
    parser.add_argument("--max-jets", type=positive, default=12_000, help="of each file read")
    parser.add_argument("--particles", type=positive, default=24, help="of each jet, leading in pT")
    parser.add_argument("--parameters", type=positive, default=4600, help="of every model")
    parser.add_argument("--batch", type=positive, default=256)
    parser.add_argument("--lr", type=_positive, default=5e-3, help="peak of the one-cycle schedule")
    parser.add_argument("--workers", type=positive, default=os.cpu_count() or 1, help="processes")
    return parser.parse_args(argv)


def _at_least(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}, got {value}")
        return value

    return parse


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
    if not 0 < value < math.inf:  # NaN is not
        raise argparse.ArgumentTypeError(f"expected a finite number above 0, got {text}")
    return value


def checked(options: argparse.Namespace) -> Data:
    """Look at everything that can be wrong before anything is trained or written."""
    for name in options.signature:
        try:
            training.build(name, options.parameters)
        except ValueError as error:
            stop(f"{error}.")
    try:
        data = training.read(options.data, options.particles, options.max_jets)
    except (OSError, ValueError, ImportError) as error:
        stop(f"cannot read jets: {error}.")
    if options.out.exists() and not options.out.is_dir():
        stop(f"--out {options.out} is not a folder: give a folder or a new name.")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        probe = options.out / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        stop(f"cannot write to --out {options.out}: {error.strerror}.")
    return data


def write(path: Path, value: Any) -> None:
    """Write JSON to a temporary name and rename it: a file that is there is whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, indent=1), encoding="utf-8")
    temporary.replace(path)


def stored(path: Path, settings: Settings) -> dict[str, Any] | None:
    """Return the result of an earlier run with the same settings, if there is one."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return result if result.get("settings") == training.asdict(settings) else None


def start_worker(path: str, particles: int, max_jets: int) -> None:
    _DATA.append(training.read(path, particles, max_jets))


def job(name: str, seed: int, settings: Settings) -> dict[str, Any]:
    if name == training.DISK:
        return training.disk(settings, _DATA[0])
    return training.run(name, seed, settings, _DATA[0])


def file_name(name: str, seed: int) -> str:
    kept = "".join(c if c.isalnum() or c in ".-" else {"*": "+"}.get(c, "_") for c in name)
    return f"{kept}_seed{seed}.json"


def train_all(
    jobs: list[tuple[str, int]], options: argparse.Namespace, settings: Settings
) -> dict[tuple[str, int], dict[str, Any]]:
    """Train what is not stored yet, the slow models first, and store each result as it comes."""
    paths = {key: options.out / file_name(*key) for key in jobs}
    results = {key: found for key in jobs if (found := stored(paths[key], settings)) is not None}
    missing = sorted((k for k in jobs if k not in results), key=lambda k: -_cost(k[0]))
    if results:
        print(f"{len(results)} of {len(jobs)} runs are in {options.out} already")
    if not missing:
        return results
    read = (options.data, options.particles, options.max_jets)
    context = multiprocessing.get_context("spawn")
    workers = min(options.workers, len(missing))
    with ProcessPoolExecutor(workers, context, start_worker, read) as pool:
        futures: dict[Future, tuple[str, int]] = {
            pool.submit(job, *key, settings): key for key in missing
        }
        with tqdm(total=len(jobs), initial=len(results), unit="run", desc="training") as bar:
            for future in as_completed(futures):
                key = futures[future]
                results[key] = future.result()
                write(paths[key], results[key])
                bar.set_postfix_str(f"{key[0]}: AUC {results[key]['auc']:.4f}")
                bar.update()
    return results


def _cost(name: str) -> int:
    return 0 if name in (FLOOR, BASELINE) else 1 + 3 * name.count("S") + 2 * name.count("H")


def main(argv: Sequence[str] | None = None) -> None:
    """Train, print the table, write results.json and the figures."""
    options = arguments(argv)
    begin = time.perf_counter()
    data = checked(options)
    settings = Settings(
        data=f"{Path(options.data).resolve().name}, sha256 {data.digest()}",
        train_jets=len(data.train),
        test_jets=len(data.test),
        particles=options.particles,
        parameters=options.parameters,
        epochs=options.epochs,
        batch=options.batch,
        lr=options.lr,
    )
    figures = report.can_draw()
    if not figures:
        print("tag.py: figures are left out: install noneuclid[viz].", file=sys.stderr)
    names = [FLOOR, BASELINE, *dict.fromkeys(options.signature)]
    seeds = range(options.seed, options.seed + options.seeds)
    jobs = [(name, seed) for name in names for seed in seeds]
    if figures:
        jobs.append((training.DISK, options.seed))
    found = train_all(jobs, options, settings)
    results = {name: [found[name, seed] for seed in seeds] for name in names}
    print("\n" + report.table(results) + "\n")
    write(options.out / "results.json", {"settings": training.asdict(settings), "runs": results})
    paths = report.draw(results, found[training.DISK, options.seed], options.out) if figures else []
    for path in (options.out / "results.json", *paths):
        print(f"wrote {path}")
    print(f"{time.perf_counter() - begin:.0f} s in all")


if __name__ == "__main__":
    main()
