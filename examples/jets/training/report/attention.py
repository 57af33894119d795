"""The attention of the class token, drawn on one jet of each class."""

from typing import Any

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from noneuclid.datasets import Jets
from noneuclid.manifolds.product import factors_of
from noneuclid.models import EuclideanTransformer, PMTransformer
from training.report.recording import recorded

_PARTICLES = 20  # that a jet to be drawn has at least
_CLASSES = 3  # drawn at most


@torch.no_grad()
def draw(model: nn.Module, jets: Jets) -> list[tuple[str, Figure, str]]:
    """Draw the attention, if the tagger has one that is known how to read."""
    network = getattr(model, "network", model)
    chosen = [
        int(found[0])
        for code in range(len(jets.class_names))
        if len(found := ((jets.classes == code) & (jets.mask.sum(1) >= _PARTICLES)).nonzero())
    ]
    if not chosen or not isinstance(network, PMTransformer | EuclideanTransformer):
        return []
    some = jets.subset(chosen[-_CLASSES:])
    names, weights = _weights(network, some)
    rows, columns = len(some), len(names)
    figure = Figure(figsize=(1 + 3.4 * columns, 0.6 + 3.0 * rows))
    for row, line in enumerate(figure.subplots(rows, columns, squeeze=False)):
        for column, axes in enumerate(line):
            jet = some.subset([row])
            points = _jet(axes, jet, weights[row, column])
            axes.set_title(f"{jet.class_names[int(jet.classes)]}: {names[column]}", fontsize=9)
            figure.colorbar(points, ax=axes, label="attention" if column == columns - 1 else None)
    figure.tight_layout()
    return [
        (
            "Attention",
            figure,
            "What the class token asks in the last block, mean over heads, one column for each"
            " factor. A disc is a particle, its area is proportional to pT; the token's weight for"
            " itself is not drawn. The first test jet of each class with 20 particles or more.",
        )
    ]


def _jet(axes: Any, jet: Jets, weights: Tensor) -> Any:
    """Draw the particles of a jet by their angles to its axis; return what has the colours."""
    px, py, pz, _ = jet.momenta[0][jet.mask[0]].double().unbind(-1)
    pt = torch.hypot(px, py)
    eta = torch.asinh(pz / pt)
    axis = torch.asinh(pz.sum() / torch.hypot(px.sum(), py.sum()))
    turned = torch.atan2(py, px) - torch.atan2(py.sum(), px.sum())
    phi = torch.remainder(turned + torch.pi, 2 * torch.pi) - torch.pi
    found = axes.scatter(
        eta - axis, phi, s=10 + 900 * pt / pt.sum(), c=weights[jet.mask[0]], cmap="viridis",
        vmin=0, edgecolor="0.3", linewidth=0.4, alpha=0.85,
    )  # fmt: skip
    axes.set(xlabel="Δη", ylabel="Δφ", xlim=(-0.85, 0.85), ylim=(-0.85, 0.85), aspect="equal")
    return found


def _weights(network: Any, jets: Jets) -> tuple[list[str], Tensor]:
    """Return the factors, and what the token asks of each particle: (B, factors, P)."""
    last = network.class_blocks[-1]
    here = F.pad(jets.mask, (1, 0), value=True)
    if isinstance(network, EuclideanTransformer):
        with recorded(last, "forward") as calls:
            network(jets.features, jets.mask, jets.momenta)
        token, context, *_ = calls[0]
        return ["E"], last.attention_weights(token, context, here).mean(1)[..., 1:]
    attention = last.attention
    with recorded(attention, "attend") as calls:
        network(jets.features, jets.mask, jets.momenta)
    token, context, *_ = calls[0]
    space = network.space
    points = [space.expmap0(space.from_frame(c)) for c in (token, context)]
    weights = attention.attention_weights(*points, mask=here)
    if weights.dim() == 4:
        weights = weights[:, None]
    names = [f"{type(factor).__name__} {factor.dim}" for factor in factors_of(space)]
    return names, weights.mean(2)[:, :, 0, 1:]
