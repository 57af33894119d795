"""Layers without memory: built on the meta device, then given memory and fresh parameters."""

import pytest
import torch
from layer_cases import CASES, Builder, anywhere, points

import noneuclid as ne
from noneuclid.layers import Classifier, make_classifier
from noneuclid.manifolds import Curvature
from noneuclid.models.particles import MaskedBatchNorm


@pytest.mark.parametrize(
    "build", CASES.values(), ids=[f"{cls.__name__} {variant}".strip() for cls, variant in CASES]
)
def test_from_the_meta_device(build: Builder) -> None:
    """With a learned curvature that lives on the CPU: shapes first, then memory and numbers."""
    curvatures = anywhere(build)

    def on_meta(manifold: ne.Manifold) -> object:
        with torch.device("meta"):
            return build(manifold)

    layer = anywhere(on_meta).layer.eval()
    tensors = [*layer.parameters(), *layer.buffers()]
    assert all(t.is_meta for t in tensors if not any(t is c for c in _raw(layer)))
    shape = (*curvatures.shape(3), *layer.manifold_in.point_shape)
    assert layer(torch.empty(shape, device="meta")).is_meta
    layer.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*layer.parameters(), *layer.buffers()):
            tensor.fill_(77)  # whatever stands in fresh memory
    for module in (m for m in layer.modules() if isinstance(m, Curvature)):
        module.reset_parameters()
    layer.reset_parameters()
    c = 0.7 * torch.randn(*curvatures.shape(3), layer.manifold_in.dim)
    y = layer(points(layer.manifold_in, c))
    assert layer.manifold_out.check_point(y).all()
    assert not any((t == 77).any() for t in (*layer.parameters(), *layer.buffers()))


def _raw(layer: torch.nn.Module) -> list[torch.nn.Parameter]:
    return [m.raw for m in layer.modules() if isinstance(m, Curvature) and m.learnable]


def test_ideal_prototypes_come_back() -> None:
    """The directions are fixed, not drawn: fresh memory gets the same ones."""
    head = make_classifier(ne.Lorentz(3), 5, head="ideal")
    other: Classifier = make_classifier(ne.Lorentz(3), 5, head="ideal", device="meta")
    other.to_empty(device="cpu").reset_parameters()
    assert other.direction.equal(head.direction)


def test_a_curvature_starts_again() -> None:
    """Where it began, for either kind of sign."""
    for curvature in (Curvature(-0.7, learnable=True, sign=-1), Curvature(0.3, learnable=True)):
        start = float(curvature)
        with torch.no_grad():
            curvature.raw.add_(0.5)
        assert float(curvature) != start
        curvature.reset_parameters()
        assert float(curvature) == start


def test_statistics_of_particles() -> None:
    """Every buffer is where it was asked for, and gets its first value there."""
    norm = MaskedBatchNorm(4, device="meta")
    assert all(tensor.is_meta for tensor in norm.state_dict().values())
    norm.to_empty(device="cpu").reset_parameters()
    for name, tensor in MaskedBatchNorm(4).state_dict().items():
        assert norm.state_dict()[name].equal(tensor)
