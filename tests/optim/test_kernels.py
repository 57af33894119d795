"""Steps by their kernels equal steps in torch: every variant of every rule on every geometry."""

import importlib
from typing import Any

import pytest
import torch

import noneuclid as ne
from noneuclid import optim
from noneuclid.numerics import formula
from noneuclid.numerics.native.build import compiler

VARIANTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "sgd": (optim.RiemannianSGD, {}),
    "momentum": (optim.RiemannianSGD, {"momentum": 0.9, "dampening": 0.2}),
    "nesterov": (optim.RiemannianSGD, {"momentum": 0.9, "nesterov": True}),
    "sgd decay": (optim.RiemannianSGD, {"momentum": 0.9, "weight_decay": 0.2}),
    "adam": (optim.RiemannianAdam, {}),
    "adam up": (optim.RiemannianAdam, {"maximize": True}),
    "amsgrad": (optim.RiemannianAdam, {"amsgrad": True, "betas": (0.5, 0.6)}),
    "adam decay": (optim.RiemannianAdam, {"weight_decay": 0.2}),
    "adamw": (optim.RiemannianAdamW, {"weight_decay": 0.2}),
    "adamw spheres": (optim.RiemannianAdamW, {"weight_decay": 0.2, "decays_spheres": True}),
    "adagrad": (optim.RiemannianAdagrad, {"lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    "rmsprop": (optim.RiemannianRMSprop, {}),
    "rmsprop momentum": (optim.RiemannianRMSprop, {"momentum": 0.8}),
    "rmsprop centered": (optim.RiemannianRMSprop, {"centered": True, "alpha": 0.8}),
    "rmsprop both": (optim.RiemannianRMSprop, {"centered": True, "momentum": 0.8, "alpha": 0.8}),
    "lion": (optim.RiemannianLion, {"weight_decay": 0.2}),
}
MANIFOLDS = {
    "ball": lambda: ne.PoincareBall(9, -0.7),
    "lorentz": lambda: ne.Lorentz(9, -0.7),
    "sphere": lambda: ne.Sphere(9, 0.7),
    "projection": lambda: ne.SphereProjection(9, 0.7),
    "negative": lambda: ne.Stereographic(9, -0.7, learnable=True),
    "positive": lambda: ne.Stereographic(9, 0.7, learnable=True),
    "product": lambda: ne.Product(ne.Lorentz(3, -0.7), ne.Sphere(4), ne.Euclidean(2)),
}
GATE = {  # a kernel takes a second to compile: each rule once, each geometry twice or so
    ("momentum", "ball", torch.float32),
    ("nesterov", "ball", torch.float64),
    ("sgd", "projection", torch.float32),
    ("adam", "lorentz", torch.float32),
    ("adam", "product", torch.float32),
    ("amsgrad", "sphere", torch.float64),
    ("adamw", "negative", torch.float32),
    ("adamw", "positive", torch.float32),
    ("adagrad", "ball", torch.float32),
    ("rmsprop both", "lorentz", torch.float64),
    ("lion", "lorentz", torch.float32),
    ("adamw spheres", "sphere", torch.float32),
}
CASES = [
    pytest.param(
        variant,
        manifold,
        dtype,
        id=f"{variant}-{manifold}-{str(dtype)[6:]}",
        marks=[] if (variant, manifold, dtype) in GATE else pytest.mark.slow,
    )
    for variant in VARIANTS
    for manifold in MANIFOLDS
    for dtype in (torch.float32, torch.float64)
]


@pytest.fixture
def in_kernels(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that sends updates of any size to their kernels, and to nothing else."""
    if compiler() is None:
        pytest.skip("no C compiler")
    module = importlib.import_module("noneuclid.numerics.update")
    in_torch = module._in_torch  # type: ignore[attr-defined]

    def send(native: bool) -> None:
        monkeypatch.setattr(formula, "SMALLEST", 0 if native else 2**60)
        monkeypatch.setattr(module, "_in_torch", None if native else in_torch)

    return send


def walk(variant: str, manifold: ne.HomogeneousManifold, dtype: torch.dtype, steps: int) -> Any:
    """Return points and their state after some steps of several parameters of any batch shape."""
    generator = torch.Generator().manual_seed(0)
    cls, options = VARIANTS[variant]
    points = [
        ne.ManifoldParameter(manifold.random(*size, generator=generator, dtype=dtype), manifold)
        for size in [(40,), (2, 3), ()]
    ]
    optimizer = cls([*points, *manifold.parameters()], **{"lr": 0.05, **options})
    for _ in range(steps):
        for x in points:
            x.grad = torch.randn(x.shape, generator=generator, dtype=dtype)
        optimizer.step()
    kept = [optimizer.state[x][name] for x in points for name in sorted(optimizer.state[x])]
    return [x.detach() for x in points], kept


@pytest.mark.parametrize(("variant", "manifold", "dtype"), CASES)
def test_kernels_equal_torch(
    variant: str, manifold: str, dtype: torch.dtype, in_kernels: Any
) -> None:
    runs = []
    for native in (False, True):
        in_kernels(native)
        runs.append(walk(variant, MANIFOLDS[manifold](), dtype, 4))
    in_kernels(False)
    units = 32 if dtype == torch.float32 else 512
    for expected, found in zip(runs[0], runs[1], strict=True):
        for a, b in zip(found, expected, strict=True):
            size = units * torch.finfo(dtype).eps * float(b.abs().max().clamp(min=1))
            torch.testing.assert_close(a, b, rtol=0, atol=size)


@pytest.mark.parametrize("variant", ["adam", "momentum"])
def test_a_kernel_resumes_bit_identically(variant: str, in_kernels: Any) -> None:
    in_kernels(True)
    L = ne.Lorentz(9, -0.7)
    cls, options = VARIANTS[variant]
    x = ne.ManifoldParameter(L.random(30), L)
    optimizer = cls([x], lr=0.05, **options)
    gradients = torch.randn(6, *x.shape)
    for gradient in gradients[:3]:
        x.grad = gradient
        optimizer.step()
    y = ne.ManifoldParameter(x.detach().clone(), L)
    other = cls([y], lr=0.05, **options)
    other.load_state_dict(
        {
            "state": {0: {name: t.clone() for name, t in optimizer.state[x].items()}},
            "param_groups": optimizer.state_dict()["param_groups"],
        }
    )
    for gradient in gradients[3:]:
        x.grad, y.grad = gradient, gradient.clone()
        optimizer.step()
        other.step()
    assert torch.equal(x.detach(), y.detach())


@pytest.mark.parametrize("native", [False, True])
def test_many_parameters_together_are_each_alone(native: bool, in_kernels: Any) -> None:
    """Of two dimensions and two curvatures, in one optimizer and in one each: the same bits."""
    in_kernels(native)
    spaces = [ne.Lorentz(3), ne.Lorentz(3, -2.0), ne.Lorentz(5), ne.Lorentz(3)]
    points = [ne.ManifoldParameter(s.random(4), s) for s in spaces for _ in range(2)]
    alone = [ne.ManifoldParameter(x.detach().clone(), x.manifold) for x in points]
    together = optim.RiemannianAdam(points, lr=0.05)
    optimizers = [optim.RiemannianAdam([x], lr=0.05) for x in alone]
    for number in range(3):
        for x, y in zip(points, alone, strict=True):
            if number or x is not points[0]:  # one of them is a step behind
                x.grad = torch.randn_like(x)
                y.grad = x.grad.clone()
        together.step()
        for optimizer in optimizers:
            optimizer.step()
    for x, y in zip(points, alone, strict=True):
        assert torch.equal(x.detach(), y.detach())


@pytest.mark.parametrize("manifold", ["ball", "lorentz"])
def test_gradients_that_are_not_finite_spoil_their_rows_alone(
    manifold: str, in_kernels: Any
) -> None:
    in_kernels(True)
    M = MANIFOLDS[manifold]()
    x = ne.ManifoldParameter(M.random(40), M)
    x.grad = torch.randn_like(x)
    x.grad[3, 5] = torch.nan
    optim.RiemannianAdam([x], lr=0.05).step()
    assert x.detach()[3].isnan().any()
    rest = torch.arange(40) != 3
    assert M.check_point(x.detach()[rest]).all()
