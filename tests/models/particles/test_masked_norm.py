"""Masked batch normalisation is torch's on the rows that are there."""

import torch

from noneuclid.models.particles import MaskedBatchNorm


def test_equals_torch_on_the_real_rows() -> None:
    """In training, in its running statistics, and then in evaluation."""
    ours, torchs = MaskedBatchNorm(5).double(), torch.nn.BatchNorm1d(5).double()
    with torch.no_grad():
        for norm in (ours, torchs):
            norm.weight.copy_(torch.arange(1.0, 6.0))
            norm.bias.copy_(torch.arange(5.0))
    for _ in range(3):
        x = torch.randn(4, 7, 5, dtype=torch.float64) * 3 + 1
        mask = torch.rand(4, 7) < 0.6
        torch.testing.assert_close(ours(x, mask)[mask], torchs(x[mask]))
    for name, value in torchs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    ours.eval(), torchs.eval()
    torch.testing.assert_close(ours(x, mask)[mask], torchs(x[mask]))
    torch.testing.assert_close(ours.train()(x), torchs.train()(x.flatten(0, 1)).view_as(x))


def test_a_batch_without_rows() -> None:
    """Nothing is learned from it, and nothing breaks."""
    norm = MaskedBatchNorm(3)
    state = {name: value.clone() for name, value in norm.state_dict().items()}
    x = torch.randn(2, 4, 3, requires_grad=True)
    y = norm(x, torch.zeros(2, 4, dtype=torch.bool))
    y.sum().backward()
    assert torch.isfinite(y).all()
    assert torch.isfinite(x.grad).all()
    assert norm.running_mean.equal(state["running_mean"])
    assert norm.running_var.equal(state["running_var"])
