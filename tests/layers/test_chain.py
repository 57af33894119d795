"""Chain is torch.nn.Sequential without the exp and log between tangent layers."""

import pytest
import torch

import noneuclid as ne
from noneuclid.layers import Activation, Chain, Lift, Linear, TangentLayerNorm


@pytest.mark.parametrize("signature", ["S4", "P4(2)", "K4(0.7)", "H4", "H3 x S3(0.5)"])
def test_equal_to_sequential_around_the_sphere(signature: str) -> None:
    """Also where the coordinates of a layer's output go around the sphere more than once."""
    space = ne.manifold(signature)
    steps = [
        Lift(5, space),
        Activation(space, lambda t: t * t),
        Linear(space, space, bias=False, gain=3.0),
        TangentLayerNorm(space),
        Activation(space, torch.tanh),
        Linear(space, space),
        Activation(space, torch.exp),
    ]
    with torch.no_grad():
        steps[3].weight.mul_(2)
    layers = torch.nn.ModuleList(steps).double()
    x = 2 * torch.randn(200, 5, dtype=torch.float64)
    y, expected = Chain(*layers)(x), torch.nn.Sequential(*layers)(x)
    torch.testing.assert_close(y, expected, atol=1e-7, rtol=1e-7)


def test_lift_is_its_formula() -> None:
    """A lift is exp_o(s (W x + b)) with one s for each factor."""
    space = ne.manifold("H2 x E3")
    lift = Lift(4, space).double()
    with torch.no_grad():
        lift.bias.normal_()
        lift.log_scale.copy_(torch.tensor([0.5, -1.0]))
    x = torch.randn(6, 4, dtype=torch.float64)
    c = x @ lift.weight.mT + lift.bias
    scale = torch.tensor([0.5] * 2 + [-1.0] * 3, dtype=torch.float64).exp()
    torch.testing.assert_close(lift(x), space.expmap0(space.from_frame(scale * c)))
