"""The Frechet mean: against 100 digits, its derivatives, its convergence, its edge cases."""

import math

import pytest
import torch

import noneuclid as ne
from noneuclid.testing.oracle import Truth

SIGNATURES = ["H2*", "B2(-0.5)*", "K2(-0.4)*", "K2(0)*", "K2(0.6)*", "P2(0.7)*", "S2(1.3)*", "E2"]


class MeanTruth(Truth):
    """The mean in ambient vectors: Newton's method until the gradient vanishes to 40 digits.

    Whatever path it takes, a vanishing gradient proves the mean: it is unique for these points.
    """

    def __init__(self, manifold, change=0) -> None:
        super().__init__(manifold)
        self.curvature += change
        self.rate = self.mp.sqrt(abs(self.curvature)) if self.sign else self.mp.mpf(1)

    def _numbers(self, x):
        if isinstance(x, list):
            return x
        return [self.mp.mpf(float(a)) for a in x.detach().double()]

    def lift(self, x):
        """Return the ambient point of all coordinates; a Lorentz point's first is derived."""
        numbers = self._numbers(x)
        return super().lift(numbers[1:] if isinstance(self.manifold, ne.Lorentz) else numbers)

    def frame(self, m):
        """Return an orthonormal basis of the tangent space at m, by Gram and Schmidt."""
        basis = []
        for axis in range(1, len(m)):
            e = [self.mp.mpf(i == axis) for i in range(len(m))]
            for b in [m] * (self.sign != 0) + basis:
                share = self.form(e, b) / self.form(b, b)
                e = [p - share * q for p, q in zip(e, b, strict=True)]
            length = self.mp.sqrt(self.form(e, e))
            basis.append([p / length for p in e])
        return basis

    def mean(self, points, weights, start):
        m, total = self.lift(start), sum(weights)
        for _ in range(60):
            basis, size = self.frame(m), len(m) - 1
            gradient, hessian = self.mp.zeros(size, 1), self.mp.zeros(size, size)
            for x, w in zip(points, weights, strict=True):
                v = self._aim(m, self.lift(x))
                c = self.mp.matrix([self.form(v, b) for b in basis])
                angle = self.mp.norm(c)
                h = self.mp.mpf(1)
                if angle and self.sign:
                    h = angle * (self.mp.coth if self.sign < 0 else self.mp.cot)(angle)
                outer = c * c.T / angle**2 if angle else self.mp.zeros(size, size)
                gradient += w / total * c
                hessian += w / total * (h * self.mp.eye(size) + (1 - h) * outer)
            step = self.mp.lu_solve(hessian, gradient)
            length = self.mp.norm(step)
            step = step * (self.mp.asinh(length) / length if length > 0.1 else 1)
            m = self._shoot(
                m, [self._plain(list(step), column) for column in zip(*basis, strict=True)]
            )
            if self.mp.norm(gradient) < self.mp.mpf(10) ** -40:
                return m
        raise AssertionError("the truth did not converge")

    def coordinates(self, m):
        if isinstance(self.manifold, ne.Sphere | ne.Lorentz):
            return [a / self.rate for a in m]
        if isinstance(self.manifold, ne.Euclidean):
            return m[1:]
        return [a / (2 if self.sign == 0 else 1 + m[0]) / self.rate for a in m[1:]]


def far_points(manifold, radius, count, dtype, generator):
    """Return points at up to `radius` |K|^-1/2, half of them at it, and weights unequal by 1e6."""
    unit = (float(manifold.curvature().abs()) or 1.0) ** -0.5
    direction = torch.randn(count, manifold.dim, generator=generator, dtype=torch.float64)
    direction = direction / direction.norm(dim=-1, keepdim=True)
    length = torch.rand(count, 1, generator=generator, dtype=torch.float64)
    length[::2] = 1
    x = manifold.expmap0(manifold.from_frame(direction * length * radius * unit).to(dtype))
    exponents = -6 * torch.rand(count, generator=generator, dtype=torch.float64)
    return x, (10**exponents).to(dtype)


REACHED = [(s, r) for s in ("B3", "H3", "K3(-0.3)", "K3(0)") for r in (1.0, 5.0, 10.0, 15.0)]
REACHED += [("S3", 0.7), ("S3", 1.5), ("P3(0.7)", 1.5)]


@pytest.mark.parametrize(("signature", "radius"), REACHED)
def test_accuracy(signature, radius, dtype, generator):
    """Coordinates to 1e-6 in float32 and 1e-13 in float64 of their norm, out to radius 15.

    On the hyperboloid a unit in the last place of a coordinate turns a point by eps e^R, and the
    mean's radius with it where the points pull from aside: there that is the bar in float64.
    """
    manifold = ne.manifold(signature).double()
    x, w = far_points(manifold, radius, 5, dtype, generator)
    mean, residual = manifold.frechet_mean(x, w, return_residual=True)
    truth = MeanTruth(manifold)
    exact = truth.mean([truth._numbers(p) for p in x], truth._numbers(w), mean)
    error = [float(a) - b for a, b in zip(mean.tolist(), truth.coordinates(exact), strict=True)]
    size = math.sqrt(sum(float(b) ** 2 for b in truth.coordinates(exact)))
    bar = 1e-6 if dtype == torch.float32 else 1e-13
    if signature == "H3" and dtype == torch.float64:
        bar = max(bar, 4 * torch.finfo(dtype).eps * math.exp(float(manifold.dist0(mean))))
    assert max(abs(float(e)) for e in error) <= bar * size
    assert float(residual) <= 1e-14 * math.exp(float(manifold.dist0(mean)))


@pytest.mark.parametrize("signature", ["B2(-0.5)", "H2", "S2(0.7)"])
def test_derivatives_are_those_of_the_truth(signature, generator):
    """By points, weights and curvature, against differences of the truth with a step of 1e-25."""
    manifold = ne.manifold(signature).double()
    x, w = far_points(manifold, 1.2, 3, torch.float64, generator)
    leaves = [t.requires_grad_() for t in (x, w, manifold.curvature().detach())]
    mean = manifold.at(leaves[2]).frechet_mean(*leaves[:2])
    probe = torch.randn(mean.shape, generator=generator, dtype=torch.float64)
    by_x, by_w, by_curvature = torch.autograd.grad(mean, leaves, probe)
    tiny = Truth(manifold).mp.mpf(10) ** -25

    def value(row=None, column=None, weight=None, curvature=0):
        truth = MeanTruth(manifold, curvature)
        points, weights = [truth._numbers(p) for p in x], truth._numbers(w)
        if row is not None:
            points[row][column] += tiny
        if weight is not None:
            weights[weight] += tiny
        exact = truth.coordinates(truth.mean(points, weights, mean))
        return truth._plain(exact, truth._numbers(probe))

    base = value()
    assert float(by_curvature) == pytest.approx(float((value(curvature=tiny) - base) / tiny), 1e-12)
    assert float(by_w[1]) == pytest.approx(float((value(weight=1) - base) / tiny), rel=1e-12)
    column = x.shape[-1] - 1
    assert float(by_x[0, column]) == pytest.approx(
        float((value(row=0, column=column) - base) / tiny), rel=1e-12
    )


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(name, marks=[] if name in ("H2*", "K2(0)*", "S2(1.3)*") else pytest.mark.slow)
        for name in SIGNATURES
    ],
)
def test_second_derivatives_and_transforms(signature, generator):
    manifold = ne.manifold(signature).double()
    start = manifold.random(2, 1, generator=generator, dtype=torch.float64)
    x = manifold.random(2, 3, generator=generator, dtype=torch.float64)
    x = manifold.geodesic(start, x, 0.3).detach().requires_grad_()
    w = torch.rand(2, 3, generator=generator, dtype=torch.float64).requires_grad_()

    def mean(x, w):
        return manifold.frechet_mean(manifold.projx(x), w)

    assert torch.autograd.gradcheck(mean, (x, w))
    assert torch.autograd.gradgradcheck(mean, (x, w))
    torch.testing.assert_close(torch.func.vmap(mean)(x, w), mean(x, w))
    if isinstance(manifold, ne.SpaceForm):
        K = manifold.curvature().detach().requires_grad_()

        def by_curvature(K):
            return manifold.at(K).frechet_mean(x.detach(), w.detach())

        assert torch.autograd.gradcheck(by_curvature, K)
        assert torch.autograd.gradgradcheck(by_curvature, K)


@pytest.mark.parametrize("signature", ["B2", "H3", "K3(0)", "S2", "S3"])
def test_every_configuration_converges(signature, generator):
    """Nearly opposite and far points, clusters at the rim, weights unequal by 1e6, in 12 steps."""
    manifold = ne.manifold(signature).double()
    radius, unit = (1.5 if signature[0] == "S" else 15.0), torch.float64
    for count in (2, 3, 10):
        shape = (300, count, manifold.dim)
        direction = torch.randn(shape, generator=generator, dtype=unit)
        spread = 10 ** (-7 * torch.rand(300, 1, 1, generator=generator, dtype=unit))
        sides = 1 - 2 * torch.randint(2, (300, count, 1), generator=generator).to(unit)
        direction = torch.cat([direction, direction[:, :1] * sides + spread * direction])
        direction = direction / direction.norm(dim=-1, keepdim=True)
        length = (2 * torch.rand(600, count, 1, generator=generator, dtype=unit)).clamp(max=1)
        x = manifold.expmap0(manifold.from_frame(direction * length * radius))
        w = 10 ** (-6 * torch.rand(600, count, generator=generator, dtype=unit))
        mean, residual = manifold.frechet_mean(x, w, return_residual=True)
        assert bool((residual <= 1e-13 * manifold.dist0(mean).exp()).all())


@pytest.mark.parametrize("signature", [*SIGNATURES, "H2 x S2 x E2"])
def test_weights(signature, dtype, generator):
    """One point counts: that point. None: the origin. Their scale: not at all."""
    manifold = ne.manifold(signature).to(dtype)
    x = manifold.random(4, generator=generator, dtype=dtype)
    one = torch.tensor([0.0, 2.0, 0.0, 0.0], dtype=dtype)
    torch.testing.assert_close(manifold.frechet_mean(x, one), x[1])
    leaves = x.clone().requires_grad_(), torch.zeros(4, dtype=dtype, requires_grad=True)
    empty = manifold.frechet_mean(*leaves)
    torch.testing.assert_close(empty, manifold.origin(dtype=dtype))
    for gradient in torch.autograd.grad(empty.sum(), leaves):
        assert bool(gradient.isfinite().all())
    w = torch.rand(3, 4, generator=generator, dtype=dtype)
    mean = manifold.frechet_mean(x, w)
    assert mean.shape == (3, *manifold.point_shape)
    torch.testing.assert_close(manifold.frechet_mean(x, 8 * w), mean)


@pytest.mark.parametrize("radius", [30.0, 40.0, 100.0, 300.0])
@pytest.mark.parametrize("signature", ["H3", "H3(-100)*", "B3", "K3(-1)*", "S3"])
def test_finite_however_far_out(signature, radius, dtype):
    """Of equal points, whose mean lies out there, and of two bundles on either side."""
    m = ne.manifold(signature)
    direction = torch.tensor([0.6, -0.48, 0.64], dtype=dtype)
    c = radius * abs(float(m.curvature)) ** -0.5 * direction
    for rows in (c.expand(4, 3), torch.stack([c, c, c, -c])):
        with torch.no_grad():
            x = m.expmap0(m.from_frame(rows))
        x.requires_grad_()
        mean = m.frechet_mean(x)
        assert m.check_point(mean)
        assert torch.isfinite(torch.autograd.grad(mean.sum(), x)[0]).all()


def test_products_go_factor_by_factor(generator):
    P = ne.manifold("H2 x S2 x E2")
    x = P.random(4, generator=generator)
    w = torch.rand(4, generator=generator)
    parts = zip(P.factors, P.split(x), strict=True)
    expected = P.join([factor.frechet_mean(part, w) for factor, part in parts])
    torch.testing.assert_close(P.frechet_mean(x, w), expected)
    torch.testing.assert_close(expected[-2:], (w[:, None] * x[:, -2:]).sum(0) / w.sum())


@pytest.mark.parametrize("signature", ["S2", "P2"])
def test_spread_over_a_sphere(signature, dtype):
    """Antipodes and points all round have no unique mean: the result is finite, a point."""
    manifold = ne.manifold(signature)
    tangents = torch.tensor([[0.0, 0.0], [3.1, 0.0], [-3.1, 0.0], [0.0, 2.5], [0.0, -2.9]])
    x = manifold.expmap0(manifold.from_frame(tangents.to(dtype))).requires_grad_()
    for chosen in (x, x[:2], x[1:3], torch.cat([x[:1], -x[:1]])):
        mean = manifold.frechet_mean(chosen)
        assert bool(manifold.check_point(mean))
        # at the antipode of the origin a projected sphere has coordinates beyond any derivative
        if signature != "P2" or float(mean.detach().abs().max()) < 1e6:
            assert bool(torch.autograd.grad(mean.sum(), x)[0].isfinite().all())


def test_arguments_are_checked():
    H = ne.Lorentz(2)
    with pytest.raises(ValueError, match="at least one step"):
        H.frechet_mean(H.random(3), steps=0)
    with pytest.raises(ValueError, match="weights of shape"):
        H.frechet_mean(H.random(3), torch.ones(4))


COMPILED = [("K2(0.1)*", "aot_eager")]
COMPILED += [
    pytest.param(signature, "inductor", marks=pytest.mark.slow)
    for signature in ("H2", "K2(0)*", "S2")
]


@pytest.mark.parametrize(("signature", "backend"), COMPILED)
def test_compiles(signature, backend, generator):
    """With the default number of steps; those without derivative are one operator."""
    manifold = ne.manifold(signature)
    x = manifold.random(3, 4, generator=generator).detach().requires_grad_()
    w = torch.rand(4, generator=generator).requires_grad_()
    leaves = [x, w, *manifold.parameters()]
    compiled = torch.compile(manifold.frechet_mean, fullgraph=True, backend=backend)
    found, expected = compiled(x, w), manifold.frechet_mean(x, w)
    torch.testing.assert_close(found, expected)
    gradients = (torch.autograd.grad(mean[..., -1].sum(), leaves) for mean in (found, expected))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
