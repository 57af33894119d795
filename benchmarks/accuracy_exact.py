"""What must hold exactly: coincident points, antipodes, the last shells, 16-bit dtypes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

import noneuclid as ne
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.numerics import largest_norm
from noneuclid.testing.cases import Cases, radii
from noneuclid.testing.oracle import SIGNATURES

HALVES = (torch.float16, torch.bfloat16)
FULL = (torch.float32, torch.float64)
FAMILIES = {"ball": (ne.PoincareBall, -1.0), "hyperboloid": (ne.Lorentz, -1.0)}
FAMILIES["projected sphere"] = (ne.SphereProjection, 1.0)
MODELS = [*FAMILIES.values(), (ne.Sphere, 1.0), (ne.Stereographic, 0.0)]


def checks() -> dict[str, list[str]]:
    """Return the exact statements, each with the places where it fails (none: it holds)."""
    made: dict[str, Callable[[HomogeneousManifold, Tensor], bool]] = {
        "`expmap(x, 0)` is `projx(x)`, bit for bit": _exp_of_zero,
        "`dist(x, x)` is 0 with a finite gradient": _dist_at_coincidence,
        "`dist2(x, x)` is 0 with gradient 0": _dist2_at_coincidence,
        "the derivative of `expmap` in u at u = 0 is the identity": _exp_derivative,
        "the derivative of `logmap` in y at y = x is the identity": _log_derivative,
        "antipodes (K > 0): `dist` is pi, all maps and gradients are finite": _antipodes,
    }
    return {text: list(_failures(check)) for text, check in made.items()}


def _failures(check: Callable[[HomogeneousManifold, Tensor], bool]):
    for dtype in FULL:
        generator = torch.Generator().manual_seed(0)
        for cls, curvature in MODELS:
            for dim in (1, 4):
                manifold = cls(dim, curvature)
                cases = Cases(manifold, dtype, generator)
                for radius in (0.0, *radii(manifold, dtype)):
                    if not check(manifold, cases.at(radius)):
                        yield f"{cls.__name__}({dim}), {dtype}, radius {radius:g}"


def _gradients(result: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(result.sum(), leaves)


def _exp_of_zero(m: HomogeneousManifold, x: Tensor) -> bool:
    return torch.equal(m.expmap(x, torch.zeros_like(x)), m.projx(x))


def _dist_at_coincidence(m: HomogeneousManifold, x: Tensor) -> bool:
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    d = m.dist(a, b)
    return bool(d == 0) and all(bool(g.isfinite().all()) for g in _gradients(d, a, b))


def _dist2_at_coincidence(m: HomogeneousManifold, x: Tensor) -> bool:
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    d = m.dist2(a, b)
    return bool(d == 0) and not any(bool(g.any()) for g in _gradients(d, a, b))


def _exp_derivative(m: HomogeneousManifold, x: Tensor) -> bool:
    return _is_identity(m, x, lambda u: m.expmap(x, u), torch.zeros_like(x))


def _log_derivative(m: HomogeneousManifold, x: Tensor) -> bool:
    return _is_identity(m, x, lambda y: m.logmap(x, y), x)


def _is_identity(
    m: HomogeneousManifold, x: Tensor, f: Callable[[Tensor], Tensor], at: Tensor
) -> bool:
    """Compare the rows of the Jacobian, on tangent vectors, with the identity, to 4 ulp."""
    jacobian = torch.autograd.functional.jacobian(f, at)
    u = m.random_tangent(x, generator=torch.Generator().manual_seed(1))
    skip = isinstance(m, ne.Lorentz)  # its vectors are their space parts
    moved, wanted = (jacobian.double() @ u.double())[skip:], u.double()[skip:]
    size = jacobian[skip:].double().abs() @ u.double().abs()
    return bool(((moved - wanted).abs() <= 4 * torch.finfo(x.dtype).eps * size.max()).all())


def _antipodes(m: HomogeneousManifold, x: Tensor) -> bool:
    if not isinstance(m, ne.Sphere):
        return True
    a, b = x.clone().requires_grad_(), (-x).clone().requires_grad_()
    results = [m.dist(a, b), m.logmap(a, b), m.transp(a, b, m.proju(a, torch.ones_like(x)))]
    near_pi = bool((results[0] - math.pi).abs() <= 4 * torch.finfo(x.dtype).eps)
    finite = [r.isfinite().all() for r in results]
    finite += [g.isfinite().all() for r in results for g in _gradients(r, a, b)]
    return near_pi and all(map(bool, finite))


def shells() -> list[tuple[str, torch.dtype, float, float, bool]]:
    """Return (family, dtype, last shell as a norm, its distance, nothing is ever NaN)."""
    rows = []
    for family, (cls, curvature) in FAMILIES.items():
        for dtype in (*HALVES, *FULL):
            manifold = cls(4, curvature)
            norm = largest_norm(dtype, family.removeprefix("projected "))[1]
            x, reached = _outermost(manifold, dtype)
            rows.append((family, dtype, norm, reached, _never_nan(manifold, x)))
    return rows


def _outermost(manifold: HomogeneousManifold, dtype: torch.dtype) -> tuple[Tensor, float]:
    """Return points at which expmap0 of ever longer vectors ends, and their distance."""
    ends = []
    for length in (3.0, 30.0, 1e3, 1e4):
        length = length if float(manifold.curvature) < 0 else min(length, math.pi)
        frame = torch.tensor([1.0, -0.5, 0.3, 0.1], dtype=dtype)
        frame = frame / frame.square().sum().sqrt() * length
        ends.append(manifold.expmap0(manifold.from_frame(frame)))
    x = torch.stack(ends)
    return x, float(manifold.dist0(x.double()).max())


def _never_nan(m: HomogeneousManifold, x: Tensor) -> bool:
    """Tell whether every operation on all pairs of these points, and its gradients, is no NaN."""
    a = x[:, None].expand(len(x), len(x), -1).clone().requires_grad_()
    b = x[None].expand(len(x), len(x), -1).clone().requires_grad_()
    u = m.proju(a, torch.full_like(a, 1.5))
    given = {"x": a, "y": b, "p": b, "u": u, "a": m.proju(b, torch.ones_like(b))}
    given["o"] = m.from_frame(torch.full((len(x), len(x), m.dim), 2.0, dtype=x.dtype))
    results = []
    for name, signature in SIGNATURES.items():
        if hasattr(m, name) and name != "midpoint":
            results.append(getattr(m, name)(*(given[letter] for letter in signature.arguments)))
    results.append(m.midpoint(a))
    gradients = [
        torch.autograd.grad(r.sum(), (a, b), retain_graph=True, allow_unused=True)
        for r in results
        if r.requires_grad
    ]
    flat = results + [g for pair in gradients for g in pair if g is not None]
    return not any(bool(tensor.isnan().any()) for tensor in flat)
