"""Convolution: sizes as in torch, masks, concatenations, the radius of fresh layers."""

import pytest
import torch
from torch import nn

import noneuclid as ne
from noneuclid.layers import Conv1d, Conv2d
from noneuclid.layers._beta import beta_ratio


@pytest.mark.parametrize(
    "sizes",
    [
        {"kernel_size": 3, "stride": 2},
        {"kernel_size": 2, "padding": 3, "dilation": 2},
        {"kernel_size": 1},
        {"kernel_size": 3, "padding": "same", "dilation": 2},
        {"kernel_size": 2, "padding": "valid", "stride": 3, "bias": False},
    ],
)
@pytest.mark.parametrize(("layer", "twin"), [(Conv1d, nn.Conv1d), (Conv2d, nn.Conv2d)])
def test_sizes_are_those_of_torch(layer: type, twin: type, sizes: dict[str, int]) -> None:
    """On flat space stride, padding and dilation mean what they mean in torch.nn."""
    made = layer(ne.Euclidean(4), ne.Euclidean(5), **sizes)
    flat = twin(4, 5, **sizes)
    flat.load_state_dict({k: v.detach() for k, v in made.flat_parameters().items()})
    x = torch.randn(2, *(7, 6)[: made.axes], 4)
    expected = flat(x.movedim(-1, 1)).movedim(1, -1)
    torch.testing.assert_close(made(x), expected, rtol=1e-5, atol=1e-6)


def test_two_sizes_for_two_axes() -> None:
    """Height first."""
    H = ne.Lorentz(3)
    layer = Conv2d(H, H, (3, 1), stride=(2, 1), padding=(1, 0))
    assert layer(H.random(2, 7, 5)).shape == (2, 4, 5, 4)
    assert layer.weights[0].shape == (3, 3, 3, 1)


@pytest.mark.parametrize("signature", ["H3", "B3", "S3", "K3(0)", "H2 x S2"])
def test_padding_is_the_origin(signature: str) -> None:
    """To pad is to put the origin around."""
    m = ne.manifold(signature)
    x = m.random(2, 4)
    layer = Conv1d(m, m, 3, padding=1)
    around = torch.cat([m.origin(2, 1), x, m.origin(2, 1)], dim=1)
    bare = Conv1d(m, m, 3)
    bare.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(x), bare(around))


def test_beta_keeps_the_size_of_a_patch() -> None:
    """A patch of one point is the point; W acts on the coordinates times the beta ratio."""
    H = ne.Lorentz(3)
    layer = Conv1d(H, H, 4, bias=False)
    flat = layer.flat_parameters()["weight"]
    torch.testing.assert_close(flat, beta_ratio(3, 12) * layer.weights[0])
    one = Conv1d(H, H, 1)
    assert one.flat_parameters()["weight"].equal(one.weights[0])
    direct = Conv1d(H, H, 4, concat="direct")
    assert direct.flat_parameters()["weight"].equal(direct.weights[0])


def test_factors_stay_apart_unless_they_are_mixed() -> None:
    """By default factor i is convolved to factor i; with mixing every coordinate reaches all."""
    P, Q = ne.manifold("H3 x S2"), ne.manifold("E4 x B2")
    x = P.random(1, 5).requires_grad_()
    for mixing, expected in ((None, False), (True, True)):
        layer = Conv1d(P, Q, 3, mixing=mixing)
        (gradient,) = torch.autograd.grad(Q.split(layer(x))[0].sum(), x)
        assert bool(P.split(gradient)[1].any()) is expected
        assert layer.flat_parameters()["weight"].shape == (6, 5, 3)
    with pytest.raises(ValueError, match="equally many factors, got 2 and 1"):
        Conv1d(P, ne.Lorentz(3), 3, mixing=False)


@pytest.mark.parametrize("kernel", [1, 3, 9])
@pytest.mark.parametrize(("first", "second"), [("H8", "H8"), ("B4", "S16"), ("H16", "E4")])
def test_fresh_layers_keep_the_radius(first: str, second: str, kernel: int) -> None:
    """With gain 1 points at radius 0.5 go to rms radius 0.5, whatever the sizes."""
    m, n = ne.manifold(first), ne.manifold(second)
    c = torch.randn(64, 20, m.dim)
    c = 0.5 * c / c.square().sum(-1, keepdim=True).sqrt()
    y = Conv1d(m, n, kernel, gain=1.0)(m.expmap0(m.from_frame(c)))
    assert n.dist0(y).square().mean().sqrt().item() == pytest.approx(0.5, rel=0.15)


def test_a_far_direct_convolution_is_finite_and_right() -> None:
    """Space parts of e^20, and the radius that belongs to their sum."""
    H = ne.Lorentz(2)
    layer = Conv1d(H, H, 2, bias=False, concat="direct").double()
    with torch.no_grad():
        layer.weights[0].copy_(torch.eye(2)[:, :, None].expand(2, 2, 2))
    x = H.expmap0(H.from_frame(torch.tensor([[[12.0, 16.0]] * 2], dtype=torch.float64)))
    expected = torch.asinh(2 * torch.sinh(torch.tensor([[20.0]], dtype=torch.float64)))
    torch.testing.assert_close(H.dist0(layer(x)), expected)


def test_refusals() -> None:
    """What was expected, what came, what to do."""
    H, S = ne.Lorentz(3), ne.Sphere(3)
    for options, message in (
        ({"kernel_size": 0}, "kernel_size must be an integer >= 1"),
        ({"kernel_size": (3, 3)}, "kernel_size must be an integer >= 1 or 1 of them"),
        ({"kernel_size": 3, "stride": 0}, "stride must be an integer >= 1"),
        ({"kernel_size": 3, "padding": -1}, "padding must be an integer >= 0"),
        ({"kernel_size": 3, "padding": "full"}, "'same', 'valid' or numbers"),
        ({"kernel_size": 3, "padding": "same", "stride": 2}, "needs stride 1"),
        ({"kernel_size": 3, "concat": "sum"}, "'beta' or 'direct'"),
    ):
        with pytest.raises(ValueError, match=message):
            Conv1d(H, H, **options)
    for pair in ((H, S), (S, H), (H, ne.manifold("K3(-1)")), (ne.manifold("H2 x S2"), H)):
        with pytest.raises(TypeError, match="use concat='beta'"):
            Conv1d(*pair, 3, concat="direct")
    with pytest.raises(ValueError, match="with 3 axes, got 4"):
        Conv1d(H, H, 3)(H.random(2, 4, 4))
    with pytest.raises(ValueError, match="mask must be a bool tensor"):
        Conv1d(H, H, 3)(H.random(2, 4), mask=torch.ones(2, 5, dtype=torch.bool))
