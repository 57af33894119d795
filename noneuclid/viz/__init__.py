"""Figures with matplotlib: the Poincare disk. Needs `pip install 'noneuclid[viz]'`."""

from noneuclid.viz.disk import draw_disk, draw_geodesics, draw_points

__all__ = ["draw_disk", "draw_geodesics", "draw_points"]
