r"""
Geodesics, distances and motions in the Poincaré disk
=====================================================

A manifold is a small module: it makes points, measures them and moves along geodesics. Here a few
geodesics leave one point; an isometry carries the whole picture elsewhere without changing a
distance.
"""

import matplotlib.pyplot as plt
import torch

import noneuclid as ne
from noneuclid import viz

disk = ne.PoincareBall(2)
x = disk.expmap0(torch.tensor([0.4, 0.1], dtype=torch.float64))

# %%
# Twelve unit-speed geodesics from `x`. A tangent vector is scaled by its Riemannian length, so all
# of them are equally long although the drawn ones look shorter towards the rim.
angles = torch.arange(12, dtype=torch.float64) * (2 * torch.pi / 12)
v = torch.stack([angles.cos(), angles.sin()], dim=-1)
v = v / disk.norm(x, v)[:, None]
times = torch.linspace(0, 2.5, 40, dtype=torch.float64)
fan = disk.expmap(x, times[:, None, None] * v)  # (40, 12, 2)

# %%
# A random motion of the disk: a rotation about the origin, then a translation.
motion = disk.random_isometry(torch.Generator().manual_seed(1))
moved = motion(fan)

figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for axis, picture, title in zip(axes, (fan, moved), ("geodesics", "after a motion"), strict=True):
    viz.draw_disk(axis, circles=(1, 2, 3))
    start = picture[0].expand(12, 2)
    viz.draw_geodesics(axis, disk, start, picture[-1])
    viz.draw_points(axis, disk, picture[0, :1])
    axis.set_title(title)
plt.show()

# %%
# Distances before and after agree to rounding.
before, after = disk.dist(fan[-1, 0], fan[-1, 1:]), disk.dist(moved[-1, 0], moved[-1, 1:])
print(f"largest relative change: {float(((before - after) / before).abs().max()):.1e}")
