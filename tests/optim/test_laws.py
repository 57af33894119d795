"""Every public optimizer, found by itself, under every law and every flag."""

import inspect
import itertools
from typing import Any

import pytest
import torch
from torch import nn

import noneuclid as ne
import noneuclid.optim
from noneuclid.testing.check_optimizer import check_optimizer, optimizer_laws
from noneuclid.testing.law import LawViolation

CLASSES = [
    thing
    for name in noneuclid.optim.__all__
    if inspect.isclass(thing := getattr(ne.optim, name))
    and issubclass(thing, torch.optim.Optimizer)
    and not inspect.isabstract(thing)
]
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "RiemannianSGD": [{"lr": 0.03}, {"lr": 0.03, "momentum": 0.9}],
    "RiemannianAdam": [{"lr": 0.03}, {"lr": 0.03, "amsgrad": True}],
    "RiemannianLBFGS": [{"line_search_fn": "strong_wolfe"}],
    "RiemannianConjugateGradient": [{"line_search_fn": "approximate_wolfe"}],
    "RiemannianTrustRegion": [{}],
}
# the flags of the others are tried in files of their own
FIRST_ORDER = [cls for cls in CLASSES if not getattr(cls, "needs_closure", False)]
CASES = [
    pytest.param(
        cls,
        options,
        name,
        id=f"{cls.__name__}-{i}-{name}",
        marks=[pytest.mark.slow] if i and name == "stays_on_the_manifold" else [],
    )
    for cls in CLASSES
    for i, options in enumerate(OPTIONS.get(cls.__name__, [{"lr": 0.03}]))
    for name, _ in optimizer_laws(lambda params, cls=cls, options=options: cls(params, **options))
]


@pytest.mark.parametrize(("cls", "options", "name"), CASES)
def test_law(cls: Any, options: dict[str, Any], name: str) -> None:
    dict(optimizer_laws(lambda params: cls(params, **options)))[name]()


def test_the_laws_see_a_euclidean_optimizer() -> None:
    """torch.optim.SGD leaves the sphere, and `check_optimizer` says so."""
    with pytest.raises(LawViolation, match="stays_on_the_manifold"):
        check_optimizer(lambda params: torch.optim.SGD(params, lr=0.01), manifolds=[ne.Sphere(2)])


# -- the twins under all flags ---------------------------------------------------------------------

FLAGS = {
    "RiemannianSGD": {
        "momentum": [0, 0.9],
        "dampening": [0, 0.1],
        "nesterov": [False, True],
        "weight_decay": [0, 0.1],
        "maximize": [False, True],
        "foreach": [None, True, False],
        "fused": [None, True],
        "lr": [0.1, torch.tensor(0.1)],
    },
    "RiemannianAdam": {
        "betas": [(0.9, 0.999), (0.3, 0.6)],
        "amsgrad": [False, True],
        "weight_decay": [0, 0.1],
        "maximize": [False, True],
        "foreach": [None, True, False],
        "fused": [None, True],
        "lr": [0.1, torch.tensor(0.1)],
    },
}


def combinations(name: str) -> list[dict[str, Any]]:
    flags = FLAGS.get(name, {"lr": [0.1]})
    return [dict(zip(flags, values, strict=True)) for values in itertools.product(*flags.values())]


def twin_of(cls: type) -> Any:
    return getattr(torch.optim, cls.__name__.removeprefix("Riemannian"))


def run(cls: Any, options: dict[str, Any], parameters: list[nn.Parameter]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    optimizer = cls(parameters, **options)
    for _ in range(4):
        gradient = torch.randn(5, 3, generator=generator, dtype=torch.float64)
        for parameter in parameters:
            parameter.grad = gradient.clone()
        optimizer.step()
    return [parameter.detach() for parameter in parameters]


@pytest.mark.parametrize("cls", FIRST_ORDER)
def test_every_flag_equals_the_twin(cls: type) -> None:
    start = torch.randn(5, 3, dtype=torch.float64)
    tried = 0
    for options in combinations(cls.__name__):
        expected = refusal = None
        try:
            (expected,) = run(twin_of(cls), options, [nn.Parameter(start.clone())])
        except (ValueError, RuntimeError) as error:
            refusal = error
        if refusal is not None:
            with pytest.raises(type(refusal)) as caught:
                run(cls, options, [nn.Parameter(start.clone())])
            assert str(caught.value) == str(refusal)
            continue
        tried += 1
        (plain,) = run(cls, options, [nn.Parameter(start.clone())])
        assert torch.equal(plain, expected), options
        if not options.get("fused"):
            marked = ne.ManifoldParameter(start.clone(), ne.Euclidean(3))
            both = run(cls, options, [marked, nn.Parameter(start.clone())])
            # torch's own foreach form is the single-tensor form with other roundings
            exact = not options.get("foreach")
            for actual in both:
                torch.testing.assert_close(
                    actual, expected, rtol=0 if exact else 1e-13, atol=0 if exact else 1e-13
                )
    assert tried >= 4


@pytest.mark.parametrize("cls", FIRST_ORDER)
def test_differentiable_steps_of_plain_parameters(cls: Any) -> None:
    rates = []
    for kind in (cls, twin_of(cls)):
        rate = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
        leaf = torch.full((3,), 0.5, dtype=torch.float64, requires_grad=True)
        parameter = leaf.clone()
        optimizer = kind([nn.Parameter(torch.zeros(3))], lr=rate, differentiable=True)
        optimizer.param_groups[0]["params"] = [parameter]
        parameter.grad = torch.arange(1.0, 4.0, dtype=torch.float64)
        optimizer.step()
        rates.append(torch.autograd.grad(parameter.sum(), leaf)[0])
    assert torch.equal(*rates)


@pytest.mark.parametrize("cls", FIRST_ORDER)
def test_signature_and_defaults_are_the_twins(cls: type) -> None:
    ours, theirs = inspect.signature(cls).parameters, inspect.signature(twin_of(cls)).parameters
    assert [(p.name, p.kind, p.default) for p in ours.values()] == [
        (p.name, p.kind, p.default) for p in theirs.values()
    ]
    plain = [nn.Parameter(torch.zeros(2))]
    assert repr(cls(plain)).removeprefix("Riemannian") == repr(twin_of(cls)(plain))
