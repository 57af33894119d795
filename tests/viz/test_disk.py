"""What is drawn on the disk is where it should be, from any model, and errors say what is wrong."""

import math

import matplotlib as mpl
import pytest
import torch

import noneuclid as ne
from noneuclid.viz import draw_disk, draw_geodesics, draw_points
from noneuclid.viz.disk import in_disk

mpl.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    figure.canvas.draw()
    plt.close(figure)


@pytest.mark.parametrize("signature", ["B2", "H2", "B2(-4)", "H2(-0.3)"])
def test_points_stand_at_their_hyperbolic_radius(signature, dtype):
    manifold = ne.manifold(signature)
    u = torch.tensor([[0.6, 0.8], [0.0, -2.0], [0.0, 0.0]], dtype=dtype)
    x = manifold.expmap0(manifold.from_frame(u))
    rate = (-float(manifold.curvature)) ** 0.5
    radius = u.double().norm(dim=-1, keepdim=True)
    expected = torch.tanh(rate * radius / 2) * u.double() / torch.where(radius > 0, radius, 1)
    torch.testing.assert_close(in_disk(manifold, x), expected, rtol=1e-6, atol=1e-9)


def test_a_point_of_the_unit_disk_stays_where_it_is():
    x = torch.tensor([[0.3, -0.9]], dtype=torch.float64)
    torch.testing.assert_close(in_disk(ne.PoincareBall(2), x), x)


@pytest.mark.parametrize("signature", ["B2", "H2(-2)"])
def test_geodesics_are_arcs_that_meet_the_rim_squarely(signature, axes):
    manifold = ne.manifold(signature)
    x, y = manifold.random(2, 5, dtype=torch.float64)
    draw_geodesics(axes, manifold, x, y, widths=[1.0] * 5, colors="black")
    (collection,) = axes.collections
    paths = [torch.from_numpy(path.vertices) for path in collection.get_paths()]
    assert len(paths) == 5
    for path, start, end in zip(paths, in_disk(manifold, x), in_disk(manifold, y), strict=True):
        torch.testing.assert_close(path[0], start)
        torch.testing.assert_close(path[-1], end)
        # a circle orthogonal to the rim: |p|^2 - 2 c.p + 1 = 0 with one centre c for all points
        sides = (path * path).sum(-1) + 1
        centre = torch.linalg.lstsq(2 * path, sides[:, None]).solution
        torch.testing.assert_close(2 * path @ centre, sides[:, None], rtol=0, atol=1e-6)


def test_disk_and_circles(axes):
    draw_disk(axes, circles=(1.0, 3.0), margin=0.2)
    radii = sorted(patch.radius for patch in axes.patches)
    assert radii == pytest.approx([math.tanh(0.5), math.tanh(1.5), 1, 1])
    assert axes.get_xlim() == (-1.2, 1.2)


def test_labels_read_outward(axes):
    x = torch.tensor([[0.5, 0.5], [-0.5, 0.5], [0.0, 0.0], [0.1, 0.0]], dtype=torch.float64)
    draw_points(axes, ne.PoincareBall(2), x, labels=["right", "left", "middle", ""], font=5)
    written = {text.get_text(): text for text in axes.texts}
    assert set(written) == {"right", "left", "middle"}
    assert written["right"].get_rotation() == pytest.approx(45)
    assert written["left"].get_rotation() % 360 == pytest.approx(315)  # upside down otherwise
    assert written["left"].get_ha() == "right"
    assert written["middle"].get_rotation() == 0


def test_bad_input(axes):
    for manifold in (ne.Lorentz(3), ne.Sphere(2), ne.Euclidean(2)):
        with pytest.raises(ValueError, match="planes"):
            draw_points(axes, manifold, manifold.random(3))
    with pytest.raises(ValueError, match="3 labels"):
        draw_points(axes, ne.Lorentz(2), ne.Lorentz(2).random(3), labels=["a"])
