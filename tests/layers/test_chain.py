"""Chain is torch.nn.Sequential without the exp and log between tangent layers."""

import pytest
import torch
from layer_cases import CASES, anywhere

import noneuclid as ne
from noneuclid.layers import (
    Activation,
    Chain,
    Lift,
    Linear,
    TangentLayer,
    TangentLayerNorm,
    TangentMean,
)
from noneuclid.layers._normal import translate


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


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ne.Product(ne.Lorentz(2, -1.0)), ne.Product(ne.Lorentz(2, -9.0))),
        (ne.Product(ne.Lorentz(4)), ne.Product(ne.Sphere(4))),
        (
            ne.Product(ne.Product(ne.Lorentz(2, -1.0)), ne.Euclidean(2)),
            ne.Product(ne.Product(ne.Lorentz(2, -9.0)), ne.Euclidean(2)),
        ),
        (ne.Product(ne.Lorentz(2, learnable=True)), ne.Product(ne.Lorentz(2, learnable=True))),
    ],
)
def test_products_of_one_factor_and_nested_ones_are_told_apart(
    first: ne.Product, second: ne.Product
) -> None:
    """A product is its factors, however many and however nested."""
    with pytest.raises(ValueError, match="layer 0 ends on"):
        Chain(Activation(first, torch.relu), Activation(second, torch.relu))
    Chain(Activation(first, torch.relu), Activation(ne.Product(*first.factors), torch.relu))


def test_autocast_rounds_no_translation() -> None:
    """What is computed in the working dtype stays there under autocast."""
    space = ne.Lorentz(4)
    c, b = torch.randn(50, 4), torch.randn(4)
    expected = translate(space, c, b)
    with torch.autocast("cpu", torch.bfloat16):
        assert translate(space, c, b).equal(expected)


def test_mean_of_no_slots() -> None:
    """A set without slots has the mean 0, with and without a mask."""
    space = ne.manifold("H3 x E2")
    pool, x = TangentMean(space), torch.zeros(2, 0, 6)
    assert pool(x).equal(torch.zeros(2, 5))
    assert pool(x, torch.zeros(2, 0, dtype=torch.bool)).equal(torch.zeros(2, 5))


def test_points_between_layers_that_prefer_them() -> None:
    """Where neighbours both read points of the hyperboloid, no exp and log stand between them."""
    H = ne.Lorentz(4)
    steps = [Linear(H, H), Linear(H, H), Activation(H, torch.tanh), Linear(H, H), TangentMean(H)]
    chain = Chain(*steps).double()
    assert chain._on_points(True) == [True, True, False, False, False]
    assert Chain(Activation(H, torch.tanh), Linear(H, H))._on_points(True) == [False, True]
    x = H.random(5, 3, dtype=torch.float64)
    torch.testing.assert_close(chain(x), torch.nn.Sequential(*steps)(x))


def test_padding_in_coordinates() -> None:
    """Inside a chain, too, what stands in masked places reaches no output and no gradient."""
    seen = set()
    for (cls, variant), build in CASES.items():
        found = anywhere(build)
        layer = found.layer.eval()
        if found.slots is None or not (layer.takes_mask and isinstance(layer, TangentLayer)):
            continue
        seen.add(cls)
        mask = torch.rand(found.shape(4)) < 0.6
        c = 0.5 * torch.randn(*mask.shape, layer.manifold_in.dim)
        leaf = torch.where(mask[..., None], c, float("nan")).requires_grad_()
        y, expected = layer.tangent(leaf, mask=mask), layer.tangent(c, mask=mask)
        rows = mask if y.shape[:-1] == mask.shape else slice(None)  # those of padding mean nothing
        name = f"{cls.__name__} {variant}"
        torch.testing.assert_close(y[rows], expected[rows], msg=lambda m, n=name: f"{n}: {m}")
        if y.requires_grad:
            (gradient,) = torch.autograd.grad(y[rows].sum(), leaf)
            assert torch.isfinite(gradient).all(), name
    assert len(seen) >= 7
