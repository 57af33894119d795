"""The one interface: what is frozen, what is kept, what can be learned from nothing."""

from typing import Any

import torch

from noneuclid.manifolds import manifold
from noneuclid.models.graphs import (
    HGCN,
    FermiDiracDecoder,
    KappaGCN,
    LinkPredictor,
    NodeClassifier,
    Recipe,
    SelfMGNN,
    gcn,
)
from noneuclid.models.graphs.fitting import Edges

ROWS = torch.arange(40)


def test_a_frozen_encoder_stays_as_it_is(blocks: Any) -> None:
    encoder = SelfMGNN(6, "K4(-1)* x K4(1)* x E4")
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    for model in (NodeClassifier(encoder, 2), LinkPredictor(encoder)):
        recipe = Recipe(epochs=3)
        if isinstance(model, NodeClassifier):
            model.fit(blocks.x, blocks.edge_index, blocks.y, ROWS[::2], ROWS[1::2], recipe)
        else:
            pairs = blocks.edges[:20], torch.tensor([[0, 39], [1, 38]])
            model.fit(blocks.x, blocks.edge_index, blocks.edges, pairs, recipe)
        assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())
    free = NodeClassifier(encoder, 2, frozen=False)
    free.fit(blocks.x, blocks.edge_index, blocks.y, ROWS[::2], ROWS[1::2], Recipe(epochs=3))
    assert any(not torch.equal(v, before[k]) for k, v in encoder.state_dict().items())


def test_the_best_epoch_is_kept(blocks: Any) -> None:
    """After a fit the parameters are those of the best score, of equal ones the last."""
    model, scores, seen = NodeClassifier(gcn(6), 2), iter([0.1, 0.6, 0.6, 0.3, 0.2]), []
    weight = model.decoder.head.weight

    def score(codes: torch.Tensor) -> float:
        seen.append(weight.clone())
        return next(scores)

    def loss(codes: torch.Tensor) -> torch.Tensor:
        return model.decoder(codes).square().sum()

    model._fit(Edges(blocks.x, blocks.edge_index), loss, score, Recipe(epochs=5))
    assert torch.equal(weight, seen[2])
    assert not torch.equal(weight, seen[4])


def test_patience_ends_a_fit(blocks: Any) -> None:
    model = NodeClassifier(gcn(6), 2)
    given = blocks.x, blocks.edge_index, blocks.y, ROWS[::2], ROWS[1::2]
    history = model.fit(*given, Recipe(epochs=200, patience=5))
    assert len(history) < 200
    assert max(history) not in history[-5:]


def test_the_same_seed_gives_the_same_model(blocks: Any) -> None:
    given = blocks.x, blocks.edge_index, blocks.y, ROWS[::2], ROWS[1::2]
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(0)
        model = NodeClassifier(KappaGCN(6, dropout=0.5), 2)
        before = torch.random.get_rng_state()
        model.fit(*given, Recipe(epochs=3, seed=seed))
        assert torch.equal(torch.random.get_rng_state(), before)
        results.append(model.decoder.head.weight.detach())
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_nothing_is_learned_of_random_labels(blocks: Any) -> None:
    """A leak would show: held-out labels that no one can know are guessed at chance."""
    hits = []
    for seed in range(5):
        y = torch.randint(2, (40,), generator=torch.Generator().manual_seed(seed))
        torch.manual_seed(seed)
        model = NodeClassifier(HGCN(6, "H4"), 2)
        recipe = Recipe(epochs=10, lr=0.05, weight_decay=0)
        model.fit(blocks.x, blocks.edge_index, y, ROWS[::4], ROWS[1::4], recipe)
        hits.append(model.evaluate(blocks.x, blocks.edge_index, y, ROWS[2::4])["accuracy"])
        hits.append(model.evaluate(blocks.x, blocks.edge_index, y, ROWS[3::4])["accuracy"])
    assert 0.3 < sum(hits) / len(hits) < 0.7


def test_heads(blocks: Any) -> None:
    """The decoder may be any head of the library, as kappa-GCN's hyperplanes."""
    for head in ("softmax", "hyperplane", "prototype"):
        model = NodeClassifier(KappaGCN(6), 2, head=head)
        assert model(blocks.x, blocks.edge_index).shape == (40, 2)


def test_a_trained_encoder_has_a_decoder_that_stays(blocks: Any) -> None:
    """Under weight decay r would fall to 0, where all points may be one."""
    pairs = blocks.edges[:20], torch.tensor([[0, 39], [1, 38]])
    for learnable, frozen, moves in ((None, False, False), (True, False, True), (None, True, True)):
        model = LinkPredictor(KappaGCN(6), frozen=frozen, learnable=learnable)
        recipe = Recipe(epochs=3, weight_decay=1e-3)
        before = model.decoder.radius.clone(), model.decoder.log_temperature.clone()
        model.fit(blocks.x, blocks.edge_index, blocks.edges, pairs, recipe)
        after = model.decoder.radius, model.decoder.log_temperature
        assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True)) != moves


def test_fermi_dirac() -> None:
    m = manifold("H3 x E2")
    decoder = FermiDiracDecoder(m, 2.0, 0.5)
    x, y = m.random(7), m.random(7)
    p = 1 / (((m.dist(x, y) ** 2 - 2) / 0.5).exp() + 1)
    torch.testing.assert_close(torch.sigmoid(decoder(x, y)), p, atol=1e-5, rtol=1e-4)
