"""The hyperbolic plane as the Poincare disk: its rim, geodesics as arcs, points with labels.

Functions take points of any model of the hyperbolic plane and draw them on matplotlib axes; the
disk is that of curvature -1, whatever the curvature.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from noneuclid.manifolds import Lorentz, PoincareBall
from noneuclid.numerics import wide

Plane = PoincareBall | Lorentz
INK, ACCENT, PAPER = "#1f5f8b", "#d1495b", "#f7f9fb"  # lines, points, the inside of the disk
_STEPS = 48  # straight pieces of an arc


def draw_disk(axes: Any, *, circles: Sequence[float] = (), margin: float = 0.03) -> None:
    """Prepare axes: the rim, nothing but the disk, and circles about the origin.

    Args:
        axes: of matplotlib.
        circles: hyperbolic radii at which to draw thin circles, in units of |K|^-1/2.
        margin: room around the rim, as a share of its radius; labels of far points need 0.1.

    Raises:
        ImportError: there is no matplotlib.
    """
    circle = _matplotlib().patches.Circle
    axes.add_patch(circle((0, 0), 1, facecolor=PAPER, edgecolor="none", zorder=0))
    for radius in circles:
        size = math.tanh(radius / 2)
        axes.add_patch(
            circle((0, 0), size, fill=False, edgecolor="#dbe3ea", linewidth=0.7, zorder=1)
        )
    axes.add_patch(circle((0, 0), 1, fill=False, edgecolor="#44525e", linewidth=1.2, zorder=5))
    limits = (-1 - margin, 1 + margin)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.axis("off")


def draw_geodesics(
    axes: Any, manifold: Plane, x: Tensor, y: Tensor, *, widths: Any = 1.2, **style: Any
) -> None:
    """Draw the geodesics from `x` (n, S) to `y` (n, S): arcs of circles that meet the rim squarely.

    Args:
        axes: of matplotlib.
        manifold: the plane.
        x: points.
        y: points.
        widths: of the lines, one number or n.
        style: of matplotlib.collections.LineCollection, such as `colors`.

    Raises:
        ValueError: a manifold of another dimension than 2. ImportError: there is no matplotlib.
    """
    collections = _matplotlib().collections
    t = torch.linspace(0, 1, _STEPS, dtype=torch.float64)
    x, y = wide(x.detach().cpu()), wide(y.detach().cpu())
    arcs = manifold.geodesic(x[:, None], y[:, None], t)
    style = {"colors": INK, "zorder": 2, "capstyle": "round", **style}
    lines = collections.LineCollection(in_disk(manifold, arcs).numpy(), linewidths=widths, **style)
    axes.add_collection(lines)


def draw_points(
    axes: Any,
    manifold: Plane,
    x: Tensor,
    *,
    labels: Sequence[str] | None = None,
    sizes: Any = 28.0,
    font: Any = 7.0,
    **style: Any,
) -> None:
    """Draw points `x` (n, S) as dots, with labels.

    A label stands behind its point, seen from the origin, and reads outward, so that those of a
    crowded rim fan out and stay apart; that of a point at the origin stands above it.

    Args:
        axes: of matplotlib.
        manifold: the plane.
        x: points.
        labels: n texts; an empty one is left out.
        sizes: of the dots, one number or n.
        font: sizes of the labels, one number or n.
        style: of matplotlib.axes.Axes.scatter, such as `c`.

    Raises:
        ValueError: a manifold of another dimension than 2, or not one label for each point.
    """
    place = in_disk(manifold, x).numpy()
    axes.scatter(*place.T, s=sizes, **{"color": ACCENT, "linewidths": 0, "zorder": 4, **style})
    if labels is None:
        return
    if len(labels) != len(place):
        raise ValueError(f"expected {len(place)} labels, got {len(labels)}")
    fonts = [font] * len(place) if isinstance(font, int | float) else font
    for (a, b), text, size in zip(place.tolist(), labels, fonts, strict=True):
        if text:
            _write(axes, a, b, text, size)


def in_disk(manifold: Plane, x: Tensor) -> Tensor:
    """Return the coordinates of points in the disk: (*, S) -> (*, 2) in float64 on the CPU.

    Raises:
        ValueError: a manifold that is no hyperbolic plane.
    """
    if not isinstance(manifold, PoincareBall | Lorentz) or manifold.dim != 2:
        raise ValueError(f"the disk shows hyperbolic planes, got {manifold!r}")
    x = wide(x.detach().cpu())
    c = manifold.to_frame(manifold.logmap0(x))
    rate = (-manifold.curvature(x.device)).sqrt().detach()
    disk = PoincareBall(2)
    return disk.expmap0(disk.from_frame(rate * c))


def _write(axes: Any, a: float, b: float, text: str, size: float) -> None:
    radius, angle = math.hypot(a, b), math.degrees(math.atan2(b, a))
    if radius < 1e-3:
        axes.annotate(text, (a, b), (0, 5), textcoords="offset points", ha="center", va="bottom",
                      fontsize=size, zorder=6)  # fmt: skip
        return
    is_left = abs(angle) > 90
    gap = 2.5 + size / 4
    axes.annotate(
        text, (a, b), (gap * a / radius, gap * b / radius), textcoords="offset points",
        rotation=angle + 180 * is_left, rotation_mode="anchor", ha="right" if is_left else "left",
        va="center", fontsize=size, zorder=6, annotation_clip=False,
    )  # fmt: skip


def _matplotlib() -> Any:
    try:
        import matplotlib as found
        import matplotlib.collections
        import matplotlib.patches
    except ImportError as error:
        raise ImportError("figures need matplotlib: pip install 'noneuclid[viz]'") from error
    return found
