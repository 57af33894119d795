"""Self-supervised training: stops, goes on, repeats."""

from typing import Any

import torch

from noneuclid.models.graphs import Pretraining, SelfMGNN


def started(blocks: Any, **options: Any) -> Pretraining:
    torch.manual_seed(0)
    encoder = SelfMGNN(6, "K3(-1)* x K3(1)* x E3", dropout=0.3, negatives=15)
    return Pretraining(encoder, blocks, **{"epochs": 6, "lr": 0.01, **options})


def test_resumed_is_not_told_from_uninterrupted(blocks: Any) -> None:
    whole = started(blocks)
    whole.run()
    first = started(blocks, epochs=3)
    first.run()
    state = first.state_dict()
    torch.manual_seed(99)
    second = started(blocks)
    second.load_state_dict(state)
    assert second.run() == whole.losses
    for a, b in zip(second.encoder.parameters(), whole.encoder.parameters(), strict=True):
        assert torch.equal(a, b)


def test_seeds(blocks: Any) -> None:
    state = torch.random.get_rng_state()
    one, same, other = (started(blocks, seed=seed).run() for seed in (0, 0, 1))
    assert one == same
    assert one != other
    torch.manual_seed(0)
    assert len(state) == len(torch.random.get_rng_state())


def test_losses_fall_and_curvatures_move(blocks: Any) -> None:
    training = started(blocks, epochs=40)
    before = training.encoder.curvatures()
    losses = training.run()
    assert len(losses) == 40
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    after = training.encoder.curvatures()
    assert all((a != b) == (b != 0) for a, b in zip(after, before, strict=True))
    still = started(blocks, epochs=2, curvature_lr=0.0)
    still.run()
    assert still.encoder.curvatures() == before


def test_patience(blocks: Any) -> None:
    training = started(blocks, epochs=50, lr=0.0, patience=3)
    losses = training.run()
    assert len(losses) < 50
    assert len(losses) - 1 - losses.index(min(losses)) == 3


def test_batches(blocks: Any) -> None:
    """A function of the epoch gives the graphs of its steps."""
    asked = []

    def batches(epoch: int) -> list[Any]:
        asked.append(epoch)
        return [blocks, blocks]

    training = started(blocks, epochs=2)
    training.data = batches
    assert len(training.run()) == 2
    assert asked == [0, 1]
    assert next(iter(training.optimizer.state.values()))["step"] == 4
