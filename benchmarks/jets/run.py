"""Train the taggers of the jet benchmark, one after the other; what is finished is kept.

    python benchmarks/jets/run.py --data DIR                      # all grids: 17 hours of a core
    python benchmarks/jets/run.py --data DIR --part 0 2 --budget 7200    # and, beside it, 1 2
    python benchmarks/jets/run.py --data DIR --only 'main/1k/*/0' 'routed/*'
    python benchmarks/jets/run.py --list

DIR has the jets in `train` and `test`, those of other showers in `showers/NAME`; the page that
report.py writes has the commands that simulate them. Each run is trained by the loop of
examples/jets/train.py, on one thread, until it has used its CPU-seconds of training steps. Its JSON
in --results is written when it is done, and a run that has one is skipped; a run that was stopped
(by --budget, SIGTERM or Ctrl-C) or killed goes on from its checkpoint in --work. Where a JSON is
deleted, the jets are looked at again, such as those of a new shower; nothing is trained again.
"""

import argparse
import fnmatch
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from grid import ORDER, GridError, Run, read_grids
from places import RESULTS, ROOT
from store import JETS, write_run


class Ending:
    """Whether to end: a signal has come, or the wall-clock budget is used up.

    During a training, its own handler of SIGTERM saves a checkpoint first.
    """

    def __init__(self, budget: float | None) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGTERM))
        if budget is not None:
            signal.setitimer(signal.ITIMER_REAL, max(budget, 1e-3))

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt  # the second time: at once
        self.asked = True

    def close(self) -> None:
        """Give the signals back."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    try:
        runs = chosen(read_grids(options.grids), options.only)
    except GridError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2
    first, every = options.part
    mine = runs[first::every]
    left = [run for run in mine if not done(run, options.results)]
    if options.list:
        print(listing(mine, left))
        return 0
    if options.data is None:
        print("run.py: --data DIR: the folder of the jets", file=sys.stderr)
        return 2
    ending = Ending(options.budget)
    try:
        return work_off(left, runs, options, ending)
    finally:
        ending.close()


def work_off(mine: list[Run], runs: list[Run], options: argparse.Namespace, ending: Ending) -> int:
    """Train what is left of this part; the result is the exit status."""
    import torch
    from measure import train, write_jets
    from training.loop import DivergenceError
    from training.run import StoppedError
    from training.settings import SettingsError

    torch.set_num_threads(1)
    failed = 0
    if options.part[0] == 0 and runs and not (options.results / JETS).exists():
        print(f"describing the test jets in {options.results / JETS}", flush=True)
        write_jets(runs[0], options.data, options.results)
    for number, run in enumerate(mine, start=1):
        if ending.asked:
            break
        print(f"[{number}/{len(mine)}] {run.name}", flush=True)
        try:
            train(run, options.data, options.work, options.results)
        except StoppedError:
            break
        except (SettingsError, DivergenceError, ImportError) as error:
            print(f"run.py: {run.name}: {error}", file=sys.stderr, flush=True)
            failed += 1
            if isinstance(error, DivergenceError):
                write_run(options.results, run.name, {"name": run.name, "failure": str(error)}, {})
    return 1 if failed else 0


def done(run: Run, results: Path) -> bool:
    """Tell whether a run is finished."""
    return (results / f"{run.name}.json").exists()


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the taggers of the jet benchmark.")
    add = parser.add_argument
    add("--data", type=Path, help="folder of the jets: train, test, showers/NAME")
    add("--grids", nargs="+", default=list(ORDER), help="names of files in `grids`, or paths")
    add("--only", nargs="+", metavar="PATTERN", help="names of runs, such as 'main/1k/*'")
    add("--part", nargs=2, type=int, default=[0, 1], metavar=("K", "N"), help="every N-th run,"
        " from the K-th on: for N processes beside each other")  # fmt: skip
    add("--budget", type=float, help="seconds of wall-clock after which to stop, with a checkpoint")
    add("--work", type=Path, default=ROOT / "runs" / "jets-benchmark", help="checkpoints")
    add("--results", type=Path, default=RESULTS, help="JSON and scores")
    add("--list", action="store_true", help="say what there is to do, and do nothing")
    options = parser.parse_args(argv)
    first, every = options.part
    if not 0 <= first < every:
        parser.error(f"--part K N needs 0 <= K < N, got {first} {every}")
    return options


def chosen(runs: list[Run], patterns: list[str] | None) -> list[Run]:
    """Return the runs whose names match, in their order.

    Raises:
        GridError: a pattern that no run matches.
    """
    if patterns is None:
        return runs
    for pattern in patterns:
        if not fnmatch.filter([run.name for run in runs], pattern):
            raise GridError(f"no run is called {pattern!r}: see --list")
    return [run for run in runs if any(fnmatch.fnmatch(run.name, p) for p in patterns)]


def listing(runs: list[Run], left: list[Run]) -> str:
    """Say which runs there are, which are done, and how much time the others are given."""
    lines = []
    for run in runs:
        bound = run.settings.get("cpu_seconds")
        limit = f"{bound:g} CPU-s" if bound else f"{run.settings.get('epochs')} epochs"
        lines.append(f"{'to do' if run in left else 'done ':5} {run.name}: {limit}")
    seconds = sum(run.settings.get("cpu_seconds", 0) for run in left)
    lines.append(
        f"{len(left)} of {len(runs)} to do, {seconds / 3600:.1f} h of CPU in training steps"
        " where that is bounded"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
