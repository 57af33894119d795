"""What graph layers do with edges: equal to torch_geometric's, and sound on any graph."""

import pickle

import pytest
import torch
from layer_cases.case import coordinates, points
from torch import Tensor, nn
from torch_geometric import EdgeIndex
from torch_geometric.nn import GATConv, GCNConv, MessagePassing

import noneuclid as ne
from noneuclid.layers.graph import (
    AttentionalConcat,
    HGCNConv,
    KappaGCNConv,
    LorentzGCNConv,
    MixedCurvatureAttention,
)
from noneuclid.layers.graph._base import GraphLayer
from noneuclid.manifolds import HomogeneousManifold

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Sparse:UserWarning"),  # torch's own, of its CSR tensors
]

SPACES = ["K6(0)*", "S6(0.8)*", "H4* x B2 x E2"]
EVERY = {
    "kappa": lambda m: KappaGCNConv(m, m),
    "hgcn": lambda m: HGCNConv(m, m),
    "hgcn local": lambda m: HGCNConv(m, m, aggregation="local"),
    "hgcn attention": lambda m: HGCNConv(m, m, aggregation="midpoint", attention=True),
    "lorentz": lambda m: LorentzGCNConv(m, m),
    "attention": lambda m: MixedCurvatureAttention(m, m, 2),
}
every_layer = pytest.mark.parametrize("build", EVERY.values(), ids=EVERY.keys())
every_space = pytest.mark.parametrize("signature", SPACES)


def graph(nodes: int = 20, edges: int = 60) -> tuple[Tensor, Tensor]:
    """Return edges among all nodes but the last, each at most once, and their weights."""
    pairs = torch.randperm((nodes - 1) ** 2)[:edges]
    return torch.stack([pairs // (nodes - 1), pairs % (nodes - 1)]), torch.rand(edges) + 0.1


def drawn(space: HomogeneousManifold, nodes: int = 20) -> Tensor:
    with torch.no_grad():
        return points(space, 0.6 * torch.randn(nodes, space.dim))


def perturbed(layer: GraphLayer) -> GraphLayer:
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if not name.endswith("curvature.raw"):
                parameter.add_(0.1 * torch.randn(parameter.shape))
    return layer


def close(a: Tensor, b: Tensor, tolerance: float = 1e-6) -> None:
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


def shares(index: Tensor, weight: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    """Return the edges with a loop for who has none, and w_ij / d_i."""
    loops = [i for i in range(nodes) if not ((index[0] == i) & (index[1] == i)).any()]
    more = torch.tensor([loops, loops], dtype=torch.long)
    index, weight = torch.cat([index, more], 1), torch.cat([weight, torch.ones(len(loops))])
    degree = torch.zeros(nodes).index_add(0, index[1], weight)
    return index, weight / degree[index[1]]


# -- the flat limit --------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [KappaGCNConv, HGCNConv])
@pytest.mark.parametrize("space", ["K6(0)", "E6"])
def test_flat_layer_is_gcn(cls: type[GraphLayer], space: str) -> None:
    """At K = 0 the convolutions are torch_geometric's GCNConv with the same weights."""
    m = ne.manifold(space)
    layer = perturbed(cls(m, m.like(4), normalization="symmetric"))
    twin = GCNConv(6, 4)
    twin.load_state_dict(layer.flat_parameters())
    index, weight = graph()
    c = torch.randn(20, 6)
    for w in (None, weight):
        y = coordinates(m.like(4), layer(points(m, c), index, w))
        close(y, twin(c, index, w))


@pytest.mark.parametrize("cls", [KappaGCNConv, HGCNConv, LorentzGCNConv])
def test_flat_layer_of_shares_is_gcn(cls: type[GraphLayer]) -> None:
    """With the weights w_ij / d_i too."""
    m = ne.manifold("K6(0)")
    layer = perturbed(cls(m, m.like(4), normalization="row"))
    twin = GCNConv(6, 4, normalize=False)
    twin.load_state_dict(layer.flat_parameters())
    index, weight = graph()
    c = torch.randn(20, 6)
    y = coordinates(m.like(4), layer(points(m, c), index, weight))
    close(y, twin(c, *shares(index, weight, 20)))


@pytest.mark.parametrize("heads", [1, 2])
def test_flat_attention_is_gat(heads: int) -> None:
    """At K = 0 the attentions are torch_geometric's GATConv with the same weights."""
    m = ne.manifold("K6(0)")
    layers = [perturbed(MixedCurvatureAttention(m, m.like(4), heads))]
    if heads == 1:
        layers += [perturbed(HGCNConv(m, m.like(4), attention=True))]
        layers += [perturbed(HGCNConv(m, m.like(4), attention=True, aggregation="midpoint"))]
    index, _ = graph()
    c = torch.randn(20, 6)
    for layer in layers:
        twin = GATConv(6, 4 // heads, heads)
        twin.load_state_dict(layer.flat_parameters())
        close(coordinates(m.like(4), layer(points(m, c), index)), twin(c, index))
        first = torch.randperm(20)[:8].sort().values  # a batch: some targets, before the others
        order = torch.cat([first, torch.tensor([i for i in range(20) if i not in first])])
        place = torch.argsort(order)
        batch = place[index][:, (place[index[1]] < 8)]
        both = c[order], c[order[:8]]
        y = layer((points(m, both[0]), points(m, both[1])), batch)
        close(coordinates(m.like(4), y), twin(both, batch))


# -- any graph -------------------------------------------------------------------------------------


@every_layer
@every_space
def test_nodes_in_another_order(build: object, signature: str) -> None:
    """To number the nodes otherwise, or list the edges otherwise, changes nothing else."""
    m = ne.manifold(signature)
    layer, x = perturbed(build(m)), drawn(m)
    index, weight = graph()
    y = layer(x, index, weight)
    order, mixed = torch.randperm(20), torch.randperm(60)
    place = torch.argsort(order)
    again = layer(x[order], place[index[:, mixed]], weight[mixed])
    close(again, y[order], 3e-5)


@every_layer
@every_space
def test_strange_graphs(build: object, signature: str) -> None:
    """No edges, no nodes, nodes alone, repeated edges, loops: finite points and gradients."""
    m = ne.manifold(signature)
    layer = perturbed(build(m))
    for self_loops in (True, False):
        layer.self_loops = self_loops
        for edges in ([], [(0, 0)], [(0, 1), (0, 1), (1, 1)], [(2, 0), (1, 0)]):
            index = torch.tensor(edges, dtype=torch.long).reshape(-1, 2).T
            x = drawn(m, 4).requires_grad_()
            y = layer(x, index)
            assert m.check_point(y.detach()).all()
            gradients = torch.autograd.grad(y.sum(), [x, *layer.parameters()], allow_unused=True)
            assert all(g is None or g.isfinite().all() for g in gradients)
    assert layer(drawn(m, 0), torch.zeros(2, 0, dtype=torch.long)).shape[0] == 0


@every_layer
def test_a_node_that_hears_nothing_is_at_the_origin(build: object) -> None:
    """Without a loop, a node without neighbours is at the origin; "local" leaves it in place."""
    m = ne.manifold("H4* x S4 x K4(0)*")
    layer = build(m)
    layer.self_loops = False
    x = drawn(m, 3)
    y = layer(x, torch.tensor([[0], [1]]), torch.tensor([1.0]))
    c = coordinates(m, y)[2]
    assert not c.any() or getattr(layer, "aggregation", "") == "local"
    zero = layer(x, torch.tensor([[0], [1]]), torch.tensor([0.0]))  # a weight of 0 is no edge
    assert not coordinates(m, zero)[1].any() or getattr(layer, "aggregation", "") == "local"


@every_layer
def test_an_edge_twice_is_an_edge_of_weight_two(build: object) -> None:
    m = ne.manifold("H4* x S4 x K4(0)*")
    layer, x = perturbed(build(m)), drawn(m, 4)
    twice = layer(x, torch.tensor([[0, 0, 2, 3], [1, 1, 1, 0]]))
    close(layer(x, torch.tensor([[0, 2, 3], [1, 1, 0]]), torch.tensor([2.0, 1.0, 1.0])), twice)
    own = layer(x, torch.tensor([[0, 2, 3, 1], [1, 1, 0, 1]]), torch.tensor([2.0, 1.0, 1.0, 1.0]))
    close(own, twice)  # a loop that is listed is the one that would be added


def test_an_edge_of_weight_zero_is_none_whatever_its_score() -> None:
    m = ne.manifold("H4 x E4")
    layer, x = MixedCurvatureAttention(m, m), drawn(m, 4)
    with torch.no_grad():
        for scores in layer.scores:
            scores.source.mul_(1e4)
    for order in ([0, 1, 2], [2, 0, 1]):
        index, weight = torch.tensor([[0, 2, 3], [1, 1, 1]]), torch.ones(3)
        weight[order[0]] = 0
        y = layer(x.requires_grad_(), index, weight)
        close(y, layer(x, index[:, weight > 0]))
        assert torch.autograd.grad(y.sum(), x)[0].isfinite().all()


# -- forms of a graph ------------------------------------------------------------------------------


@every_layer
def test_sorted_edges(build: object) -> None:
    """An EdgeIndex, sorted or not, gives what a tensor gives, gradients included."""
    m = ne.manifold("H4* x S4 x K4(0)*")
    layer, x = perturbed(build(m)), drawn(m).requires_grad_()
    index, weight = graph()
    weight.requires_grad_()
    sorted_index, order = EdgeIndex(index, sparse_size=(20, 20)).sort_by("col")
    y = layer(x, index, weight)
    loose = EdgeIndex(index, sparse_size=(20, 20))
    for edges, w in ((loose, weight), (sorted_index, weight[order])):
        z = layer(x, edges, w)
        close(z, y, 1e-5)
        for a, b in zip(
            torch.autograd.grad(z.square().sum(), [x, weight]),
            torch.autograd.grad(y.square().sum(), [x, weight], retain_graph=True),
            strict=True,
        ):
            close(a, b, 1e-4)
    frozen = weight.detach()
    a = torch.autograd.grad(layer(x, sorted_index, frozen[order]).square().sum(), x)[0]
    close(a, torch.autograd.grad(layer(x, index, frozen).square().sum(), x)[0], 1e-4)


@pytest.mark.parametrize("name", ["kappa", "hgcn", "hgcn local", "lorentz"])
def test_cached_graph(name: str) -> None:
    """A cached layer gives the same, and keeps the graph of its first call until it is reset."""
    m = ne.manifold("H4* x S4 x K4(0)*")
    layer, x = EVERY[name](m), drawn(m)
    index, weight = graph()
    expected = layer(x, index, weight)
    layer.cached = True
    close(layer(x, index, weight), expected, 1e-5)
    close(layer(x, index[:, :3]), expected, 1e-5)
    close(pickle.loads(pickle.dumps(layer))(x, index[:, :3]), expected, 1e-5)
    layer.reset_parameters()
    assert not torch.allclose(layer(x, index[:, :3]), expected)


@every_layer
def test_batch_of_a_sampled_graph(build: object) -> None:
    """The targets of a pair, in front of the sources, get what they get in the whole graph."""
    m = ne.manifold("H4* x S4 x K4(0)*")
    layer, x = perturbed(build(m)), drawn(m)
    if isinstance(layer, KappaGCNConv):
        layer.normalization = "row"  # which asks nothing about edges that do not arrive
    index, weight = graph()
    arrives = index[1] < 7
    y = layer((x, x[:7]), index[:, arrives], weight[arrives])
    close(y, layer(x, index, weight)[:7], 1e-5)


def test_symmetric_weights_between_two_sets() -> None:
    """A_ij = w_ij / sqrt(d_i d_j), d_j the sum of what j sends, the loop of a target included."""
    m = ne.manifold("K3(0)")
    layer, c = KappaGCNConv(m, m), torch.randn(4, 3)
    index, weight = torch.tensor([[2, 3, 1, 3], [0, 0, 0, 1]]), torch.tensor([1.0, 2.0, 0.5, 3.0])
    a = torch.zeros(2, 4).index_put((index[1], index[0]), weight) + torch.eye(2, 4)
    a = a / (a.sum(1, keepdim=True) * a.sum(0)).sqrt()
    x = points(m, c)
    y = coordinates(m, layer((x, x[:2]), index, weight))
    close(y, a @ c @ layer.flat_parameters()["lin.weight"].mT)


def test_compiled_whole() -> None:
    """The variant that the laws do not compile."""
    m = ne.manifold("H4* x K4(0)*")
    layer, x = perturbed(EVERY["hgcn attention"](m)), drawn(m)
    index, weight = graph()
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    close(compiled(x, index, weight), layer(x, index, weight), 1e-5)


# -- symmetries ------------------------------------------------------------------------------------


@pytest.mark.parametrize("signature", ["H5(-0.7)", "S5(0.8)", "K5(0.9)", "B5", "H3 x S3 x K2(-1)"])
@pytest.mark.parametrize("name", ["kappa", "local", "lorentz", "attention"])
def test_means_commute_with_every_isometry(
    signature: str, name: str, generator: torch.Generator
) -> None:
    """With W the identity and no bias; beyond the equator of a sphere too."""
    m = ne.manifold(signature).double()
    layer = {
        "kappa": lambda: KappaGCNConv(m, m, False, normalization="row"),
        "local": lambda: HGCNConv(m, m, False, aggregation="local"),
        "lorentz": lambda: LorentzGCNConv(m, m, False),
        "attention": lambda: MixedCurvatureAttention(m, m, bias=False),
    }[name]().double()
    with torch.no_grad():
        for key, parameter in layer.named_parameters():
            parameter.zero_()
            if key.endswith("weight"):
                parameter[:, -parameter.shape[0] :] = torch.eye(parameter.shape[0])
    if name == "lorentz" and not signature.startswith("H5"):
        pytest.skip("its linear map is another one where K > 0")
    x = points(m, 0.7 * torch.randn(20, m.dim, dtype=torch.float64))
    index, weight = graph()
    move = m.random_isometry(generator, dtype=torch.float64)
    close(layer(move(x), index, weight.double()), move(layer(x, index, weight.double())), 1e-9)


# -- what is refused, what is kept -----------------------------------------------------------------


@every_layer
def test_it_is_message_passing(build: object) -> None:
    layer = build(ne.manifold("H4 x E4"))
    assert isinstance(layer, MessagePassing)
    assert isinstance(layer, nn.Module)
    assert "Lorentz(4" in repr(layer)


def test_refusals() -> None:
    m = ne.manifold("H4")
    x, index = m.random(3), torch.tensor([[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="edge_index must hold node numbers"):
        KappaGCNConv(m, m)(x, index.T.float())
    with pytest.raises(ValueError, match="edge_weight must have shape"):
        KappaGCNConv(m, m)(x, index, torch.ones(3))
    with pytest.raises(ValueError, match="targets too"):
        KappaGCNConv(m, m)((x, None), index)
    with pytest.raises(ValueError, match="normalization must be one of"):
        KappaGCNConv(m, m, normalization="column")
    with pytest.raises(ValueError, match="aggregation must be one of"):
        HGCNConv(m, m, aggregation="max")
    with pytest.raises(ValueError, match='"before"'):
        HGCNConv(m, m, bias="after")
    with pytest.raises(ValueError, match="heads must divide"):
        MixedCurvatureAttention(m, m, 3)
    with pytest.raises(ValueError, match="dropout"):
        MixedCurvatureAttention(m, m, dropout=1.0)
    with pytest.raises(ValueError, match="center"):
        AttentionalConcat(ne.manifold("H4 x E4"), center="all")
    with pytest.raises(ValueError, match="width"):
        AttentionalConcat(ne.manifold("H4 x E4"), 0)


def test_attention_weights_sum_to_one() -> None:
    m = ne.manifold("H4* x S4 x K4(0)*")
    layer, x = perturbed(MixedCurvatureAttention(m, m, 2, dropout=0.5)), drawn(m)
    index, weight = graph()
    for weights, loops in layer.eval().attention_weights(x, index, weight):
        total = torch.zeros(20, 2).index_add(0, index[1], weights) + loops
        close(total, torch.ones(20, 2))
    assert (layer.train()(x, index) != layer.eval()(x, index)).any()


def test_concat_shares_curvatures_and_width() -> None:
    m = ne.manifold("H3* x S5* x E2")
    layer = AttentionalConcat(m, 4)
    assert layer.manifold_out.dims == (4, 4, 4)
    assert layer.manifold_out.factors[0].curvature is m.factors[0].curvature
    weights = layer.factor_weights(torch.randn(7, 10))
    close(weights.sum(-1), torch.ones(7))
    assert AttentionalConcat(ne.manifold("H3")).manifold_out.same_as(ne.manifold("H3"))
