"""What a grid may ask for: each task takes options, a seed and a place, and returns its result.

A result has `scores`, or `floors` with the scores of each; `validation`, by which combinations of
options are chosen; and what else is worth keeping.
"""

from collections.abc import Callable
from typing import Any

from embeddings import distances, neighbors
from place import OutOfTime, Place
from prediction import floors_of_links, floors_of_nodes, links, nodes
from sampling import sampled
from timing import epochs_of

__all__ = ["TASKS", "OutOfTime", "Place"]

Task = Callable[[dict[str, Any], int, Place], dict[str, Any]]
TASKS: dict[str, Task] = {
    "distances": distances,
    "neighbors": neighbors,
    "links": links,
    "floors of links": floors_of_links,
    "nodes": nodes,
    "floors of nodes": floors_of_nodes,
    "time per epoch": epochs_of,
    "sampled": sampled,
}
