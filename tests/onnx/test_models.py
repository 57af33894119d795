"""Whole models, exported to ONNX for inference, give the eager numbers in ONNX Runtime."""

from collections.abc import Callable

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import noneuclid as ne
import noneuclid.onnx
from noneuclid.models import PMMLP, HyperbolicTransformer, PMTransformer

H = ne.manifold("H8(-0.7)*")
BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "PMMLP": lambda: PMMLP(7, 2, "H* x E", parameters=1000),
    "PMTransformer": lambda: PMTransformer(7, 2, "H x E", "H x E", preset="1k"),
    "PMTransformer with pairs": lambda: PMTransformer(7, 2, "H* x S", "K(0)* x B", preset="5k"),
    "HyperbolicTransformer": lambda: HyperbolicTransformer(H, layers=2, heads=2, positions=True),
    "HyperbolicTransformer linear": lambda: HyperbolicTransformer(
        H, layers=2, heads=2, attention="linear"
    ),
}
BATCH = torch.export.Dim("batch", min=2)


def inputs(model: nn.Module, rows: int) -> dict[str, Tensor]:
    """Return jets of one particle, of none, and of more; padding that is NaN."""
    mask = torch.arange(5) < (torch.arange(rows) % 6)[:, None]
    mask = mask.roll(1, 0)
    if isinstance(model, HyperbolicTransformer):
        c = 0.5 * torch.randn(rows, 5, H.dim)
        return {"x": H.expmap0(H.from_frame(c)).detach(), "mask": mask}
    given = {"features": torch.randn(rows, 5, 7), "mask": mask}
    if isinstance(model, PMTransformer) and model.pairs is not None:
        momenta = 20 * torch.randn(rows, 5, 4)
        momenta[..., 3] = 1.01 * momenta[..., :3].norm(dim=-1)
        given["momenta"] = momenta
    return {
        name: t if name == "mask" else torch.where(mask[..., None], t, torch.nan)
        for name, t in given.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_values_equal_eager(build: Callable[[], nn.Module]) -> None:
    """One graph for every number of jets, in float32; parameters off their initial values."""
    model = build().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if ne.manifold_of(parameter) is None:
                parameter.add_(0.05 * torch.randn_like(parameter))
    example = inputs(model, 3)
    program = noneuclid.onnx.export(
        model,
        (),
        kwargs=example,
        dynamic_shapes={name: {0: BATCH} for name in example},
        verbose=False,
    )
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    for rows in (3, 7):
        given = inputs(model, rows)
        with torch.no_grad():
            expected = model(**given)
        (value,) = session.run(None, {name: t.numpy() for name, t in given.items()})
        assert torch.isfinite(expected).all()
        found = torch.from_numpy(value)
        torch.testing.assert_close(found, expected, atol=5e-6, rtol=5e-6)
