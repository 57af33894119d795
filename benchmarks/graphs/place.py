"""Where a run finds its graphs, keeps its state, and how long it may take."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from noneuclid.datasets.graphs import (
    Graph,
    degree_features,
    load_npz,
    mammals,
    read_wordnet,
    us_airports,
)


class OutOfTime(Exception):
    """The budget ended within a run; its state is kept, and it goes on next time."""


@dataclass(frozen=True)
class Place:
    """What a run has around it.

    Attributes:
        data: the folder of .npz files.
        wordnet: the dict directory of WordNet.
        checkpoint: the file for the state of a run that may be interrupted.
        end: when the budget ends, of `time.monotonic`; None: never.
    """

    data: Path | None
    wordnet: Path | None
    checkpoint: Path
    end: float | None = None

    def graph(self, options: dict[str, Any]) -> Graph:
        """Read a graph: `file`, or `shipped`, or a `part` of WordNet; `columns` picks features.

        Raises:
            FileNotFoundError: the folder of the files was not given, or the file is not there.
        """
        if "shipped" in options:
            return {"mammals": mammals, "us_airports": us_airports}[options["shipped"]]()
        if "part" in options:
            if self.wordnet is None:
                raise FileNotFoundError("--wordnet was not given")
            return read_wordnet(self.wordnet, options["part"])
        if self.data is None:
            raise FileNotFoundError("--data was not given")
        graph = load_npz(self.data / f"{options['file']}.npz")
        if "columns" in options and graph.x is not None:
            graph = replace(graph, x=graph.x[:, options["columns"]])
        return replace(graph, x=None) if options.get("features") in STRUCTURE else graph

    def save(self, state: dict[str, Any]) -> None:
        """Keep the state of a run; the file appears whole or not at all."""
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.checkpoint.with_name(f".{self.checkpoint.name}.part")
        torch.save(state, temporary)
        temporary.replace(self.checkpoint)

    def is_over(self) -> bool:
        """Tell whether the budget has ended."""
        return self.end is not None and time.monotonic() > self.end

    def check_time(self) -> None:
        """Raise OutOfTime where the budget has ended."""
        if self.is_over():
            raise OutOfTime("the budget has ended; its state is kept")


STRUCTURE = ("degree", "identity")


def features(graph: Graph, options: dict[str, Any]) -> Tensor:
    """Return what a model sees of the nodes, derived from this graph alone.

    "own", as they come; "rows", each row summing to 1; "degree", `degree_features`; "identity", a
    column for each node, beside the degrees.
    """
    kind = options.get("features", "own")
    if kind in STRUCTURE:
        degrees = degree_features(graph)
        return degrees if kind == "degree" else torch.cat([torch.eye(graph.num_nodes), degrees], 1)
    if graph.x is None:
        raise ValueError(f"{graph!r} has no features")
    if kind == "own":
        return graph.x
    total = graph.x.sum(1, keepdim=True)
    return graph.x / torch.where(total > 0, total, 1)
