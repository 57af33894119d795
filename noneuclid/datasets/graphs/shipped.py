"""The small real graphs inside the package; ``_shipped/LICENSES.md`` says whose they are."""

from importlib.resources import files

from noneuclid.datasets.graphs.graph import Graph
from noneuclid.datasets.graphs.npz_files import load_npz
from noneuclid.datasets.graphs.wordnet import transitive_closure


def mammals(*, closure: bool = True) -> Graph:
    """Give the mammals of WordNet 3.0: 1,180 nodes, 6,540 edges of the closure.

    As ``read_wordnet(path, "mammals")``, without ``y``. In each edge (u, v) the synset u is a
    hypernym of v. Source: [nickel2017poincare], [fellbaum1998wordnet].

    Args:
        closure: Whether to join each synset to all its ancestors, or only to its hypernyms.
    """
    graph = _shipped("wordnet_mammals")
    return transitive_closure(graph) if closure else graph


def us_airports() -> Graph:
    """Give the airports of the United States and the routes flown between them in July 2026.

    352 nodes and 3,017 edges, one component: two airports are joined where a reporting carrier
    flew between them at least four times. ``x`` is the unit vector of the place on the sphere and
    its altitude in kilometres; ``y`` the size, 0 small, 1 medium, 2 large; ``positions`` latitude
    and longitude in degrees; ``names`` the IATA codes. Sources: OurAirports; United States Bureau
    of Transportation Statistics, Reporting Carrier On-Time Performance.
    """
    return _shipped("us_airports")


def _shipped(name: str) -> Graph:
    with (files("noneuclid.datasets.graphs") / "_shipped" / f"{name}.npz").open("rb") as stream:
        return load_npz(stream, name=name)
