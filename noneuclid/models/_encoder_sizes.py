"""The sizes of encoders between points: presets by number of parameters, for any geometry."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from noneuclid.models._budget import fit_widths
from noneuclid.models._checks import check_sizes


@dataclass(frozen=True)
class EncoderSizes:
    """Everything of an encoder that counts, but the widths.

    Attributes:
        layers: blocks.
        heads: of every attention; the width of every factor is a multiple of it.
        ffn_ratio: hidden width of the feed-forward maps over the width.
    """

    layers: int = 2
    heads: int = 4
    ffn_ratio: int = 4


# The budgets of `noneuclid.models.particles.PRESETS`, and their depths and heads.
ENCODER_PRESETS: dict[str, tuple[int, EncoderSizes]] = {
    "1k": (1_000, EncoderSizes(layers=1, heads=1, ffn_ratio=2)),
    "5k": (5_000, EncoderSizes(layers=2, heads=1, ffn_ratio=2)),
    "25k": (25_000, EncoderSizes(layers=2, heads=2, ffn_ratio=3)),
    "250k": (250_000, EncoderSizes(layers=4, heads=4, ffn_ratio=4)),
    "1M": (1_000_000, EncoderSizes(layers=6, heads=8, ffn_ratio=4)),
    "2M": (2_000_000, EncoderSizes(layers=8, heads=8, ffn_ratio=4)),
}
_LARGEST = 512  # width of one factor


def encoder_sizes(preset: str | None, **changes: int | None) -> tuple[int | None, EncoderSizes]:
    """Return the budget of a preset, None without one, and its sizes with `changes` made.

    Args:
        preset: a key of `ENCODER_PRESETS` or None.
        changes: fields of `EncoderSizes`; None leaves one as it is.

    Raises:
        ValueError: an unknown preset or a size below 1.
    """
    if preset is not None and preset not in ENCODER_PRESETS:
        known = ", ".join(ENCODER_PRESETS)
        raise ValueError(f"unknown preset {preset!r}: expected one of {known}")
    check_sizes(**changes)
    budget, sizes = (None, EncoderSizes()) if preset is None else ENCODER_PRESETS[preset]
    return budget, replace(sizes, **{k: v for k, v in changes.items() if v is not None})


def fit_encoder(
    count: Callable[[int, int], int], parameters: int, sizes: EncoderSizes
) -> tuple[int, int]:
    """Return (width of a factor, hidden width of its feed-forward maps) for a budget, within 2 %.

    Args:
        count: (width, hidden) -> number of parameters, linear in hidden.
        parameters: the budget.
        sizes: the other sizes.

    Raises:
        ValueError: no widths meet the budget.
    """
    step = sizes.heads
    return fit_widths(count, parameters, range(max(2, step), _LARGEST + 1, step), sizes.ffn_ratio)
