"""The sizes of particle transformers: presets by number of parameters, for any geometry."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from noneuclid.models._budget import fit_widths


@dataclass(frozen=True)
class Sizes:
    """Everything of a particle transformer that counts, but the widths.

    Attributes:
        layers: particle blocks.
        class_layers: class-attention blocks.
        heads: of every attention; the width of every factor is a multiple of it.
        ffn_ratio: hidden width of the feed-forward maps over the width.
        embed_layers: linear maps of the feature embedding.
        pair_widths: layers between momenta and attention bias; None: no bias.
        jet_layers: Euclidean linear maps before the jet's manifold, beside one to another width.
    """

    layers: int = 2
    class_layers: int = 1
    heads: int = 1
    ffn_ratio: int = 2
    embed_layers: int = 2
    pair_widths: tuple[int, ...] | None = None
    jet_layers: int = 1


# Budgets between the sizes of [woodward2024product] figure 12 and of Particle Transformer, 2.1M.
PRESETS: dict[str, tuple[int, Sizes]] = {
    "1k": (1_000, Sizes(layers=1, heads=1, ffn_ratio=1, embed_layers=1)),
    "5k": (5_000, Sizes(layers=2, heads=1, ffn_ratio=2, pair_widths=(8,))),
    "25k": (25_000, Sizes(layers=2, heads=2, ffn_ratio=3, pair_widths=(16, 16), jet_layers=2)),
    "250k": (
        250_000,
        Sizes(4, 2, 4, ffn_ratio=4, embed_layers=3, pair_widths=(32, 32, 32), jet_layers=3),
    ),
    "1M": (
        1_000_000,
        Sizes(6, 2, 8, ffn_ratio=4, embed_layers=3, pair_widths=(64, 64, 64), jet_layers=3),
    ),
    "2M": (
        2_000_000,
        Sizes(8, 2, 8, ffn_ratio=4, embed_layers=3, pair_widths=(64, 64, 64), jet_layers=3),
    ),
}
# At which the presets train with Adam on batches of a few hundred jets, in bfloat16 too.
LEARNING_RATES = {"1k": 1e-2, "5k": 5e-3, "25k": 2e-3, "250k": 1e-3, "1M": 5e-4, "2M": 5e-4}
_LARGEST = 512  # width of one factor
_RATIO = 2  # of the hidden width between token and jet to the width of a factor


def sizes_of(preset: str | None, changes: dict[str, Any]) -> tuple[int | None, Sizes]:
    """Return the budget of a preset, None without one, and its sizes with `changes` made.

    Args:
        preset: a key of `PRESETS` or None.
        changes: sizes given by the user.

    Raises:
        ValueError: an unknown preset.
    """
    if preset is not None and preset not in PRESETS:
        raise ValueError(f"unknown preset {preset!r}: expected one of {', '.join(PRESETS)}")
    budget, sizes = PRESETS[preset] if preset is not None else (None, Sizes())
    return budget, replace(sizes, **changes)


def fit_transformer(
    count: Callable[[int, int], int], parameters: int, sizes: Sizes
) -> tuple[int, int]:
    """Return (width of a factor, hidden width on the way to the jet) for a budget, within 2 %.

    Args:
        count: (width, hidden) -> number of parameters, linear in hidden.
        parameters: the budget.
        sizes: the other sizes.

    Raises:
        ValueError: no widths meet the budget.
    """
    step = sizes.heads
    return fit_widths(count, parameters, range(max(2, step), _LARGEST + 1, step), _RATIO)
