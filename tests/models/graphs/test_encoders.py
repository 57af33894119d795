"""What every graph encoder keeps, and that every one learns."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from noneuclid.layers._normal import to_normal
from noneuclid.models.graphs import (
    DGI,
    GRACE,
    HGCN,
    HNN,
    GraphEncoder,
    GraphMAE,
    KappaGCN,
    LinkPredictor,
    LorentzGCN,
    MotifRGC,
    NodeClassifier,
    Recipe,
    SelfMGNN,
    SelfSupervised,
    gat,
    gcn,
    mlp,
    sgc,
)

Build = Callable[[], GraphEncoder]
ENCODERS: dict[str, Build] = {
    "HNN": lambda: HNN(6, "H4* x S4*"),
    "HGCN": lambda: HGCN(6, "H8*"),
    "HGCN attention": lambda: HGCN(6, "B4* x E4", attention=True, aggregation="midpoint"),
    "KappaGCN": lambda: KappaGCN(6, "K4(-1)* x K4(1)*", dropout=0.1),
    "LorentzGCN": lambda: LorentzGCN(6, "H8*"),
    "SelfMGNN": lambda: SelfMGNN(6, "K4(-1)* x K4(1)* x E4", dropout=0.1),
    "MotifRGC": lambda: MotifRGC(6, "H4* x S4 x E4", features=16),
    "DGI": lambda: DGI(6, 16),
    "GRACE": lambda: GRACE(6, 16),
    "GraphMAE": lambda: GraphMAE(6, 16),
    "gcn": lambda: gcn(6),
    "gat": lambda: gat(6),
    "sgc": lambda: sgc(6),
    "mlp": lambda: mlp(6),
}
BLIND = {"HNN", "mlp"}  # see no edges
every_encoder = pytest.mark.parametrize(("name", "build"), ENCODERS.items(), ids=ENCODERS.keys())


@every_encoder
def test_points_of_any_graph(name: str, build: Build, blocks: Any) -> None:
    """Points on the manifold, whatever the order of the nodes, for no edges and no nodes too."""
    encoder = build().eval()
    y = encoder(blocks.x, blocks.edge_index)
    assert y.shape == (40, *encoder.manifold.point_shape)
    assert encoder.manifold.check_point(y.detach()).all()
    order = torch.randperm(40)
    turned = encoder(blocks.x[order], torch.argsort(order)[blocks.edge_index])
    c, again = (to_normal(encoder.manifold, p) for p in (y[order], turned))
    torch.testing.assert_close(again, c, atol=3e-5, rtol=3e-5)
    none = torch.zeros(2, 0, dtype=torch.long)
    alone = encoder(blocks.x, none)
    assert alone.isfinite().all()
    assert torch.equal(alone, y) == (name in BLIND)
    assert encoder(blocks.x[:0], none).shape[0] == 0
    with pytest.raises(ValueError, match="expects features of shape"):
        encoder(blocks.x[:, :3], none)


@every_encoder
def test_every_encoder_learns_nodes(name: str, build: Build, blocks: Any) -> None:
    """With four known nodes, the blocks of the others are found; without edges, by features."""
    train = torch.tensor([0, 1, 20, 21])
    rest = torch.tensor([i for i in range(40) if i not in train])
    recipe = Recipe(epochs=25, lr=0.03, weight_decay=0, pretraining={"epochs": 15, "lr": 0.01})
    torch.manual_seed(0)
    model = NodeClassifier(build(), 2)
    history = model.fit(blocks.x, blocks.edge_index, blocks.y, train, rest[::2], recipe)
    found = model.evaluate(blocks.x, blocks.edge_index, blocks.y, rest[1::2])["accuracy"]
    assert len(history) <= 25
    assert found >= (0.6 if name in BLIND else 0.75)


@pytest.mark.parametrize("name", ["KappaGCN", "SelfMGNN"])
def test_encoders_learn_links(name: str, blocks: Any) -> None:
    """Held-out edges lie in the blocks, other pairs mostly do not."""
    order = torch.randperm(len(blocks.edges))
    train, held = blocks.edges[order[:-30]], blocks.edges[order[-30:]]
    index = torch.cat([train, train.flip(1)]).T
    pairs = torch.combinations(torch.arange(40))
    taken = torch.isin(pairs @ torch.tensor([40, 1]), blocks.edges @ torch.tensor([40, 1]))
    free = pairs[~taken]
    free = free[torch.randperm(len(free))[:60]]
    recipe = Recipe(epochs=80, lr=0.05, weight_decay=0, pretraining={"epochs": 15, "lr": 0.01})
    torch.manual_seed(0)
    model = LinkPredictor(ENCODERS[name]())
    model.fit(blocks.x, index, train, (held[:15], free[:30]), recipe)
    assert model.evaluate(blocks.x, index, held[15:], free[30:])["auc"] > 0.6
    odds = model(blocks.x, index, held)
    assert odds.shape == (30,)


@pytest.mark.parametrize("network", [KappaGCN, HGCN])
def test_an_activation_may_follow_the_last_layer(network: Any, blocks: Any) -> None:
    plain = network(6, "K4(-1)* x K4(1)*")
    active = network(6, "K4(-1)* x K4(1)*", activated=True)
    active.load_state_dict(plain.state_dict())
    c, cut = (m.coordinates(blocks.x, blocks.edge_index) for m in (plain, active))
    assert (c < 0).any()
    torch.testing.assert_close(cut, torch.relu(c))


@pytest.mark.parametrize("name", ["SelfMGNN", "MotifRGC", "DGI", "GRACE", "GraphMAE"])
def test_losses_reach_every_parameter(name: str, blocks: Any) -> None:
    encoder = ENCODERS[name]()
    assert isinstance(encoder, SelfSupervised)
    loss = encoder.contrast(blocks)
    names, parameters = zip(*encoder.named_parameters(), strict=True)
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    for key, gradient in zip(names, gradients, strict=True):
        assert gradient is not None, key
        assert gradient.isfinite().all(), key


def test_embedding_changes_no_mode(blocks: Any) -> None:
    encoder = SelfMGNN(6, dropout=0.1, codes="first").train()
    y = encoder.embed(blocks.x, blocks.edge_index)
    assert encoder.training
    assert not y.requires_grad
    torch.testing.assert_close(y, encoder.eval()(blocks.x, blocks.edge_index))
