"""Graphs with an answer: real ones, generators of known curvature, splits and floors.

Every reader and generator gives a ``Graph``: undirected unique edges, features, classes, masks.

- Real: ``mammals`` and ``us_airports`` ship with the package; ``read_wordnet`` and ``load_npz``
  read files; ``public_graph`` downloads through torch-geometric.
- Made: trees, cycles, grids, random points of a sphere, a torus or the hyperbolic plane, fractals,
  motifs, communities, epidemics. ``Graph.curvature_signs`` holds what is known of their space.
- Protocol: ``link_split`` and the node splits hand a model what it may see; ``evaluate_links`` and
  ``evaluate_nodes`` score it; ``link_floors`` and ``node_floors`` are what it has to beat;
  ``check_link_leak`` and ``check_node_leak`` find out whether it has seen the test.
- Structure of a training graph: ``personalized_pagerank``, ``heat_kernel``, ``NeighborSampler``.
"""

from noneuclid.datasets.graphs.diffusion import heat_kernel, personalized_pagerank
from noneuclid.datasets.graphs.epidemic import disease
from noneuclid.datasets.graphs.evaluation import evaluate_links, evaluate_nodes, score_links
from noneuclid.datasets.graphs.floors_for_links import link_floors
from noneuclid.datasets.graphs.floors_for_nodes import degree_features, node_floors
from noneuclid.datasets.graphs.fractals import diamond, sierpinski
from noneuclid.datasets.graphs.geometric import (
    grid,
    hyperbolic_random_graph,
    random_geometric,
    sphere_graph,
    torus_graph,
)
from noneuclid.datasets.graphs.graph import Graph, make_graph
from noneuclid.datasets.graphs.leaks import LeakError, check_link_leak, check_node_leak
from noneuclid.datasets.graphs.link_splits import Links, LinkSplit, LinkTraining, link_split
from noneuclid.datasets.graphs.motifs import ba_shapes, tree_cycle, tree_grid
from noneuclid.datasets.graphs.neighbor_sampler import NeighborBatch, NeighborSampler
from noneuclid.datasets.graphs.node_splits import (
    NodeSplit,
    NodeTraining,
    public_split,
    split_fractions,
    split_per_class,
)
from noneuclid.datasets.graphs.npz_files import GraphFileError, load_npz, save_npz
from noneuclid.datasets.graphs.public import public_graph
from noneuclid.datasets.graphs.random_graphs import (
    barabasi_albert,
    erdos_renyi,
    lfr,
    random_graph_classes,
    stochastic_block_model,
    watts_strogatz,
)
from noneuclid.datasets.graphs.shipped import mammals, us_airports
from noneuclid.datasets.graphs.trees import (
    balanced_tree,
    cycle,
    ring_of_trees,
    tree_and_torus,
    tree_with_features,
)
from noneuclid.datasets.graphs.wordnet import read_wordnet, transitive_closure

__all__ = [
    "Graph",
    "GraphFileError",
    "LeakError",
    "LinkSplit",
    "LinkTraining",
    "Links",
    "NeighborBatch",
    "NeighborSampler",
    "NodeSplit",
    "NodeTraining",
    "ba_shapes",
    "balanced_tree",
    "barabasi_albert",
    "check_link_leak",
    "check_node_leak",
    "cycle",
    "degree_features",
    "diamond",
    "disease",
    "erdos_renyi",
    "evaluate_links",
    "evaluate_nodes",
    "grid",
    "heat_kernel",
    "hyperbolic_random_graph",
    "lfr",
    "link_floors",
    "link_split",
    "load_npz",
    "make_graph",
    "mammals",
    "node_floors",
    "personalized_pagerank",
    "public_graph",
    "public_split",
    "random_geometric",
    "random_graph_classes",
    "read_wordnet",
    "ring_of_trees",
    "save_npz",
    "score_links",
    "sierpinski",
    "sphere_graph",
    "split_fractions",
    "split_per_class",
    "stochastic_block_model",
    "torus_graph",
    "transitive_closure",
    "tree_and_torus",
    "tree_cycle",
    "tree_grid",
    "tree_with_features",
    "us_airports",
    "watts_strogatz",
]
