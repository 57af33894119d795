"""The models that are timed, and the attention block of a preset, with their Euclidean twins."""

from typing import Any

import layers_twins as twins
import torch
from layers_pairs import HEADS, SETS, SLOTS, TOKEN, Pair, points
from torch import Tensor, nn

import noneuclid as ne
from noneuclid.layers.attention._visible import visible
from noneuclid.models import (
    PMMLP,
    EuclideanMLP,
    EuclideanTransformer,
    HyperbolicTransformer,
    PMTransformer,
)
from noneuclid.models.particles import PRESETS

JETS, PARTICLES = 32, 48
SIGNATURES = ("H x E", "E", "H* x S*", "B x E")
BUDGETS = (1_000, 5_000, 25_000)  # of PMMLP


def jets() -> tuple[Tensor, Tensor, Tensor]:
    """Return features, mask and momenta of jets of 16 to 48 particles."""
    count = torch.randint(16, PARTICLES + 1, (JETS, 1))
    momenta = torch.randn(JETS, PARTICLES, 4)
    momenta[..., 3] = momenta[..., :3].square().sum(-1).sqrt()
    return torch.randn(JETS, PARTICLES, 7), torch.arange(PARTICLES) < count, momenta


class CurvedHalf(nn.Module):
    """The attention of a preset, with its norm and residual, called with tokens and a bias."""

    def __init__(self, block: Any, half: bool) -> None:
        super().__init__()
        self.block, self.half = block, half

    def forward(self, c: Tensor, bias: Tensor) -> Tensor:
        count, places = c.shape[:2]
        seen = visible((count, places, places), None, bias, False, c)
        if not self.half:
            return self.block(c, None, seen)
        given = self.block.attention.attend(self.block.norm1.tangent(c), None, seen)
        return self.block.residual1.tangent(c, given)


class FlatHalf(nn.Module):
    """The same of the Euclidean preset."""

    def __init__(self, block: Any, half: bool) -> None:
        super().__init__()
        self.block, self.half = block, half

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        if not self.half:
            return self.block(x, x, None, bias)
        return x + self.block._attend(x, x, None, bias)


def block_pair(signature: str, preset: str, half: bool) -> Pair:
    """Return the first block of a preset, or the half that attends."""
    bias = torch.randn(JETS, PRESETS[preset][1].heads, PARTICLES, PARTICLES)

    def curved() -> nn.Module:
        model = PMTransformer(7, 2, signature, signature, preset=preset)
        return CurvedHalf(model.blocks[0], half)

    def flat() -> nn.Module:
        return FlatHalf(EuclideanTransformer(7, 2, preset=preset).blocks[0], half)

    def inputs(width: int) -> tuple[Tensor, Tensor]:
        tokens = torch.randn(JETS, PARTICLES, width) / width**0.5
        return tokens, bias.clone().requires_grad_()

    def width_of(model: nn.Module) -> int:
        return next(p.numel() for name, p in model.named_parameters() if "norm1.bias" in name)

    return Pair(
        curved,
        flat,
        lambda: inputs(width_of(curved())),
        lambda: inputs(width_of(flat())),
        1.6 if preset == "250k" and signature == "H x E" else None,
    )


def transformer_pair(signature: str, preset: str) -> Pair:
    barred = (signature, preset) == ("H x E", "250k")
    return Pair(
        lambda: PMTransformer(7, 2, signature, signature, preset=preset),
        lambda: EuclideanTransformer(7, 2, preset=preset),
        jets,
        jets,
        1.8 if barred else None,
        1.3 if barred else None,
    )


def mlp_pair(signature: str, budget: int) -> Pair:
    return Pair(
        lambda: PMMLP(7, 2, signature, parameters=budget),
        lambda: EuclideanMLP(7, 2, parameters=budget),
        lambda: jets()[:2],
        lambda: jets()[:2],
    )


def encoder_pair(kind: Any) -> Pair:
    """Return the hyperbolic encoder; the twin has scores by inner products."""
    signature = f"H{TOKEN}"
    return Pair(
        lambda: HyperbolicTransformer(ne.manifold(signature), heads=HEADS, attention=kind),
        lambda: twins.PreNorm(
            EuclideanTransformer(7, 2, dim=TOKEN, layers=2, heads=HEADS, ffn_ratio=4).blocks
        ),
        lambda: (points(signature, SETS, SLOTS),),
        lambda: (torch.randn(SETS, SLOTS, TOKEN),),
    )


def encoder_preset_pair(preset: str, kind: Any) -> Pair:
    """Return a preset of the encoder; the twin has its width, depth and heads on R^n."""

    def curved() -> HyperbolicTransformer:
        return HyperbolicTransformer("H", preset=preset, attention=kind)

    def flat() -> nn.Module:
        model = HyperbolicTransformer("H", preset=preset, attention=kind, device="meta")
        sizes = {"layers": model.sizes.layers, "heads": model.sizes.heads}
        ratio = model.sizes.ffn_ratio
        return twins.PreNorm(
            EuclideanTransformer(7, 2, dim=model.manifold_in.dim, ffn_ratio=ratio, **sizes).blocks
        )

    def width() -> int:
        return HyperbolicTransformer(
            "H", preset=preset, attention=kind, device="meta"
        ).manifold_in.dim

    return Pair(
        curved,
        flat,
        lambda: (points(f"H{width()}", JETS, PARTICLES),),
        lambda: (torch.randn(JETS, PARTICLES, width()),),
    )


def model_pairs() -> dict[str, Pair]:
    """Return every preset of every model, and the blocks of one, by `name | space`."""
    found = {}
    for signature in SIGNATURES:
        found[f"Attention of PMTransformer 250k | {signature}"] = block_pair(
            signature, "250k", half=True
        )
        found[f"Block of PMTransformer 250k | {signature}"] = block_pair(
            signature, "250k", half=False
        )
    for preset in PRESETS:
        for signature in SIGNATURES if preset in ("25k", "250k") else SIGNATURES[:1]:
            found[f"PMTransformer {preset} | {signature}"] = transformer_pair(signature, preset)
    for budget in BUDGETS:
        for signature in ("H x E", "H* x S*"):
            found[f"PMMLP {budget} | {signature}"] = mlp_pair(signature, budget)
    for kind in ("softmax", "linear"):
        found[f"HyperbolicTransformer {kind} | H"] = encoder_pair(kind)
        for preset in PRESETS:
            name = f"HyperbolicTransformer {kind} {preset} | H"
            found[name] = encoder_preset_pair(preset, kind)
    return found
