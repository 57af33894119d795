"""The layers and models that are timed, each with its Euclidean twin and the input of both."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import noneuclid as ne
from noneuclid import layers
from noneuclid.models import EuclideanTransformer, PMTransformer

ROWS, WIDTH = 4096, 128  # a batch of single points
SETS, SLOTS, TOKEN, HEADS = 32, 64, 64, 4  # a batch of sets
JETS, PARTICLES = 32, 48
SPACES = ("E", "H", "B", "S", "K")


@dataclass(frozen=True)
class Pair:
    """A layer and its twin.

    Attributes:
        curved, flat: build a module; called at the start of the measurement.
        inputs: the tensors both are called with; those of the first are points for the layer.
        bar: the issue's bar for the compiled ratio, if it has one.
    """

    curved: Callable[[], nn.Module]
    flat: Callable[[], nn.Module]
    curved_inputs: Callable[[], tuple[Any, ...]]
    flat_inputs: Callable[[], tuple[Any, ...]]
    bar: float | None = None


class Attention(nn.Module):
    """torch.nn.MultiheadAttention of a set with itself and an additive bias."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(TOKEN, HEADS, batch_first=True)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        return self.inner(x, x, x, attn_mask=bias.flatten(0, 1), need_weights=False)[0]


class Biased(nn.Module):
    """A curved attention called with a bias."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        return self.inner(x, bias=bias)


def points(signature: str, *size: int) -> Tensor:
    """Return points at the radius of activations, about 1."""
    space = ne.manifold(signature)
    return space.expmap0(space.from_frame(torch.randn(*size, space.dim) / space.dim**0.5))


def signature_of(space: str, width: int) -> str:
    return f"{space}{width}(-1)*" if space == "K" else f"{space}{width}"


def rows_pair(
    signature: str, curved: Callable[..., nn.Module], flat: Callable[[], nn.Module],
    bar: float | None = None,
) -> Pair:  # fmt: skip
    """Return the pair of a layer of single points."""
    space = ne.manifold(signature)
    return Pair(
        lambda: curved(space),
        flat,
        lambda: (points(signature, ROWS),),
        lambda: (torch.randn(ROWS, space.dim),),
        bar,
    )


def attention_pair(signature: str, **options: Any) -> Pair:
    space = ne.manifold(signature)
    bias = torch.randn(SETS, HEADS, SLOTS, SLOTS)
    return Pair(
        lambda: Biased(layers.MultiheadAttention(space, HEADS, **options)),
        Attention,
        lambda: (points(signature, SETS, SLOTS), bias.clone().requires_grad_()),
        lambda: (torch.randn(SETS, SLOTS, TOKEN), bias.clone().requires_grad_()),
        1.6 if options.get("score", "tangent") == "tangent" else None,
    )


def jets() -> tuple[Tensor, Tensor, Tensor]:
    """Return features, mask and momenta of jets of 16 to 48 particles."""
    count = torch.randint(16, PARTICLES + 1, (JETS, 1))
    momenta = torch.randn(JETS, PARTICLES, 4)
    momenta[..., 3] = momenta[..., :3].square().sum(-1).sqrt()
    return torch.randn(JETS, PARTICLES, 7), torch.arange(PARTICLES) < count, momenta


def model_pair(signature: str, preset: str) -> Pair:
    return Pair(
        lambda: PMTransformer(7, 2, signature, signature, preset=preset),
        lambda: EuclideanTransformer(7, 2, preset=preset),
        jets,
        jets,
        1.8 if (signature, preset) == ("H x E", "250k") else None,
    )


def pairs() -> dict[str, Pair]:
    """Return everything that is timed, by name."""
    found: dict[str, Pair] = {}
    for space in SPACES:
        one = signature_of(space, WIDTH)
        names = ["mobius", "poincare", "spacelike", "gated", "htc", "busemann"]
        for variant in names if space != "E" else ["mobius"]:
            best = "spacelike" if space == "H" else "mobius"
            found[f"Linear {variant} | {space}"] = rows_pair(
                one,
                lambda m, v=variant: layers.Linear(m, m, variant=v),
                lambda: nn.Linear(WIDTH, WIDTH),
                2.0 if variant == best else None,
            )
        simple = {
            "TangentLayerNorm": (layers.TangentLayerNorm, lambda: nn.LayerNorm(WIDTH)),
            "SpaceRMSNorm": (layers.SpaceRMSNorm, lambda: nn.RMSNorm(WIDTH)),
            "GyroBatchNorm": (layers.GyroBatchNorm, lambda: nn.BatchNorm1d(WIDTH)),
            "MidpointBatchNorm": (layers.MidpointBatchNorm, lambda: nn.BatchNorm1d(WIDTH)),
            "Activation": (lambda m: layers.Activation(m, torch.relu), nn.ReLU),
            "HyperplaneClassifier": (
                lambda m: layers.HyperplaneClassifier(m, 10), lambda: nn.Linear(WIDTH, 10)
            ),
            "BusemannClassifier": (
                lambda m: layers.BusemannClassifier(m, 10), lambda: nn.Linear(WIDTH, 10)
            ),
        }  # fmt: skip
        for name, (curved, flat) in simple.items():
            found[f"{name} | {space}"] = rows_pair(one, curved, flat)
        token = signature_of(space, TOKEN)
        found[f"MultiheadAttention tangent | {space}"] = attention_pair(token)
        if space != "E":
            found[f"MultiheadAttention lorentz | {space}"] = attention_pair(token, score="lorentz")
            found[f"MultiheadAttention distance | {space}"] = attention_pair(
                token, score="distance"
            )
    for signature in ("E", "H x E", "H* x S*", "B x E"):
        for preset in ("25k", "250k"):
            found[f"PMTransformer {preset} | {signature}"] = model_pair(signature, preset)
    return found
