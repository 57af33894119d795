"""Pack simulated shards into a small sample of 8-bit integers: train.npz and test.npz.

    python examples/jets/pack_sample.py runs/sample examples/jets/sample --train 16000 --test 5000

takes that many jets of each class, split by event, and keeps the leading constituents of each jet:
pT in 256 logarithmic steps of 5 %, angles to the jet axis in steps of 0.0087 (half a tower of the
electromagnetic calorimeter). The true multiplicity and the jet axis are kept.
"""

import argparse
import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from noneuclid.datasets.jet_files import PACKED_ANGLE, PACKED_PT

Columns = dict[str, np.ndarray]


def main(arguments: Sequence[str]) -> int:
    """Pack a folder of shards; the result is the exit status."""
    parser = argparse.ArgumentParser(description="Pack shards into train.npz and test.npz.")
    parser.add_argument("shards", type=Path, help="folder that simulate.py filled")
    parser.add_argument("out", type=Path, help="folder of the sample")
    parser.add_argument("--train", type=int, default=16000, help="jets of each class")
    parser.add_argument("--test", type=int, default=5000, help="jets of each class")
    parser.add_argument("--constituents", type=int, default=64, help="kept of each jet")
    parser.add_argument("--seed", type=int, default=1, help="seed of the split and the order")
    options = parser.parse_args(arguments)
    try:
        jets, metadata = read_shards(options.shards)
        rows = choose(jets, (options.train, options.test), options.seed)
        options.out.mkdir(parents=True, exist_ok=True)
        metadata |= {"constituents": options.constituents, "split_seed": options.seed}
        for name, chosen in zip(("train", "test"), rows, strict=True):
            packed = pack(jets, chosen, options.constituents)
            packed["metadata"] = np.array(json.dumps({**metadata, "split": name}))
            path = options.out / f"{name}.npz"
            temporary = path.with_name(f"{path.name}.part")
            with temporary.open("wb") as stream:
                np.savez_compressed(stream, **packed)
            temporary.replace(path)
            print(f"{path}: {len(chosen)} jets, {path.stat().st_size / 1e6:.2f} MB")
    except (OSError, ValueError) as error:
        print(f"pack_sample.py: {error}", file=sys.stderr)
        return 1
    return 0


def read_shards(folder: Path) -> tuple[Columns, dict]:
    """Join the shards of a folder; the metadata are those that all have in common."""
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise ValueError(f"{folder} holds no shards: make them with simulate.py")
    shards = []
    for path in paths:
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                shards.append({name: arrays[name] for name in arrays.files})
                shards[-1]["offsets"]
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} is not a shard of simulate.py") from error
    metadata = [json.loads(str(shard.pop("metadata"))) for shard in shards]
    common = {k: v for k, v in metadata[0].items() if all(m.get(k) == v for m in metadata)}
    common |= {"format": "noneuclid-jets-packed", "version": 1}
    counts = np.concatenate([np.diff(shard.pop("offsets")) for shard in shards])
    columns = {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}
    columns["offsets"] = np.concatenate([[0], np.cumsum(counts)])
    return columns, common


def choose(jets: Columns, wanted: tuple[int, ...], seed: int) -> list[np.ndarray]:
    """Choose rows for each split, ``wanted`` of every class, no event in two splits; shuffled."""
    rng = np.random.default_rng(seed)
    chosen: list[list[np.ndarray]] = [[] for _ in wanted]
    for label in np.unique(jets["label"]):
        rows = np.flatnonzero(jets["label"] == label)
        events, event_of_row = np.unique(jets["event"][rows], return_inverse=True)
        place = rng.permutation(len(events))[event_of_row]  # in a random order of the events
        order = np.argsort(place, kind="stable")
        rows, place = rows[order], place[order]
        first = 0
        for part, number in zip(chosen, wanted, strict=True):
            if len(rows) - first < number:
                raise ValueError(f"class {label} has {len(rows)} jets, {sum(wanted)} are wanted")
            part.append(rows[first : first + number])
            # the next split begins with a new event, even if this one took only half of its last
            first = np.searchsorted(place, place[first + number - 1], side="right")
    return [rng.permutation(np.concatenate(part)) for part in chosen]


def pack(jets: Columns, rows: np.ndarray, n_constituents: int) -> Columns:
    """Quantise the leading constituents of some jets."""
    count = np.minimum(np.diff(jets["offsets"])[rows], n_constituents)
    first = np.repeat(jets["offsets"][rows] - (np.cumsum(count) - count), count)
    index = first + np.arange(count.sum())
    reference, scale, shift = PACKED_PT
    steps = np.rint(scale * np.log(jets["pt"][index] / reference) + shift).clip(0, 255)
    angles = {
        name: np.rint(jets[name][index] / PACKED_ANGLE).clip(-128, 127).astype(np.int8)
        for name in ("deta", "dphi")
    }
    return {
        # differences, modulo 256, of falling pT are small numbers, which deflate well
        "pt": np.diff(steps.astype(np.uint8), prepend=np.uint8(0)),
        **angles,
        "count": count.astype(np.uint8),
        "jet": jets["jet"][rows].astype(np.float16),
        "multiplicity": jets["multiplicity"][rows].astype(np.uint16),
        "event": jets["event"][rows],
        "label": jets["label"][rows],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
