"""Figures of a tagger's geometry: the weights of the factors, and the jets in the disk."""

from typing import Any

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor, nn

from noneuclid.datasets import Jets
from noneuclid.layers import FactorCoupling, InterManifoldAttention
from noneuclid.manifolds.product import factors_of
from noneuclid.models import PMMLP, PMTransformer
from training.report.recording import recorded


def factor_weights(model: nn.Module, jets: Jets) -> tuple[Figure, str] | None:
    """Draw how much each factor counts where factors meet; None where none do."""
    found = [
        (name, factors, weights)
        for name, module in model.named_modules()
        if isinstance(module, FactorCoupling | InterManifoldAttention)
        for factors, weights in _weights(model, module, jets)
    ]
    if not found:
        return None
    figure = Figure(figsize=(max(4.5, 3.2 * len(found)), 3.6))
    columns = figure.subplots(1, len(found), squeeze=False, sharey=True)[0]
    for axes, (name, factors, weights) in zip(columns, found, strict=True):
        _boxes(axes, weights, jets, factors)
        axes.set_title(_place(name), fontsize=9)
    columns[0].set_ylabel("weight of the factor")
    columns[-1].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    return figure, (
        "Weights of the factors, which sum to 1, where factors are coupled: of particles by the"
        " class of their jet, or of jets. Boxes hold the middle half, whiskers 90 %."
    )


def _weights(
    model: nn.Module, module: FactorCoupling | InterManifoldAttention, jets: Jets
) -> list[tuple[list[str], Tensor]]:
    """Return names of the factors and weights (B, factors) or (B, P, factors)."""
    with recorded(module, "tangent") as calls:
        model(jets.features, mask=jets.mask, momenta=jets.momenta)
        if not calls:
            return []
        (c, *_), *_ = calls
        of = module.factor_weights if isinstance(module, FactorCoupling) else module.gate_weights
        return [([_short(factor) for factor in factors_of(module.manifold_in)], of(c).cpu())]


def _boxes(axes: Any, weights: Tensor, jets: Jets, factors: list[str]) -> None:
    """Draw a box for each factor and class."""
    names = jets.class_names
    for code, name in enumerate(names):
        chosen = weights[jets.classes == code]
        if chosen.dim() == 3:
            chosen = chosen[jets.mask[jets.classes == code]]
        if not len(chosen):
            continue
        width = 0.8 / len(names)
        places = [i + (code - (len(names) - 1) / 2) * width for i in range(len(factors))]
        boxes = axes.boxplot(
            list(chosen.T.numpy()), positions=places, widths=0.9 * width, whis=(5, 95),
            showfliers=False, patch_artist=True, medianprops={"color": "black"},
        )  # fmt: skip
        for box in boxes["boxes"]:
            box.set(facecolor=f"C{code}", alpha=0.6)
        axes.plot([], [], "s", color=f"C{code}", alpha=0.6, label=name)
    axes.set_xticks(range(len(factors)), factors)
    axes.axhline(1 / len(factors), color="0.6", linewidth=0.8, linestyle="--")
    axes.set_ylim(0, 1)


def _short(factor: Any) -> str:
    return f"{type(factor).__name__} {factor.dim}"


def _place(name: str) -> str:
    """Say in words where a coupling is."""
    parts = name.split(".")
    if "jet" in parts:
        return "jets"
    return f"particles, after block {int(parts[-1]) + 1}" if "couplings" in parts else "particles"


def disk(model: nn.Module, jets: Jets) -> tuple[Figure, str] | None:
    """Draw the jets' class tokens in the Poincare disk; None without a hyperbolic factor."""
    found = _tokens(model, jets)
    if found is None:
        return None
    c, token, factor = found
    scale = (-factor.curvature()).sqrt().to(c)
    _, _, axes = torch.linalg.svd(c - c.mean(0), full_matrices=False)
    points = _in_disk(c * scale, axes[:2])
    figure = Figure(figsize=(5.6, 5.6))
    plot = figure.subplots()
    plot.add_patch(Circle((0, 0), 1, fill=False, color="black", linewidth=1.2))
    for code, name in enumerate(jets.class_names):
        chosen = points[jets.classes == code]
        plot.scatter(*chosen.T.numpy(), s=6, alpha=0.5, color=f"C{code}", lw=0)
        plot.plot([], [], "o", color=f"C{code}", label=name)
    if token is not None:
        x, y = _in_disk(token * scale, axes[:2])[0].tolist()
        plot.plot(x, y, "*", color="black", ms=11, label="token before it asks")
    plot.set(xlim=(-1.03, 1.03), ylim=(-1.03, 1.03), aspect="equal")
    plot.axis("off")
    plot.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0), ncol=4, fontsize=8)
    what = "mean embeddings" if token is None else "class tokens"
    return figure, (
        f"{len(points)} test jets: their {what} on {_short(factor)}, K ="
        f" {float(factor.curvature()):.2f}. The distance from the centre is the hyperbolic one;"
        " the angle is that in the plane of the two principal axes of log_o, which hold"
        f" {_explained(c):.0%} of the variance."
    )


def _tokens(model: nn.Module, jets: Jets) -> tuple[Tensor, Tensor | None, Any] | None:
    """Return normal coordinates of jets and token on the first hyperbolic factor, and it."""
    network = getattr(model, "network", model)
    if isinstance(network, PMTransformer):
        space = network.space
        c = network.token_of(jets.features, jets.mask, jets.momenta)
        start = space.to_frame(space.logmap0(network.token))
    elif isinstance(network, PMMLP):
        space, start = network.manifold, None
        c = network.embed(jets.features, jets.mask)
    else:
        return None
    low = 0
    for factor in factors_of(space):
        high = low + factor.dim
        if getattr(factor, "curvature_sign", 0) < 0 and factor.dim >= 2:
            own = None if start is None else start[:, low:high].cpu()
            return c[:, low:high].cpu(), own, factor
        low = high
    return None


def _in_disk(c: Tensor, axes: Tensor) -> Tensor:
    """Return points of the disk of curvature -1: angle in the plane of two axes, full radius."""
    radius = c.square().sum(-1, keepdim=True).sqrt()
    plane = c @ axes.T
    length = plane.square().sum(-1, keepdim=True).sqrt()
    return torch.tanh(radius / 2) * plane / torch.where(length > 0, length, 1)


def _explained(c: Tensor) -> float:
    squares = torch.linalg.svdvals(c - c.mean(0)).square()
    return float(squares[:2].sum() / squares.sum())


@torch.no_grad()
def draw(model: nn.Module, jets: Jets) -> list[tuple[str, Figure, str]]:
    """Draw what there is: (title, figure, caption)."""
    drawn = {
        "Weights of the factors": factor_weights(model, jets),
        "In the disk": disk(model, jets),
    }
    return [(title, *found) for title, found in drawn.items() if found is not None]
