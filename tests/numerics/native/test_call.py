"""Kernels against the same formulas in plain torch: every library formula, any layout of rows."""

import copy
import os
import pickle
import signal

import pytest
import torch
from torch.utils.checkpoint import checkpoint

import noneuclid as ne
from noneuclid.numerics import compute, dots, formula, plain_formulas, rows
from noneuclid.numerics.native import kernels_of
from noneuclid.testing.samples import Operation, operations

MODELS = [
    (ne.PoincareBall, -0.7),
    (ne.Lorentz, -0.7),
    (ne.Sphere, 0.7),
    (ne.SphereProjection, 0.7),
    (ne.Stereographic, -0.7),
    (ne.Stereographic, 0.0),
    (ne.Stereographic, 0.7),
]
GATE = {  # a kernel takes half a second to compile: each feature of the C code once
    ("PoincareBall", "expmap", True, torch.float32),
    ("PoincareBall", "dist2", False, torch.float64),
    ("Lorentz", "egrad2rgrad", False, torch.float32),
    ("Lorentz", "logmap", True, torch.float32),
    ("Sphere", "logmap", False, torch.float32),
    ("Stereographic", "transp", True, torch.float64),
}


def methods(manifold):
    """Return the operations that are one formula each."""
    gyro = [("mobius_add", "xy"), ("gyration", "xyu")]
    found = [
        o for o in operations(manifold) if o.name not in {"to_frame", "retr", "component_inner"}
    ]
    return found + [
        Operation(name, getattr(manifold, name), kinds)
        for name, kinds in gyro
        if hasattr(manifold, name)
    ]


def cases():
    seen = set()
    for cls, curvature in MODELS:
        for name in [operation.name for operation in methods(cls(3, curvature))]:
            for learnable in (False, True):
                for dtype in (torch.float32, torch.float64):
                    key = (cls.__name__, name, learnable, dtype)
                    mark = () if key in GATE and key not in seen else pytest.mark.slow
                    seen.add(key)
                    yield pytest.param(cls, curvature, name, learnable, dtype, marks=mark)


def arguments(manifold, dtype, generator, count=40):
    """Return points, vectors and a gradient of generic position, by their letters."""
    x, y = (manifold.random(count, generator=generator, dtype=dtype) for _ in "xy")
    u, v = (manifold.random_tangent(x, generator=generator) for _ in "uv")
    g = torch.randn(x.shape, generator=generator, dtype=dtype)
    return {"x": x, "y": y, "u": u, "v": v, "g": g, "o": manifold.transp0back(x, u)}


def derived(manifold, method, leaves, parameters=()):
    """Return a value and its gradients, and None where there is none."""
    value = getattr(manifold, method)(*leaves)
    weights = torch.linspace(0.3, 1.1, value.numel(), dtype=value.dtype).reshape(value.shape)
    wanted = [*leaves, *parameters]
    return [
        value.detach(),
        *torch.autograd.grad((value * weights).sum(), wanted, allow_unused=True),
    ]


def assert_alike(native, plain, dtype):
    """Values and gradients by rows to 1.5 units of float32 or 256 of float64 of the largest, or 1.

    One rounding of a float32 result is all that may differ; float64 results differ by the rounding
    of their sums, which conditioning magnifies.
    """
    units = 1.5 if dtype == torch.float32 else 256
    for a, b in zip(native, plain, strict=True):
        if a is None or b is None:  # plain torch tells "no gradient" from 0
            assert all(t is None or not t.any() for t in (a, b))
            continue
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        if a.numel():
            error = float((a - b).abs().max() / b.abs().max().clamp(min=1))
            assert error <= units * torch.finfo(dtype).eps


@pytest.mark.parametrize(("cls", "curvature", "method", "learnable", "dtype"), [*cases()])
def test_every_formula_equals_plain_torch(
    cls, curvature, method, learnable, dtype, native, generator
):
    manifold = cls(9, curvature)
    kinds = next(o.arguments for o in methods(manifold) if o.name == method)
    given = arguments(manifold, dtype, generator)
    leaves = [given[kind].clone().requires_grad_() for kind in kinds]
    K = torch.tensor([curvature], dtype=torch.float64, requires_grad=True)
    manifold, parameters = (manifold.at(K), [K]) if learnable else (manifold, [])
    found = derived(manifold, method, leaves, parameters)
    with plain_formulas():
        expected = derived(manifold, method, leaves, parameters)
    assert_alike(found, expected, dtype)


# -- one formula in every layout -------------------------------------------------------------------


def turned(K, x, y):
    """Mix every kind of term: sums, differences, a rounded row in between, a row scalar each."""
    X, Y = rows(x, y)
    xx, xy = dots((X, X), (X, Y - X))
    half = ((1 + K * xx).sqrt() * X - 0.5 * Y).to(x.dtype)
    (H,) = rows(half)
    (hy,) = dots((H, Y))
    return (torch.exp(-hy * hy) * (X + Y) + xy * H).to(x.dtype)


def both(x, y, K=None):
    """Return value and gradients of `turned` natively and in plain torch."""
    K = torch.tensor([0.3], dtype=torch.float64) if K is None else K
    results = []
    for plain in (False, True):
        leaves = [t.detach().requires_grad_() for t in (K, x, y)]
        if plain:
            with plain_formulas():
                value = compute(turned, (leaves[0],), tuple(leaves[1:]))
        else:
            value = compute(turned, (leaves[0],), tuple(leaves[1:]))
        results.append([value.detach(), *torch.autograd.grad(value.square().sum(), leaves)])
    return results


@pytest.mark.parametrize("width", [0, 1, 7, 8, 9, 33, 64, 65])
def test_any_width(width, dtype, native, generator):
    x, y = torch.randn(2, 35, width, generator=generator, dtype=dtype) / max(width, 1) ** 0.5
    found, expected = both(x, y)
    assert_alike(found[:1] + found[2:], expected[:1] + expected[2:], dtype)
    torch.testing.assert_close(found[1], expected[1], rtol=1e-5, atol=1e-6)


LAYOUTS = {
    "strided": lambda x: x[:, ::2],
    "every second column": lambda x: torch.stack([x, x], -1).flatten(-2)[..., ::2],
    "transposed": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "columns first": lambda x: x.permute(2, 0, 1).contiguous().permute(1, 2, 0),
    "one row for all": lambda x: x[:1, :1].expand(6, 10, 9),
    "expanded inside": lambda x: x[:, :1],
    "expanded outside": lambda x: x[0],
    "huge stride": lambda x: (
        x.new_zeros(60, 20000)
        .index_copy_(1, torch.arange(9), x.reshape(60, 9))
        .unflatten(0, (6, 10))[..., :9]
    ),
    "nothing": lambda x: x[:, :0],
    "negated view": torch._neg_view,
    "imaginary part": lambda x: torch.complex(x, x).conj().imag,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(layout, native, generator):
    x, y = torch.randn(2, 6, 10, 9, generator=generator) / 3
    x = LAYOUTS[layout](x)
    y = y[..., : x.shape[-2], :] if layout in {"strided", "nothing"} else y
    found, expected = both(x, y)
    assert torch.equal(found[0], expected[0])
    assert_alike(found[2:], expected[2:], torch.float32)


def test_scalars_of_each_row(native, generator):
    """Row scalars broadcast, have strides and views of their own."""
    x, y = torch.randn(2, 6, 10, 9, generator=generator) / 3
    K = torch.rand(10, 6, 1, generator=generator, dtype=torch.float64).transpose(0, 1)
    for scalar in (K, K[:, :1], torch._neg_view(-K), K[0, 0]):
        found, expected = both(x, y, scalar)
        assert torch.equal(found[0], expected[0])
        torch.testing.assert_close(found[1], expected[1], rtol=1e-6, atol=1e-6)


def test_rows_of_different_dtypes(native, generator):
    x, y = torch.randn(2, 6, 10, 9, generator=generator) / 3
    found, expected = both(x, y.double())
    assert [t.dtype for t in found] == [t.dtype for t in expected]
    assert_alike([found[0], found[2]], [expected[0], expected[2]], torch.float32)


def test_gradients_of_what_is_broadcast_are_rounded_once(native, generator):
    """The sum over a cloud cancels at its mean: float32 sums would leave 1e-4 of nothing."""
    ball = ne.PoincareBall(9)
    cloud = ball.random(20000, generator=generator)
    center = ball.origin().requires_grad_()
    (slope,) = torch.autograd.grad(ball.dist2(center, torch.cat([cloud, -cloud])).sum(), center)
    assert slope.abs().max() < 1e-9


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1e-42, 3e38])
def test_extreme_numbers_give_what_plain_torch_gives(bad, native, generator):
    x, y = torch.randn(2, 40, 9, generator=generator) / 3
    x[3, 2], y[5, 8], x[7], y[7] = bad, bad, bad, bad
    for a, b in zip(*both(x, y), strict=True):
        assert torch.equal(a.isnan(), b.isnan())
        assert torch.equal(a.isinf(), b.isinf())


@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (0, 2), (1, 2)])
def test_only_some_arguments_need_a_gradient(wanted, native, generator):
    given = [torch.full((1,), 0.3, dtype=torch.float64)]
    given += [t / 3 for t in torch.randn(2, 40, 9, generator=generator)]
    found, _ = both(*given[1:], given[0])
    for k in wanted:
        given[k] = given[k].clone().requires_grad_()
    value = compute(turned, (given[0],), (given[1], given[2]))
    slopes = torch.autograd.grad(value.square().sum(), [given[k] for k in wanted])
    for k, slope in zip(wanted, slopes, strict=True):
        assert torch.equal(slope, found[1 + k])


# -- threads and processes -------------------------------------------------------------------------


def large(generator):
    return torch.randn(2, 70001, 17, generator=generator) / 5


def test_threads_change_no_bit(native, threads, generator):
    x, y = large(generator)
    threads(1)
    alone = both(x, y)[0]
    threads(3)
    together = both(x, y)[0]
    assert all(
        torch.equal(a, b)
        for a, b in zip(alone[:1] + alone[2:], together[:1] + together[2:], strict=True)
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*")
def test_a_forked_child_has_threads_of_its_own(native, threads, generator):
    """As a worker of a DataLoader has."""
    x, y = large(generator)
    K = torch.full((1,), 0.3, dtype=torch.float64)
    threads(3)
    expected = compute(turned, (K,), (x, y))
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        found = compute(turned, (K,), (x, y))  # and no operation of torch's own threads, which hang
        os._exit(0 if found.numpy().tobytes() == expected.numpy().tobytes() else 1)
    assert os.waitpid(child, 0)[1] == 0


# -- what else torch may do with a result ----------------------------------------------------------


@pytest.fixture
def ball(native, generator):
    ball = ne.PoincareBall(9)
    x, y = (ball.random(12, generator=generator) for _ in "xy")
    return ball, x.requires_grad_(), y


def test_an_argument_must_not_change_before_backward(ball):
    ball, x, y = ball
    value = ball.dist2(x, y).sum()
    y.mul_(0.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


def test_batched_gradients(ball):
    """`is_grads_batched` runs a backward on tensors without memory."""
    ball, x, y = ball
    value, each = ball.dist2(x, y), torch.eye(12)
    (together,) = torch.autograd.grad(value, x, each, is_grads_batched=True, retain_graph=True)
    for row, one in zip(together, each, strict=True):
        torch.testing.assert_close(row, torch.autograd.grad(value, x, one, retain_graph=True)[0])


def test_second_derivatives(ball):
    ball, x, y = ball
    value = ball.dist2(x, y).sum()
    (slope,) = torch.autograd.grad(value, x, create_graph=True)
    (bend,) = torch.autograd.grad(slope.square().sum(), x)
    with plain_formulas():
        (slope,) = torch.autograd.grad(ball.dist2(x, y).sum(), x, create_graph=True)
        (expected,) = torch.autograd.grad(slope.square().sum(), x)
    torch.testing.assert_close(bend, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints(reentrant, ball):
    ball, x, y = ball
    (expected,) = torch.autograd.grad(ball.dist2(x, y).sum(), x)
    value = checkpoint(ball.dist2, x, y, use_reentrant=reentrant)
    value.sum().backward()
    assert torch.equal(x.grad, expected)


def test_modes(ball):
    """No gradient, inference, a default device, hooks, saved tensors elsewhere, fake backward."""
    ball, x, y = ball
    expected = ball.dist2(x, y)
    (slope,) = torch.autograd.grad(expected.sum(), x)
    with torch.no_grad():
        assert torch.equal(ball.dist2(x, y), expected)
    with torch.inference_mode():
        assert torch.equal(ball.dist2(x, y), expected)
        assert ball.dist2(x, y).is_inference()
    with torch.device("meta"):
        value = ball.dist2(x, y)
        assert torch.equal(torch.autograd.grad(value.sum(), x)[0], slope)
    seen = []
    x.register_hook(lambda g: seen.append(g))
    with torch.autograd.graph.save_on_cpu():
        value = ball.dist2(x, y)
    value.sum().backward()
    assert torch.equal(seen[0], slope)
    assert torch.equal(x.grad, slope)


def test_a_subclass_sees_the_operations(ball):
    class Units(torch.Tensor):
        pass

    ball, x, y = ball
    assert type(ball.dist2(x.detach().as_subclass(Units), y)) is Units


def test_modules_that_ran_kernels_are_copied(ball):
    ball, x, y = ball
    expected = ball.dist2(x, y)
    for twin in (copy.deepcopy(ball), pickle.loads(pickle.dumps(ball))):
        assert torch.equal(twin.dist2(x, y), expected)


def test_small_batches_stay_in_torch(monkeypatch):
    """Compiling for a handful of rows would not pay."""
    asked = []
    monkeypatch.setattr(formula, "kernels_of", lambda *_: asked.append(1))
    ball = ne.PoincareBall(8)
    ball.dist(torch.zeros(511, 8), torch.zeros(8))
    assert not asked
    ball.dist(torch.zeros(512, 8), torch.zeros(8))
    assert asked


def test_a_formula_is_compiled_once(native):
    key = (turned,)
    first = kernels_of(turned, key, (None, torch.float32, torch.float32))
    assert kernels_of(turned, key, (None, torch.float32, torch.float32)) is first
    assert kernels_of(turned, key, (None, torch.float64, torch.float64)) is not first


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", [(5,), (1, 5)])
def test_gradient_by_one_row_that_all_share(
    shape: tuple[int, ...], threads: int, dtype: torch.dtype
) -> None:
    """It is summed inside the kernel, by every thread for itself, behind skipped columns too."""
    space = ne.Lorentz(4)
    points = space.random(70_000, dtype=dtype)
    shared = space.random(1, dtype=dtype).reshape(shape).requires_grad_()
    g = torch.randn_like(points)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        (found,) = torch.autograd.grad(space.logmap(shared, points), shared, g)
    finally:
        torch.set_num_threads(before)
    with plain_formulas():
        (expected,) = torch.autograd.grad(space.logmap(shared, points), shared, g)
    assert found.shape == shape
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-3)
