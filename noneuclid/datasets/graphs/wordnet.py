"""The hypernyms of WordNet 3.0, which the embeddings of hierarchies are measured on.

The readers take the ``dict`` directory of WordNet, which holds ``data.noun`` and ``index.noun``;
Debian's package ``wordnet-base`` puts it into ``/usr/share/wordnet``. The mammals are also in the
package: see ``noneuclid.datasets.graphs.mammals``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor

from noneuclid.datasets.graphs.graph import Graph, make_graph

HYPERNYM = frozenset({"@", "@i"})  # of kinds and of instances
NOT_MAMMALS = frozenset({"tusker.n.01", "female_mammal.n.01"})  # dropped by [nickel2017poincare]
PARTS = {"nouns": ("noun", "n"), "verbs": ("verb", "v"), "mammals": ("noun", "n")}


@dataclass(frozen=True)
class Synset:
    """A set of synonyms: the word it is named by, its lexicographer file, its hypernyms."""

    offset: str
    word: str
    category: int
    hypernyms: tuple[str, ...]


def read_wordnet(
    path: str | PathLike[str], part: str = "mammals", *, closure: bool = True
) -> Graph:
    """Read the hypernyms of nouns, verbs or mammals, transitively closed.

    Nodes are the synsets that have a hypernym or a hyponym, numbered so that an ancestor comes
    before its descendants: in each edge (u, v) the synset u is a hypernym of v. They are named by
    first word, part of speech and sense (``dog.n.01``); ``y`` is their lexicographer file, such as
    animal, food or event, numbered from 0. With WordNet 3.0 there are 82,115 nouns with 743,241
    edges, 13,542 verbs with 35,079, and 1,180 mammals with 6,540. Source: [nickel2017poincare].

    Args:
        path: The ``dict`` directory of WordNet.
        part: "nouns", "verbs", or "mammals": the descendants of ``mammal.n.01``, without the two
            synsets that the authors leave out.
        closure: Whether to join each synset to all its ancestors, or only to its hypernyms.

    Raises:
        ValueError: There is no such part, or a file is damaged.
        FileNotFoundError: There is no WordNet at ``path``.
    """
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}, got {part!r}")
    suffix, letter = PARTS[part]
    for file in (Path(path) / f"data.{suffix}", Path(path) / f"index.{suffix}"):
        if not file.is_file():
            raise FileNotFoundError(
                f"{file} is not there: give the dict directory of WordNet 3.0 "
                "(Debian: wordnet-base, /usr/share/wordnet)"
            )
    synsets = {synset.offset: synset for synset in _synsets(Path(path) / f"data.{suffix}")}
    senses = _senses(Path(path) / f"index.{suffix}")
    parents = {offset: synset.hypernyms for offset, synset in synsets.items()}
    names = {
        offset: f"{s.word}.{letter}.{senses.get((s.word, offset), 0):02d}"
        for offset, s in synsets.items()
    }
    if part == "mammals":
        parents = _below("mammal.n.01", parents, names)
    order = topological_order(parents)
    joined = {hypernym for above in parents.values() for hypernym in above}
    order = [offset for offset in order if parents[offset] or offset in joined]
    number = {offset: i for i, offset in enumerate(order)}
    categories = torch.tensor([synsets[offset].category for offset in order])
    edges = [(number[above], number[o]) for o in order for above in parents[o]]
    graph = make_graph(
        edges,
        len(order),
        y=categories.unique(return_inverse=True)[1],
        names=tuple(names[offset] for offset in order),
        name=f"wordnet_{part}",
        curvature_signs=(-1,),
    )
    return transitive_closure(graph) if closure else graph


def transitive_closure(graph: Graph) -> Graph:
    """Join each node v to all its ancestors: those u < v from which edges lead up to it."""
    above: list[list[int]] = [[] for _ in range(graph.num_nodes)]
    for u, v in graph.edges.tolist():
        above[v].append(u)
    ancestors: list[frozenset[int]] = []
    for parents in above:  # each u < v has its ancestors already
        ancestors.append(frozenset(parents).union(*(ancestors[u] for u in parents)))
    return graph.with_edges(_pairs(ancestors))


def topological_order(parents: dict[str, tuple[str, ...]]) -> list[str]:
    """Order nodes by their longest way to a root, then by name: parents before children.

    Raises:
        ValueError: There is a cycle.
    """
    below: dict[str, list[str]] = {node: [] for node in parents}
    for node, above in parents.items():
        for hypernym in above:
            below[hypernym].append(node)
    missing = {node: len(above) for node, above in parents.items()}
    depth = {node: 0 for node, count in missing.items() if not count}
    ready = list(depth)
    for node in ready:  # grows while it is gone through
        for child in below[node]:
            depth[child] = max(depth.get(child, 0), depth[node] + 1)
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
    if len(ready) < len(parents):
        cycle = min(node for node, count in missing.items() if count)
        raise ValueError(f"the hypernyms of {cycle} form a cycle: the file is damaged")
    return sorted(parents, key=lambda node: (depth[node], node))


def _pairs(ancestors: list[frozenset[int]]) -> Tensor:
    below = torch.repeat_interleave(torch.tensor([len(above) for above in ancestors]))
    flat = [u for above in ancestors for u in above]
    return torch.stack([torch.tensor(flat, dtype=torch.int64), below], dim=1)


def _synsets(path: Path) -> Iterator[Synset]:
    """Read a data file; its lines are of fields at counted places, up to a gloss after "|"."""
    for line in path.read_text(encoding="latin-1").splitlines():
        if line.startswith(" "):  # the licence
            continue
        try:
            field = line.split(" | ")[0].split()
            at = 4 + 2 * int(field[3], 16)
            pointers = [field[i : i + 3] for i in range(at + 1, at + 1 + 4 * int(field[at]), 4)]
            above = [target for symbol, target, kind in pointers
                     if symbol in HYPERNYM and kind == field[2]]  # fmt: skip
            yield Synset(field[0], field[4].lower(), int(field[1]), tuple(dict.fromkeys(above)))
        except (IndexError, ValueError) as error:
            raise ValueError(
                f"{path} is not a data file of WordNet: cannot read {line[:60]!r}"
            ) from error


def _senses(path: Path) -> dict[tuple[str, str], int]:
    """Read which sense of a word a synset is, counted from 1."""
    senses: dict[tuple[str, str], int] = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        field = line.split()
        if line.startswith(" ") or len(field) < 3:
            continue
        for sense, offset in enumerate(field[-int(field[2]) :], start=1):
            senses[field[0], offset] = sense
    return senses


def _below(
    root: str, parents: dict[str, tuple[str, ...]], names: dict[str, str]
) -> dict[str, tuple[str, ...]]:
    """Keep a synset and its descendants, without those that are left out by name."""
    kept: set[str] = set()
    for offset in topological_order(parents):
        above = any(hypernym in kept for hypernym in parents[offset])
        if (above or names[offset] == root) and names[offset] not in NOT_MAMMALS:
            kept.add(offset)
    if not kept:
        raise ValueError(f"there is no {root}: is this WordNet 3.0?")
    return {offset: tuple(h for h in parents[offset] if h in kept) for offset in sorted(kept)}
