"""Make the data files that ship inside ``noneuclid.datasets.graphs`` from their sources.

    python examples/graphs/pack_shipped.py --wordnet DICT --airports bokeh_sampledata.whl --out DIR

``DICT`` is the ``dict`` directory of WordNet 3.0; the wheel comes from
``pip download --no-deps bokeh_sampledata==2026.1``.
"""

import argparse
import csv
import gzip
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from noneuclid.datasets.graphs import Graph, make_graph, read_wordnet, save_npz

SIZES = {"small_airport": 0, "medium_airport": 1, "large_airport": 2}
FEET_PER_KILOMETRE = 3280.84


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wordnet", type=Path, required=True)
    parser.add_argument("--airports", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    mammals = replace(read_wordnet(options.wordnet, "mammals", closure=False), y=None)
    for graph in (mammals, airports(options.airports)):
        path = options.out / f"{graph.name}.npz"
        save_npz(graph, path)
        print(f"{path}: {graph}, {path.stat().st_size} bytes")


def airports(wheel: Path) -> Graph:
    """Join the airports of the wheel that have a route, in the order of their codes."""
    with zipfile.ZipFile(wheel) as archive:
        places = archive.read("bokeh_sampledata/_data/airports.csv").decode()
        routes = gzip.decompress(archive.read("bokeh_sampledata/_data/routes.csv.gz")).decode()
    pairs = [(row["Source"], row["Destination"]) for row in csv.DictReader(io.StringIO(routes))]
    codes = sorted({code for pair in pairs for code in pair})
    number = {code: i for i, code in enumerate(codes)}
    rows = {row["IATA"]: row for row in csv.DictReader(io.StringIO(places))}
    degrees = np.array([[float(rows[c][k]) for k in ("Latitude", "Longitude")] for c in codes])
    altitude = np.array([float(rows[c]["Altitude"]) for c in codes]) / FEET_PER_KILOMETRE
    latitude, longitude = np.deg2rad(degrees).T
    across = np.cos(latitude)
    x = [across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude), altitude]
    return make_graph(
        [(number[a], number[b]) for a, b in pairs],
        len(codes),
        x=torch.from_numpy(np.stack(x, axis=1).astype(np.float32)),
        y=torch.tensor([SIZES[rows[c]["Type"]] for c in codes]),
        positions=torch.from_numpy(degrees.astype(np.float32)),
        names=tuple(codes),
        name="us_airports",
    )


if __name__ == "__main__":
    main()
