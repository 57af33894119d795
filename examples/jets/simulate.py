"""Simulate jets: top, QCD, quark, gluon, W, Z and H -> bb, by the recipe of the Top Tagging set.

    python examples/jets/simulate.py --jets 20000 --out runs/jets --workers 2
    python examples/jets/simulate.py --classes five --pt 800 1000 --out runs/five
    python examples/jets/simulate.py --shower vincia --mpi --out runs/other-shower

makes 20,000 jets of each class. It is a script beside the package because Pythia and FastJet are
GPL: the user runs it, noneuclid never imports them.

Proton-proton collisions at 14 TeV from Pythia 8 without multiple interactions, in a window of
pTHat; neutrinos removed; the light detector of ``simulation/detector.py``; anti-kT R = 0.8; jets
with 550 < pT < 650 GeV and |eta| < 2. ``qcd`` are dijets; ``quark`` (u, d, s) and ``gluon`` recoil
against Z -> nu nu, ``w`` and ``z`` against a parton, ``hbb`` against Z -> nu nu; ``top`` are of
hadronic t tbar. The truth lies in the jet: the parton of the hard process, or the W, Z, H or top at
its decay and every quark it decays to, within 0.8. Every jet that passes is kept, with the number
of its event: split by event.

For robustness: other tunes and showers (``--shower``), multiple interactions (``--mpi``), particles
without a detector (``--level particle``).

Jets per CPU-second of one core (shards of 500, start of Pythia included): hbb 115, gluon 110, quark
100, w 100, z 90, qcd 90, top 80; the other tunes are alike, ``--mpi`` costs 4 to 6 times as much,
Vincia 10 to 15 times. Without a detector a tenth to a third more.

Sources: [kasieczka2019machine] (recipe), [bierlich2022comprehensive] (Pythia 8.3),
[cacciari2012fastjet] (FastJet).

A run that was interrupted continues with the same command: finished shards are never touched. A
shard depends on (seed, class, shard number, recipe) alone, not on the number of workers nor on what
else is made: ``--only 3 7`` makes the shards 3, 4, 5 and 6, the same as in the whole run.
"""

import argparse
import contextlib
import importlib.util
import multiprocessing
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NoReturn

MISSING = [p for p in ("pythia8mc", "fastjet", "awkward") if importlib.util.find_spec(p) is None]
Task = tuple[Path, str, int, Any, str]  # path, class, shard number, recipe, command


def main(arguments: list[str]) -> int:
    """Run the simulation; the result is the exit status."""
    options = _parse(arguments)
    if MISSING:
        _stop(f"{', '.join(MISSING)} not found: install noneuclid[jets]")
    from simulation.generator import Recipe
    from simulation.shards import ShardError, is_finished, shard_path

    _make_folder(options.out)
    recipe = Recipe(
        options.seed, tuple(options.window), options.level, options.shard_jets,
        tuple(options.pt), options.mpi, options.shower,
    )  # fmt: skip
    command = shlex.join(["python", "examples/jets/simulate.py", *arguments])
    tasks: list[Task] = []
    shards = range(-(-options.jets // options.shard_jets))[slice(*(options.only or (None,)))]
    try:
        for name in options.classes:
            for shard in shards:
                path = shard_path(options.out, name, shard)
                if not is_finished(path, recipe):
                    tasks.append((path, name, shard, recipe, command))
    except ShardError as error:
        _stop(str(error))
    finished = len(shards) * len(options.classes) - len(tasks)
    made = _simulate(tasks, options, finished)
    print(f"{options.out}: {finished} shards were there, {len(tasks)} new with {made} jets")
    return 0


def _simulate(tasks: list[Task], options: argparse.Namespace, finished: int) -> int:
    """Make the missing shards and give the number of new jets."""
    from tqdm import tqdm

    made = 0
    total = (len(tasks) + finished) * options.shard_jets
    try:
        with (
            tqdm(total=total, initial=finished * options.shard_jets, unit="jet") as bar,
            _results(tasks, options.workers) as results,
        ):
            for jets in results:
                made += jets
                bar.update(min(jets, options.shard_jets))
    except BrokenProcessPool:
        _stop("a worker process died (out of memory?); the same command continues")
    except (OSError, ValueError) as error:
        _stop(f"could not make a shard: {error}")
    return made


@contextlib.contextmanager
def _results(tasks: list[Task], workers: int) -> Iterator[Iterator[int]]:
    """Run the tasks, in this process or in ``workers`` others; give the jets of each shard."""
    if workers == 1 or len(tasks) <= 1:
        yield map(_make, tasks)
        return
    context = multiprocessing.get_context("spawn")  # alike on every platform; a second to start
    at_once = (signal.SIGINT, signal.SIG_DFL)  # workers end without a word when interrupted
    workers = min(workers, len(tasks))
    with ProcessPoolExecutor(workers, context, signal.signal, at_once) as pool:
        started: list[Any] = []
        try:
            submitted = [pool.submit(_make, task) for task in tasks]
            started = multiprocessing.active_children()
            yield (done.result() for done in as_completed(submitted))
        except BrokenProcessPool:
            # Ctrl-C goes to all processes; the news that a worker died of it can be here first, and
            # before it is known what that worker died of: that is so once the pool has shut down
            pool.shutdown(cancel_futures=True)
            if any(worker.exitcode == -signal.SIGINT for worker in started):
                raise KeyboardInterrupt from None
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _make(task: Task) -> int:
    """Make one shard; runs in a worker."""
    from simulation.generator import make_shard
    from simulation.shards import write_shard

    path, name, shard, recipe, command = task
    with _quiet():
        jets = make_shard(name, shard, recipe)
    return write_shard(path, jets, name, shard, recipe, command)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send what C++ prints (the banners of both libraries) to nowhere: it breaks the bar."""
    sys.stdout.flush()
    saved = os.dup(1)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


def _parse(arguments: list[str]) -> argparse.Namespace:
    """Read and check the command line."""
    from simulation.processes import CLASS_SETS, PROCESSES, expand
    from simulation.recipe import SHOWERS, default_window

    parser = argparse.ArgumentParser(
        description="Simulate jets with Pythia 8 and FastJet.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    known = f"classes ({', '.join(PROCESSES)}) or sets of classes ({', '.join(CLASS_SETS)})"
    add("--out", type=Path, required=True, help="folder of the shards")
    add("--jets", type=int, default=20000, help="jets of each class, rounded up to whole shards")
    add("--classes", nargs="+", default=["binary"], help=known)
    add("--pt", nargs=2, type=float, default=[550.0, 650.0], help="range of the jets' pT in GeV")
    add("--window", nargs=2, type=float, help="range of pTHat in GeV (default: from --pt, 500 800)")
    add("--level", choices=("detector", "particle"), default="detector", help="what is clustered")
    add("--mpi", action="store_true", help="multiple parton interactions")
    add("--shower", choices=tuple(SHOWERS), default="monash", help="tune or shower")
    add("--seed", type=int, default=1, help="seed")
    add("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    add("--shard-jets", type=int, help="jets of a shard (default: 1000, or --jets if fewer)")
    add("--only", nargs=2, type=int, metavar=("FIRST", "STOP"), help="make these shards alone")
    options = parser.parse_args(arguments)
    if options.shard_jets is None:
        options.shard_jets = max(1, min(1000, options.jets))
    _check(options)
    if options.window is None:
        options.window = default_window(options.pt)
    try:
        options.classes = expand(options.classes)
    except ValueError as error:
        _stop(f"--classes: {error}")
    return options


def _check(options: argparse.Namespace) -> None:
    """Look at the numbers of the command line."""
    for name in ("jets", "workers", "shard_jets"):
        if getattr(options, name) < 1:
            _stop(f"--{name.replace('_', '-')} must be at least 1, got {getattr(options, name)}")
    if options.seed < 0:
        _stop(f"--seed must not be negative, got {options.seed}")
    for name in ("pt", "window"):
        low, high = getattr(options, name) or (500, 800)
        if not 20 <= low < high <= 7000:
            numbers = "two numbers with 20 <= low < high <= 7000 GeV"
            _stop(f"--{name} must be {numbers}, got {low} {high}")
    if options.only and not 0 <= options.only[0] < options.only[1]:
        _stop("--only must be two numbers with 0 <= FIRST < STOP, got {} {}".format(*options.only))


def _make_folder(folder: Path) -> None:
    """Make the output folder and see that files can be written there."""
    if folder.exists() and not folder.is_dir():
        _stop(f"--out {folder} is not a folder: give a folder or a new name")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        _stop(f"cannot write to the folder {folder}: {error.strerror or error}")


def _stop(message: str, status: int = 1) -> NoReturn:
    """End with one sentence and no traceback."""
    print(f"simulate.py: {message}", file=sys.stderr)
    raise SystemExit(status)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # this process's own may be on its way
        _stop("interrupted; the same command continues", status=130)
