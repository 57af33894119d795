"""L-GATr: the Lorentz-equivariant transformer of the lgatr package, sized to a budget."""

from typing import Any

import torch
from torch import Tensor, nn

from taggers.sizes import fit, transformer_sizes
from taggers.tagger import Tagger

VARIANTS = ("full", "slim")
UNIT = 20.0  # GeV; momenta of constituents are of order 1 in it
# t, x, y, z of what breaks the symmetry to that of a collider: both beams and the time
REFERENCES = ((1.0, 0.0, 0.0, 1.0), (1.0, 0.0, 0.0, -1.0), (1.0, 0.0, 0.0, 0.0))
_SCALARS = 4  # scalar channels for each vector channel


class LorentzTransformerTagger(Tagger):
    """`lgatr.LGATr` ("full") or `lgatr.LGATrSlim` ("slim"), their mean over particles, an MLP.

    The momenta, in units of 20 GeV, and the directions of beams and time are vector channels of
    each particle, the features its scalars. A jet without particles has the mean 0.
    """

    uses_momenta = True

    def __init__(self, body: nn.Module, variant: str, channels: int, head: int, classes: int):
        super().__init__()
        self.body, self.variant = body, variant
        self.register_buffer("references", torch.tensor(REFERENCES), persistent=False)
        self.head = nn.Sequential(nn.Linear(channels, head), nn.GELU(), nn.Linear(head, classes))

    def logits(self, features: Tensor, mask: Tensor, momenta: Tensor | None) -> Tensor:
        """Return the logits (B, classes)."""
        assert momenta is not None
        own = momenta.roll(1, -1)[..., None, :] / UNIT  # E first
        vectors = torch.cat([own, self.references.expand(*mask.shape, -1, -1)], dim=-2)
        seen = mask[:, None, None, :]
        if self.variant == "full":
            vectors = nn.functional.pad(vectors, (1, 11))  # into the vector part of 16 components
        # a jet without particles asks its padding; what that says is left out of the mean
        seen = seen | ~seen.any(-1, keepdim=True)
        multivectors, scalars = self.body(vectors, features, attn_mask=seen)
        if self.variant == "full":
            scalars = torch.cat([scalars, multivectors[..., 0]], dim=-1)  # invariant as well
        total = torch.where(mask[..., None], scalars, 0).sum(1)
        return self.head(total / mask.sum(1, keepdim=True).clamp(min=1))


def build(
    in_features: int,
    classes: int,
    parameters: int,
    variant: str = "full",
    layers: int | None = None,
    heads: int | None = None,
    dropout: float = 0.0,
) -> Tagger:
    """Build the tagger.

    Options:
        variant: "full": multivectors and their geometric product; "slim": vectors and scalars.
        layers: blocks; None: those of our transformers of this budget.
        heads: of the attention; None: likewise.
        dropout: in the blocks.

    Raises:
        ImportError: lgatr is not installed.

    Source: [spinner2024lorentz].
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}")
    package = _package()
    sizes = transformer_sizes(parameters)
    depth, count = layers or sizes.layers, heads or sizes.heads

    def make(width: int, head: int) -> nn.Module:
        scalars = _SCALARS * width
        body = _body(package, variant, (in_features, width, scalars), depth, count, dropout)
        channels = scalars + (variant == "full")
        return LorentzTransformerTagger(body, variant, channels, head, classes)

    return fit(make, parameters, widths=range(count, 129, count), ratio=2 * _SCALARS)


def _body(
    package: Any, variant: str, channels: tuple[int, int, int], depth: int, heads: int, drop: float
) -> nn.Module:
    """Build the equivariant part: `channels` are the scalars in, vectors and scalars inside."""
    inputs, vectors, scalars = channels
    common = {
        "num_blocks": depth,
        "in_s_channels": inputs,
        "out_s_channels": scalars,
        "hidden_s_channels": scalars,
        "dropout_prob": drop or None,
    }
    if variant == "slim":
        body = package.LGATrSlim(
            in_v_channels=1 + len(REFERENCES),
            out_v_channels=0,
            hidden_v_channels=vectors,
            num_heads=heads,
            **common,
        )
        for parameter in body.parameters():  # those to no vector at all have no gradient
            parameter.requires_grad_(parameter.requires_grad and parameter.numel() > 0)
        return body
    return package.LGATr(
        in_mv_channels=1 + len(REFERENCES),
        out_mv_channels=1,
        hidden_mv_channels=vectors,
        attention={"num_heads": heads},
        mlp={"mlp_ratio": 2},
        **common,
    )


def _package() -> Any:
    try:
        import lgatr
    except ImportError as error:
        raise ImportError(
            "lgatr is a package of its own: pip install 'noneuclid[taggers]'"
        ) from error
    return lgatr
