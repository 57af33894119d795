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
    and thing is not ne.optim.InducedMetric  # a wrapper of the others
    and not inspect.isabstract(thing)
]
OPTIONS: dict[str, list[dict[str, Any]]] = {  # beside lr, which alone is always tried
    "RiemannianSGD": [{"momentum": 0.9, "nesterov": True}],
    "RiemannianAdam": [{"amsgrad": True}],
    "RiemannianAdagrad": [{"lr_decay": 0.1, "initial_accumulator_value": 0.1}],
    "RiemannianRMSprop": [{"centered": True, "momentum": 0.5}],
    "RiemannianLion": [{"weight_decay": 0.1}],
}
JOINT: dict[
    str, dict[str, Any]
] = {  # those that need a closure; their flags have files of their own
    "RiemannianLBFGS": {"line_search_fn": "strong_wolfe"},
    "RiemannianConjugateGradient": {"line_search_fn": "approximate_wolfe"},
    "RiemannianTrustRegion": {},
}
LONG_WALK = "stays_on_the_manifold"
GATE = {"RiemannianSGD", "RiemannianAdam"}  # walk, and keep the laws with options, in every run
CURVED = [  # a thousand steps on each take long: the gate walks each class on one of them
    ne.Lorentz(3),
    ne.PoincareBall(3, -0.5),
    ne.Product(ne.Lorentz(3), ne.Sphere(2, 2.0), ne.Euclidean(2)),
    ne.Sphere(2, 2.0),
    ne.SphereProjection(2),
    ne.Stereographic(2, -1.5),
]


def variants(cls: type) -> list[dict[str, Any]]:
    if cls.__name__ in JOINT:
        return [JOINT[cls.__name__]]
    start = {"lr": 0.03} | ({"weight_decay": 0.0} if cls.__name__ == "RiemannianMuon" else {})
    return [{**start, **options} for options in [{}, *OPTIONS.get(cls.__name__, [])]]


CASES = [
    pytest.param(
        cls,
        options,
        name,
        id=f"{cls.__name__}-{i}-{name}",
        marks=[pytest.mark.slow] if name == LONG_WALK or (i and cls.__name__ not in GATE) else [],
    )
    for cls in CLASSES
    for i, options in enumerate(variants(cls))
    for name, _ in optimizer_laws(lambda params, cls=cls, options=options: cls(params, **options))
]


@pytest.mark.parametrize(("cls", "options", "name"), CASES)
def test_law(cls: Any, options: dict[str, Any], name: str) -> None:
    dict(optimizer_laws(lambda params: cls(params, **options)))[name]()


@pytest.mark.parametrize(
    "cls",
    [
        pytest.param(cls, marks=[] if cls.__name__ in GATE else pytest.mark.slow)
        for cls in CLASSES
        if cls.__name__ not in JOINT
    ],
)
def test_a_long_walk_stays_on_the_manifold(cls: Any) -> None:
    manifold = CURVED[CLASSES.index(cls) % len(CURVED)]
    options = variants(cls)[0]
    dict(optimizer_laws(lambda params: cls(params, **options), manifolds=[manifold]))[LONG_WALK]()


def test_the_wrapper_obeys_the_laws() -> None:
    wrapped = lambda params: ne.optim.InducedMetric(ne.optim.RiemannianSGD(params, 0.05), 0.1)  # noqa: E731
    for name, check in optimizer_laws(wrapped, manifolds=[ne.PoincareBall(3), ne.Sphere(2)]):
        if name not in (LONG_WALK, "keeps_groups_apart"):  # one factor for all groups is its point
            check()


def test_the_laws_see_a_euclidean_optimizer() -> None:
    """torch.optim.SGD leaves the sphere, and `check_optimizer` says so."""
    with pytest.raises(LawViolation, match="stays_on_the_manifold"):
        check_optimizer(lambda params: torch.optim.SGD(params, lr=0.01), manifolds=[ne.Sphere(2)])


# -- the twins under all flags ---------------------------------------------------------------------


class Lion(torch.optim.Optimizer):
    """[chen2023symbolic] Algorithm 2, as it is printed; torch has none."""

    def __init__(self, params: Any, lr: Any = 1e-4, betas: Any = (0.9, 0.99), **options: Any):
        defaults = {"weight_decay": 0.0, "maximize": False, "foreach": None, **options}
        super().__init__(params, {"lr": lr, "betas": betas, **defaults})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            lr, (beta1, beta2) = group["lr"], group["betas"]
            for p in group["params"]:
                g = -p.grad if group["maximize"] else p.grad
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                p.mul_(1 - lr * group["weight_decay"])
                p.sub_(lr * (beta1 * m + (1 - beta1) * g).sign())
                m.copy_(beta2 * m + (1 - beta2) * g)


COMMON: dict[str, list[Any]] = {
    "weight_decay": [0, 0.1],
    "maximize": [False, True],
    "foreach": [None, True, False],
    "lr": [0.1, torch.tensor(0.1)],
}
ADAM = {
    **COMMON,
    "betas": [(0.9, 0.999), (0.3, 0.6)],
    "amsgrad": [False, True],
    "fused": [None, True],
    "capturable": [False, True],  # refused on the CPU, in torch's words
}
FLAGS: dict[str, dict[str, list[Any]]] = {
    "RiemannianSGD": {
        **COMMON,
        "momentum": [0, 0.9],
        "dampening": [0, 0.1],
        "nesterov": [False, True],
        "fused": [None, True],
    },
    "RiemannianAdam": {**ADAM, "decoupled_weight_decay": [False, True]},
    "RiemannianAdamW": ADAM,
    "RiemannianAdagrad": {
        **COMMON,
        "lr_decay": [0, 0.1],
        "initial_accumulator_value": [0, 0.2],
        "fused": [None, True],
    },
    "RiemannianRMSprop": {
        **COMMON,
        "momentum": [0, 0.9],
        "centered": [False, True],
        "capturable": [False, True],
    },
    "RiemannianLion": {**COMMON, "betas": [(0.9, 0.99), (0.3, 0.6)]},
}
OURS_ALONE = {"decays_spheres", "error_if_nonfinite"}
TWINS = [cls for cls in CLASSES if cls.__name__ in FLAGS]
OF_TORCH = [cls for cls in TWINS if hasattr(torch.optim, cls.__name__.removeprefix("Riemannian"))]


def combinations(name: str) -> list[dict[str, Any]]:
    flags = FLAGS[name]
    return [dict(zip(flags, values, strict=True)) for values in itertools.product(*flags.values())]


def twin_of(cls: type) -> Any:
    return getattr(torch.optim, cls.__name__.removeprefix("Riemannian"), Lion)


def run(cls: Any, options: dict[str, Any], parameters: list[nn.Parameter]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    optimizer = cls(parameters, **options)
    for _ in range(3):
        gradient = torch.randn(5, 3, generator=generator, dtype=torch.float64)
        for parameter in parameters:
            parameter.grad = gradient.clone()
        optimizer.step()
        if not (options.get("nesterov") and options["foreach"]):  # torch edits it there
            assert all(torch.equal(parameter.grad, gradient) for parameter in parameters)
    return [parameter.detach() for parameter in parameters]


REFUSALS = (ValueError, RuntimeError, AssertionError)  # the last one of capturable


@pytest.mark.parametrize("cls", TWINS)
def test_every_flag_equals_the_twin(cls: type) -> None:
    start = torch.randn(5, 3, dtype=torch.float64)
    tried = 0
    for options in combinations(cls.__name__):
        expected = refusal = None
        try:
            (expected,) = run(twin_of(cls), options, [nn.Parameter(start.clone())])
        except REFUSALS as error:
            refusal = error
        if refusal is not None:
            with pytest.raises(type(refusal)) as caught:
                run(cls, options, [nn.Parameter(start.clone())])
            assert str(caught.value) == str(refusal)
            continue
        tried += 1
        if options.get("fused"):
            (plain,) = run(cls, options, [nn.Parameter(start.clone())])
            assert torch.equal(plain, expected), options
            continue
        marked = ne.ManifoldParameter(start.clone(), ne.Euclidean(3))
        both = run(cls, options, [marked, nn.Parameter(start.clone())])
        assert all(torch.equal(actual, expected) for actual in both), options
    assert tried >= 4


@pytest.mark.parametrize(
    "cls", [cls for cls in OF_TORCH if "differentiable" in inspect.signature(cls).parameters]
)
def test_differentiable_steps_of_plain_parameters(cls: Any) -> None:
    slopes = []
    for kind in (cls, twin_of(cls)):
        leaf = torch.full((3,), 0.5, dtype=torch.float64, requires_grad=True)
        gradient = torch.arange(1.0, 4.0, dtype=torch.float64, requires_grad=True)
        parameter = leaf.clone()
        optimizer = kind([nn.Parameter(torch.zeros(3))], lr=0.1, differentiable=True)
        optimizer.param_groups[0]["params"] = [parameter]
        parameter.grad = gradient
        optimizer.step()
        slopes.append(torch.cat(torch.autograd.grad(parameter.sum(), (leaf, gradient))))
    assert torch.equal(*slopes)


@pytest.mark.parametrize("cls", OF_TORCH)
def test_signature_and_defaults_are_the_twins(cls: type) -> None:
    """But for a few options at the end, by keyword."""
    ours, theirs = inspect.signature(cls).parameters, inspect.signature(twin_of(cls)).parameters
    shared = [parameter for parameter in ours.values() if parameter.name not in OURS_ALONE]
    assert [(p.name, p.kind, p.default) for p in shared] == [
        (p.name, p.kind, p.default) for p in theirs.values()
    ]
    own = list(ours.values())[len(shared) :]
    assert {p.name for p in own} == OURS_ALONE
    assert all(p.kind is p.KEYWORD_ONLY and p.default is False for p in own)
    plain = [nn.Parameter(torch.zeros(2))]
    lines = repr(cls(plain)).removeprefix("Riemannian").splitlines()
    kept = [line for line in lines if line.strip().split(":")[0] not in OURS_ALONE]
    assert kept == repr(twin_of(cls)(plain)).splitlines()
