"""Random calls with degenerate points mixed in: no NaN, no inf, nothing off the manifold."""

import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import noneuclid as ne
from noneuclid.testing.samples import antipode, last_shell, natural_length, of_length, operations

CLASSES = {
    ne.PoincareBall: (-1, -1),
    ne.Lorentz: (-1, -1),
    ne.Sphere: (1, 1),
    ne.SphereProjection: (1, 1),
    ne.Stereographic: (-1, 1),
}
HALVES = (torch.float16, torch.bfloat16)
DTYPES = (torch.float32, torch.float64, *HALVES)
POINTS = {"expmap", "projx", "retr", "expmap0", "mobius_add"}
PLACES = ("ordinary", "origin", "last shell", "near the origin", "far")
PAIRS = ("ordinary", "equal", "antipodal", "one bit apart", "reflected")
VECTORS = ("ordinary", "zero", "tiny", "long")
ROWS = 6  # each with a place, a pair and a vector of its own: one call mixes them


@st.composite
def calls(draw):
    """Draw a manifold, dtype, batch shape and what each row of the batch is."""
    cls = draw(st.sampled_from(list(CLASSES)))
    low, high = CLASSES[cls]
    sign = draw(st.sampled_from(sorted({low, high, *([0] if low != high else [])})))
    size = draw(st.sampled_from([1.0, 0.5, 3.0, 1e-2, 30.0]))
    dtype = draw(st.sampled_from(DTYPES))
    learnable = draw(st.booleans())
    dim = draw(st.sampled_from([1, 2, 3, 7, 8, 17]))
    rows = [
        (
            draw(st.sampled_from(PLACES)),
            draw(st.sampled_from(PAIRS)),
            draw(st.sampled_from(VECTORS)),
        )
        for _ in range(ROWS)
    ]
    return {
        "manifold": cls(dim, sign * size, learnable=learnable),
        "dtype": dtype,
        "rows": rows,
        "layout": draw(st.sampled_from(["plain", "strided", "transposed", "expanded", "one row"])),
        "seed": draw(st.integers(0, 2**31)),
    }


def place(manifold, kind, dtype, generator):
    if kind == "origin":
        return manifold.origin(1, dtype=dtype)
    if kind == "last shell":
        return farthest(manifold, dtype, generator)
    x = manifold.random(1, generator=generator, dtype=dtype)
    if kind == "ordinary":
        return x
    length = natural_length(manifold) * (1e-6 if kind == "near the origin" else 6.0)
    if kind == "far" and manifold.injectivity_radius < math.inf:
        length = 0.9 * float(manifold.injectivity_radius)
    o = manifold.origin(1, dtype=dtype)
    return manifold.expmap0(of_length(manifold, o, manifold.random_tangent(o, generator), length))


def farthest(manifold, dtype, generator):
    """Return a point of the last shell; one that starts at the largest number of 16 bits there."""
    if dtype not in HALVES:
        return last_shell(manifold, dtype, generator)[:1]
    return rounded(manifold, last_shell(manifold, torch.float32, generator)[:1], dtype)


def rounded(manifold, x, dtype):
    """Return a float32 point in 16 bits, its coordinates kept finite."""
    largest = torch.finfo(dtype).max / 2
    return manifold.projx(x.clamp(-largest, largest).to(dtype))


def partner(manifold, x, kind, generator):
    if kind == "equal":
        return x.clone()
    if kind == "antipodal":
        if x.dtype in HALVES:
            return rounded(manifold, antipode(manifold, x.float()), x.dtype)
        return antipode(manifold, x)
    if kind == "reflected":
        return manifold.projx(-x)
    if kind == "one bit apart":
        return manifold.projx(torch.nextafter(x, torch.zeros_like(x)))
    return manifold.random(1, generator=generator, dtype=x.dtype)


def vector(manifold, x, kind, generator):
    u = manifold.random_tangent(x, generator)
    if kind == "zero":
        return 0 * u
    largest = min(10 * natural_length(manifold), 3 * float(manifold.injectivity_radius))
    length = 1e-12 if kind == "tiny" else largest if kind == "long" else natural_length(manifold)
    return of_length(manifold, x, u, length)


def laid_out(x, layout):
    """Return the same numbers in another layout of memory."""
    if layout == "strided":
        return torch.stack([x, x], dim=-1)[..., 0]
    if layout == "transposed":
        return x.mT.contiguous().mT
    if layout == "expanded":
        return x.expand(3, *x.shape)
    return x[:1] if layout == "one row" else x


def batch(call):
    """Return the arguments, by their letters."""
    manifold, dtype = call["manifold"], call["dtype"]
    generator = torch.Generator().manual_seed(call["seed"])
    made = {"x": [], "y": [], "u": [], "v": []}
    with torch.no_grad():
        for where, pair, length in call["rows"]:
            x = place(manifold, where, dtype, generator)
            made["x"].append(x)
            made["y"].append(partner(manifold, x, pair, generator))
            for kind in "uv":
                made[kind].append(vector(manifold, x, length, generator))
        found = {kind: laid_out(torch.cat(parts), call["layout"]) for kind, parts in made.items()}
        found["o"] = manifold.transp0back(found["x"], found["u"])
        found["g"] = torch.randn(found["x"].shape, generator=generator, dtype=dtype)
    return found


def failures(call):
    """Return what went wrong in any method at these arguments."""
    manifold, given_ = call["manifold"], batch(call)
    if call["dtype"] == torch.float64:  # a gradient by K, of the size of |x|^4, must fit there
        manifold = manifold.double()
    found = [f"argument {k} {v.tolist()}" for k, v in given_.items() if not v.isfinite().all()]
    found += [
        f"argument {k} off the manifold: {given_[k][~manifold.check_point(given_[k])].tolist()}"
        for k in "xy"
        if not manifold.check_point(given_[k]).all()
    ]
    for operation in [] if found else operations(manifold):
        leaves = [given_[kind].detach().requires_grad_() for kind in operation.arguments]
        value = operation.method(*leaves)
        if not value.isfinite().all():
            found.append(f"{operation.name}: {value.tolist()}")
        if operation.name in POINTS and not manifold.check_point(value.detach()).all():
            found.append(f"{operation.name} leaves the manifold: {value.tolist()}")
        if not value.requires_grad:
            continue
        wanted = [*leaves, *manifold.parameters()]
        slopes = torch.autograd.grad(value.sum(), wanted, allow_unused=True)
        for k, slope in enumerate(slopes):
            # float16 ends at 65504: a gradient may be larger, but it is a number
            bad = torch.isnan if call["dtype"] == torch.float16 else lambda t: ~t.isfinite()
            if slope is not None and bad(slope).any():
                found.append(f"gradient {k} of {operation.name}: {slope.tolist()}")
    return found


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(calls())
def test_a_few_hundred_calls(call):
    """About 20 methods an example, each with a batch of degenerate rows."""
    assert not failures(call)


@pytest.mark.slow
@settings(max_examples=5000, suppress_health_check=list(HealthCheck))
@given(calls())
def test_a_hundred_thousand_calls(call):
    assert not failures(call)
