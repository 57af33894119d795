"""Far from the origin: midpoints of far points, and maps that start near a sphere's antipode."""

import pytest
import torch

import noneuclid as ne
from noneuclid.manifolds import _centroid
from noneuclid.testing.measured import Call
from noneuclid.testing.samples import antipode, last_shell, natural_length, of_length

REACHED = [(ne.Lorentz(3), dtype, 25.0) for dtype in (torch.float32, torch.float64)]
REACHED += [(ne.PoincareBall(3, -0.5), torch.float32, 15.0)]
REACHED += [(ne.PoincareBall(3, -0.5), torch.float64, 25.0)]


@pytest.mark.parametrize("share", [0.04, 0.4, 0.8, 1.0])
@pytest.mark.parametrize(("manifold", "dtype", "reach"), REACHED)
def test_midpoint_of_one_point_is_that_point(manifold, dtype, reach, share):
    """|sum w x|^2 cancels by e^2R in the plain form: the origin came out at radius 20."""
    radius = share * reach
    unit = float(manifold.curvature().abs()) ** -0.5
    direction = torch.tensor([0.6, -0.48, 0.64], dtype=dtype) * radius * unit
    x = manifold.expmap0(manifold.from_frame(direction))
    mean = manifold.midpoint(torch.stack([x, x, x]), torch.tensor([0.2, 1.0, 3.0], dtype=dtype))
    allowed = 8 * torch.finfo(dtype).eps * torch.exp(torch.tensor(radius)).item()
    assert float(manifold.dist(mean, x)) <= allowed * unit


@pytest.mark.parametrize("points", [3, 70])
@pytest.mark.parametrize("signature", ["H1(-100)", "H3", "H3(-0.01)*", "H20", "B3"])
def test_midpoint_that_one_point_outweighs(signature, points, monkeypatch):
    """e^200 beside e^120: the direction of the sum is that of the point but for what counts.

    The compiled form against the plain one, which `test_corners.py` holds against the truth.
    """
    H, source = ne.manifold(signature).double(), torch.Generator().manual_seed(0)
    frames = torch.randn(2, points, H.dim, generator=source, dtype=torch.float64)
    radii = torch.full((points, 1), 20.0 if signature == "B3" else 120.0, dtype=torch.float64)
    radii[points // 2] *= 5 / 3
    unit = float(H.curvature().detach().abs()) ** -0.5
    frames = frames / frames.norm(dim=-1, keepdim=True) * radii * unit
    x = H.expmap0(H.from_frame(frames)).detach().requires_grad_()
    w = (0.1 + torch.rand(2, points, generator=source, dtype=torch.float64)).requires_grad_()
    results = []
    for smallest in (0, 10**18):
        monkeypatch.setattr(_centroid, "SMALLEST", smallest)
        mean = H.midpoint(x, w)[..., -H.dim :]
        size = mean.detach().abs().amax(-1, keepdim=True)
        leaves = [x, w, *H.parameters()]
        results.append([mean / size, *torch.autograd.grad((mean / size).sum(), leaves)])
    for compiled, plain in zip(*results, strict=True):
        scale = plain.detach().abs()
        scale = scale.amax(-1, keepdim=True) if plain.dim() > 2 else scale.max()
        torch.testing.assert_close(compiled / scale, plain / scale, rtol=0, atol=1e-12)


def test_midpoint_of_two_far_points_is_between_them(dtype):
    H = ne.Lorentz(2)
    x = H.expmap0(torch.tensor([[0.0, 14.0, 0.0], [0.0, 16.0, 0.0]], dtype=dtype))
    assert float(H.dist0(H.midpoint(x))) == pytest.approx(15, rel=1e-6)


def test_midpoint_past_the_equator():
    """Two points close to the antipode of the origin, on either side, meet there."""
    P = ne.SphereProjection(2)
    x = torch.tensor([[100.0, 0.0], [-100.0, 0.0]], dtype=torch.float64)
    assert float(P.dist(P.midpoint(x), x[0])) == pytest.approx(float(P.dist(*x)) / 2, rel=1e-9)
    pair = torch.tensor([[1e3, 0.0], [1.1e3, 0.0]], dtype=torch.float64)
    assert torch.allclose(P.midpoint(pair), P.geodesic(*pair, 0.5), rtol=1e-14)


@pytest.mark.parametrize("size", [1e2, 1e8, 1e12, 1e15])
def test_log_and_exp_start_near_the_antipode_of_the_origin(size):
    """y - x has no digits of y there, and x + ... cancels."""
    P = ne.SphereProjection(3)
    far = torch.tensor([0.3, 0.5, -0.7], dtype=torch.float64) * size
    y = torch.tensor([0.1, -0.5, 0.2], dtype=torch.float64)
    v = P.logmap(far, y)
    assert float(P.norm(far, v)) == pytest.approx(float(P.dist(far, y)), rel=1e-13)
    assert float(P.dist(P.expmap(far, v), y)) < 1e-13


@pytest.mark.parametrize("curvature", [30.0, 0.01])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_transport_between_the_last_shell_and_its_antipode(dim, curvature, dtype, generator):
    """Where 1 + 2K x.y + K^2|x|^2|y|^2 is nothing but rounding, lengths grew by up to 1e7.

    In float64 y has no digits left that tell the direction of the path. On a line nothing turns,
    and the derivatives of the two mirrors that make up a turn cancel.
    """
    P = ne.Stereographic(dim, curvature)
    for x in last_shell(P, dtype, generator):
        y = antipode(P, x)
        for start, end in ((x, y), (y, x)):
            u = of_length(P, start, P.random_tangent(start, generator), natural_length(P))
            torch.testing.assert_close(P.norm(end, P.transp(start, end, u)), P.norm(start, u))
            if dtype == torch.float32:
                call = Call(P, "transp", [start, end, u], torch.randn(dim, generator=generator))
                gradients = call.gradient_errors() if dim > 1 else []
                for error in (call.value_error(), *gradients):
                    assert error.error <= error.allowed, error
