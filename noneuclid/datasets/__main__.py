"""Look at a data set before training on it.

    python -m noneuclid.datasets --data DIR
    python -m noneuclid.datasets --data DIR --feature-set full --fit normalization.json

prints what the folder holds and how fast it is read, and fits the normalization of the features.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from noneuclid.datasets.jet_features import FEATURE_SETS, feature_names
from noneuclid.datasets.jets import Jets
from noneuclid.datasets.normalization import FeatureNormalization
from noneuclid.datasets.splits import open_jets
from noneuclid.datasets.streams import JetStream


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; the result is the exit status."""
    options = _parse(arguments)
    try:
        splits = open_jets(
            options.data,
            feature_set=options.feature_set,
            classes=options.classes,
            max_particles=options.particles,
            normalization=FeatureNormalization.identity(options.feature_set),
            buffer=max(1, min(options.jets, 16_384)),  # no more is read than is looked at
        )
        print(f"classes: {', '.join(splits.train.class_names)}")
        for name, stream in splits._asdict().items():
            print(f"{name}: {stream.n_jets} jets in {len(stream.files)} files; ", end="")
            print(_look(stream, options.jets), flush=True)
        if options.fit:
            fitted = FeatureNormalization.fit(
                _first(splits.train, options.jets), options.feature_set
            )
            options.fit.write_text(json.dumps(fitted.to_dict(), indent=1), encoding="utf-8")
            names = feature_names(options.feature_set)
            for feature, standard in zip(names, fitted.standards, strict=True):
                print(f"  {feature:15s} centre {standard.centre:8.4f}  scale {standard.scale:8.4f}")
            print(f"wrote {options.fit}")
    except (OSError, ValueError, ImportError) as error:
        print(f"noneuclid.datasets: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m noneuclid.datasets", description="Look at a folder of jet files."
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of jet files, or one such file")
    add("--feature-set", choices=tuple(FEATURE_SETS), default="kin", help="inputs to read")
    add("--classes", nargs="+", help="names of the classes to read (default: all)")
    add("--particles", type=int, default=128, help="particles kept of each jet")
    add("--jets", type=int, default=10_000, help="jets to look at, of each split")
    add("--fit", type=Path, metavar="JSON", help="fit the normalization and write it there")
    return parser.parse_args(arguments)


def _first(stream: JetStream, jets: int) -> Iterator[Jets]:
    """Give batches until there are so many jets."""
    for batch in stream:
        yield batch
        jets -= len(batch)
        if jets <= 0:
            return


def _look(stream: JetStream, jets: int) -> str:
    """Read some jets and describe them."""
    begin, read, particles, mass = time.perf_counter(), 0, 0.0, []
    classes: Counter[str] = Counter()
    for batch in _first(stream, jets):
        read += len(batch)
        particles += float(batch.observables[:, 1].sum())
        mass.append(batch.observables[:, 0])
        classes.update(batch.class_names[code] for code in batch.classes.tolist())
    rate = read / (time.perf_counter() - begin)
    shares = ", ".join(f"{name} {count / read:.0%}" for name, count in classes.most_common())
    return (
        f"of {read}: {shares}; {particles / read:.1f} particles, "
        f"median mass {torch.cat(mass).median():.0f} GeV; read at {rate:.0f} jets/s"
    )


if __name__ == "__main__":
    sys.exit(main())
