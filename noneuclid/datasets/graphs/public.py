"""The public benchmark graphs, through torch-geometric, for those who have a network."""

from os import PathLike, fspath
from typing import Any

from noneuclid.datasets.graphs.graph import Graph

PUBLIC = {
    **dict.fromkeys(("Cora", "CiteSeer", "PubMed"), "Planetoid"),
    **dict.fromkeys(("Computers", "Photo"), "Amazon"),
    **dict.fromkeys(("USA", "Brazil", "Europe"), "Airports"),
}


def public_graph(name: str, root: str | PathLike[str]) -> Graph:
    """Give a public graph, which torch-geometric downloads once.

    Args:
        name: "Cora", "CiteSeer", "PubMed" with the public split [yang2016revisiting]; "Computers",
            "Photo" of Amazon [shchur2018pitfalls]; "USA", "Brazil", "Europe": airports with
            classes of activity and the nodes' identities as features [ribeiro2017identity].
        root: Folder for the downloads.

    Raises:
        ValueError: There is no such graph.
        ImportError: torch-geometric is not installed (``noneuclid[graphs]``).
    """
    if name not in PUBLIC:
        raise ValueError(f"name must be one of {', '.join(PUBLIC)}, got {name!r}")
    dataset = getattr(_datasets(), PUBLIC[name])(fspath(root), name=name)
    return Graph.from_data(dataset[0], name=name)


def _datasets() -> Any:
    try:
        from torch_geometric import datasets
    except ImportError as error:
        raise ImportError(
            "torch-geometric is not installed: pip install 'noneuclid[graphs]'"
        ) from error
    return datasets
