"""Points put together and cut apart again."""

import pytest
import torch

import noneuclid as ne
from noneuclid.layers import Concat, Split
from noneuclid.layers._normal import from_normal, to_normal

KINDS = ("beta", "direct", "radius")
SIGNATURES = ("H3(-0.7)*", "B3(-1.3)", "S3(0.8)", "K3(0)*", "K3(-0.6)", "E3", "H3 x E2")


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("kind", KINDS)
def test_split_undoes_concat(signature: str, kind: str, dtype: torch.dtype) -> None:
    """Both ways, for three parts."""
    m = ne.manifold(signature)
    concat = Concat(ne.Product(m, m, m), kind=kind)
    split = Split(concat.manifold_out, 3, kind)
    x = from_normal(concat.manifold_in, 0.4 * torch.randn(6, 3 * m.dim, dtype=dtype))
    torch.testing.assert_close(split(concat(x)), x)
    whole = from_normal(concat.manifold_out, 0.4 * torch.randn(6, 3 * m.dim, dtype=dtype))
    torch.testing.assert_close(concat(split(whole)), whole)


def test_lorentz_direct_concatenation_adds_squares_of_times() -> None:
    """t^2 = sum t_i^2 - (N - 1) / |K|, and the space parts stand side by side."""
    H = ne.Lorentz(3, -0.7)
    parts = H.random(3, dtype=torch.float64)
    y = Concat(ne.Product(H, H, H), kind="direct")(parts.reshape(1, -1))[0]
    torch.testing.assert_close(y[1:], parts[:, 1:].reshape(-1))
    torch.testing.assert_close(y[0] ** 2, (parts[:, 0] ** 2).sum() - 2 / 0.7)


@pytest.mark.parametrize(("kind", "keeps"), [("beta", lambda r: r), ("radius", torch.log)])
def test_expected_radius_is_kept(kind: str, keeps: object) -> None:
    """Of normal coordinates of one variance, in the mean that the kind is named after."""
    E = ne.Euclidean(3)  # an odd part of an even whole
    c = torch.randn(40_000, 12, dtype=torch.float64)
    whole = Concat(ne.Product(*[E] * 4), kind=kind)(c)
    before, after = (keeps(x.square().sum(-1).sqrt()).mean() for x in (c[:, :3], whole))
    assert abs(float(before - after)) < 0.02


def test_what_does_not_fit_is_refused() -> None:
    """Geometry, curvature and dims must agree; the message says so."""
    H, S = ne.Lorentz(3), ne.Sphere(3)
    with pytest.raises(TypeError, match="Product of the parts"):
        Concat(H)
    with pytest.raises(ValueError, match="geometry of the whole"):
        Concat(ne.Product(H, S))
    with pytest.raises(ValueError, match="geometry of the whole"):
        Concat(ne.Product(H, ne.Lorentz(3, learnable=True)))
    with pytest.raises(ValueError, match="geometry of the whole"):
        Concat(ne.Product(H, H), H.like(7))
    with pytest.raises(ValueError, match="equally many factors"):
        Concat(ne.Product(H, ne.Product(H, S)))
    with pytest.raises(ValueError, match="that 2 divides"):
        Split(H, 2)
    with pytest.raises(ValueError, match="one of beta, direct, radius"):
        Split(H, 3, "half")
    with pytest.raises(TypeError, match="or their number"):
        Split(H, S)
    assert to_normal(H, H.origin()).shape == (3,)
