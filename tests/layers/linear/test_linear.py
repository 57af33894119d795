"""Linear maps: against their definitions, across models, through depth."""

import pytest
import torch

import noneuclid as ne
from noneuclid.functional import hyperplane_logits
from noneuclid.layers import (
    Activation,
    Chain,
    GatedLinear,
    HTCLinear,
    Linear,
    MobiusLinear,
    PoincareLinear,
    SpacelikeLinear,
    TangentLayerNorm,
)
from noneuclid.layers.linear import VARIANTS


def randomised(layer: MobiusLinear) -> MobiusLinear:
    with torch.no_grad():
        space = layer.manifold_out
        shift = torch.randn(space.dim, dtype=layer.bias.dtype) * 0.4
        layer.bias.copy_(space.expmap0(space.from_frame(shift)))
    return layer


@pytest.mark.parametrize("signature", ["B5(-0.7)", "P5(0.8)", "K5(-0.5)", "K5(0)", "K5(0.6)*"])
def test_moebius_matvec_and_add(signature: str, generator: torch.Generator) -> None:
    """On the stereographic models it is (W (x) x) (+) b."""
    space = ne.manifold(signature).double()
    layer = randomised(MobiusLinear(space, space.like(3)).double())
    x = space.random(20, generator=generator, dtype=torch.float64)
    moved = space.mobius_matvec(layer.weight, x)
    expected = space.like(3).mobius_add(moved, layer.bias)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize(("first", "second"), [("H5(-0.7)", "B5(-0.7)"), ("S5(2)", "P5(2)")])
def test_the_model_does_not_matter(first: str, second: str, generator: torch.Generator) -> None:
    """The same weights are the same map on isometric models."""
    A, B = ne.manifold(first), ne.manifold(second)
    a, b = (randomised(MobiusLinear(m, m).double()) for m in (A, B))
    to_b = ne.isometry(A, B)
    with torch.no_grad():
        b.weight.copy_(a.weight)
        b.bias.copy_(to_b(a.bias))
    x = A.random(20, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(b(to_b(x)), to_b(a(x)), atol=1e-8, rtol=1e-8)


def test_a_far_bias_and_far_points_stay_right() -> None:
    """The closed form keeps its digits where exp and log by themselves do, at radius 8."""
    H = ne.Lorentz(3)
    layer = MobiusLinear(H, H).double()
    direction = torch.tensor([[0.6, 0.8, 0.0], [-0.6, -0.8, 0.0]], dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(3))
        layer.bias.copy_(H.expmap0(H.from_frame(3 * direction[0])))
    x = H.expmap0(H.from_frame(8 * direction))
    # along one geodesic distances add and subtract
    torch.testing.assert_close(H.dist0(layer(x)), torch.tensor([11.0, 5.0], dtype=torch.float64))


def test_mixing() -> None:
    """By default factor i goes to factor i; with mixing every coordinate reaches every other."""
    P, Q = ne.manifold("H3 x S2"), ne.manifold("E4 x B2")
    apart, mixed = Linear(P, Q), Linear(P, Q, mixing=True)
    assert [tuple(part.weight.shape) for part in apart.parts] == [(4, 3), (2, 2)]
    assert [tuple(part.weight.shape) for part in mixed.parts] == [(6, 5)]
    x = P.random(1).requires_grad_()
    (gradient,) = torch.autograd.grad(Q.split(apart(x))[0].sum(), x)
    assert not P.split(gradient)[1].any()
    (gradient,) = torch.autograd.grad(Q.split(mixed(x))[0].sum(), x)
    assert P.split(gradient)[1].any()
    assert Linear(P, ne.Lorentz(3)).mixing
    with pytest.raises(ValueError, match="equally many factors, got 2 and 1"):
        Linear(P, ne.Lorentz(3), mixing=False)
    with pytest.raises(ValueError, match="maps one factor to one"):
        Linear(P, ne.Lorentz(3), variant="gated")


def test_the_default_for_each_pair() -> None:
    """Spacelike weights between hyperboloids, Moebius elsewhere; a named variant everywhere."""
    P, Q = ne.manifold("H3 x H2 x B2 x E2"), ne.manifold("H2 x B2 x B3 x E1")
    kinds = [type(part) for part in Linear(P, Q).parts]
    assert kinds == [SpacelikeLinear, MobiusLinear, MobiusLinear, MobiusLinear]
    for name, cls in VARIANTS.items():
        layer = Linear(P, Q, variant=name)
        assert [type(part) for part in layer.parts] == [cls] * 4
        assert Q.check_point(layer(P.random(5))).all()
    with pytest.raises(ValueError, match="variant must be one of busemann, "):
        Linear(P, Q, variant="moebius")
    with pytest.raises(TypeError, match="takes products"):
        SpacelikeLinear(P, Q)
    with pytest.raises(ValueError, match='"tangent", got'):
        MobiusLinear(P, Q, bias="points")


@pytest.mark.parametrize("name", sorted(VARIANTS))
@pytest.mark.parametrize("signature", ["H4(-0.7)*", "H4(-2)"])
def test_points_and_coordinates_give_the_same(
    name: str, signature: str, generator: torch.Generator
) -> None:
    """Reading points of the hyperboloid as they are changes nothing but rounding."""
    space = ne.manifold(signature).double()
    layer = Linear(space, space.like(3), variant=name).double()
    with torch.no_grad():
        for part, parameter in layer.parts[0].named_parameters(recurse=False):
            if part != "bias" or name != "mobius":
                parameter.add_(0.3 * torch.randn_like(parameter))
    x = space.random(20, generator=generator, dtype=torch.float64)
    c = layer.tangent(space.to_frame(space.logmap0(x)))
    target = space.like(3)
    torch.testing.assert_close(layer(x), target.expmap0(target.from_frame(c)))
    if space.curvature.learnable:  # the time entry is derived: a stale one is not read
        stale = torch.cat([2 * x[:, :1], x[:, 1:]], dim=-1)
        torch.testing.assert_close(layer(stale), layer(x))


@pytest.mark.parametrize("name", ["poincare", "spacelike", "gated", "htc"])
def test_no_jump_where_the_curvature_changes_sign(name: str) -> None:
    """A free curvature passes through 0: the values on both sides meet; beyond, it is flat."""
    c = 0.3 * torch.randn(20, 3, dtype=torch.float64)
    outputs = []
    for K in (-1e-9, 0.0, 1e-9, 0.1):
        space = ne.Stereographic(3, K)
        torch.manual_seed(0)
        layer = Linear(space, space.like(2), variant=name, dtype=torch.float64)
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
        outputs.append(layer.tangent(c))
    torch.testing.assert_close(outputs[0], outputs[1], atol=1e-7, rtol=0.0)
    for positive in outputs[2:]:
        torch.testing.assert_close(positive, outputs[1])


def test_poincare_coordinates_are_distances() -> None:
    """The output's signed distance to the coordinate hyperplane k is the logit k."""
    H = ne.Lorentz(4, -0.6)
    layer = PoincareLinear(H, H.like(3)).double()
    with torch.no_grad():
        layer.offset.normal_()
    x = H.random(10, dtype=torch.float64)
    logits = hyperplane_logits(H, x, layer.weight, layer.offset)
    axes = torch.eye(3, dtype=torch.float64)
    distances = hyperplane_logits(H.like(3), layer(x), axes, torch.zeros(3).double())
    torch.testing.assert_close(distances, logits)


def test_the_gate_bounds_the_radius() -> None:
    """No output gets beyond 2 asinh(sqrt(-K lambda) / 2); at first all are near radius 1."""
    H = ne.Lorentz(8, -0.5)
    layer = GatedLinear(H, H.like(6)).double()
    x = H.expmap0(H.from_frame(50 * torch.randn(100, 8, dtype=torch.float64)))
    bound = 2 * torch.asinh(torch.tensor(0.25).sqrt()) / 0.5**0.5
    radius = H.like(6).dist0(layer(x))
    assert radius.amax() < bound * (1 + 1e-6)
    near = H.like(6).dist0(layer(H.random(100, dtype=torch.float64)))
    assert 0.5 < near.mean() < 1.5


def test_htc_changes_the_curvature() -> None:
    """With equal weights the output at another curvature is the same up to scale."""
    H = ne.Lorentz(4)
    same, other = HTCLinear(H, H.like(3)), HTCLinear(H, ne.Lorentz(3, -4.0))
    other.load_state_dict(same.state_dict())
    x = H.random(10)
    torch.testing.assert_close(other(x), same(x) / 2)


@pytest.mark.parametrize("letter", "HBSPKE")
def test_radius_through_depth(letter: str) -> None:
    """24 Linear and ReLU layers of width 32 keep the radius within a factor of ten."""
    space = ne.manifold(f"{letter}32")
    steps = [
        step for _ in range(24) for step in (Linear(space, space), Activation(space, torch.relu))
    ]
    c = torch.randn(256, 32) / 32**0.5
    radius = space.dist0(Chain(*steps)(space.expmap0(space.from_frame(c))))
    assert 0.1 < radius.mean().item() < 10


def test_norm_restores_the_radius() -> None:
    """However narrow the stack, TangentLayerNorm puts every point at one curvature radius."""
    space = ne.manifold("H6(-4) x S4")
    steps = []
    for _ in range(24):
        steps += [Linear(space, space), Activation(space, torch.tanh), TangentLayerNorm(space)]
    x = Chain(*steps)(space.random(64))
    for factor, part, size in zip(space.factors, space.split(x), (0.5, 1.0), strict=True):
        torch.testing.assert_close(factor.dist0(part), torch.full((64,), size), rtol=0.05, atol=0.0)


def test_fresh_bias_is_the_origin_and_marked() -> None:
    """A fresh bias is the origin, marked with its manifold, and `reset_parameters` restores it."""
    H = ne.Lorentz(3)
    layer = randomised(MobiusLinear(H, H))
    assert ne.manifold_of(layer.bias).same_as(H)
    layer.reset_parameters()
    assert layer.bias.equal(H.origin())
    assert MobiusLinear(H, H, bias=False).bias is None
    assert ne.manifold_of(MobiusLinear(H, H, bias="tangent").bias) is None
    assert "bias='point'" in repr(layer)
