"""The grammar of signature strings and its errors."""

import pytest
import torch

import noneuclid as ne


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("E3", ne.Euclidean(3)),
        ("H16", ne.Lorentz(16)),
        ("H16(-0.5)", ne.Lorentz(16, -0.5)),
        ("B2(-1e-4)", ne.PoincareBall(2, -1e-4)),
        ("S4(2.0)", ne.Sphere(4, 2.0)),
        ("P4", ne.SphereProjection(4)),
        ("K8(0)*", ne.Stereographic(8, 0.0, learnable=True)),
        ("K8(-1)", ne.Stereographic(8, -1.0)),
        ("H2*", ne.Lorentz(2, learnable=True)),
        ("H16 x S4(2.0) x E32", ne.Product(ne.Lorentz(16), ne.Sphere(4, 2.0), ne.Euclidean(32))),
    ],
)
def test_grammar(signature, expected):
    found = ne.manifold(signature)
    assert found.same_as(expected), found
    assert repr(found) == repr(expected)


def test_widths_may_come_from_outside():
    assert ne.manifold("H x E", dim=4).same_as(ne.manifold("H4 x E4"))
    assert ne.manifold("H2 x E", dim=4).same_as(ne.manifold("H2 x E4"))


def test_factors_are_independent():
    """Two factors of one signature learn their own curvatures."""
    product = ne.manifold("K2(-1)* x K2(-1)*")
    assert len(list(product.parameters())) == 2
    assert product.random(3, dtype=torch.float64).shape == (3, 4)


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("", ["''", "factors joined"]),
        ("Q4", ["'Q'", "E Euclidean"]),
        ("H4 * E4", ["'H4 * E4'", "factors joined"]),
        ("H4xE4", ["'H4xE4'"]),
        ("h4", ["'h4'"]),
        ("H", ["'H'", "needs a dimension", "H16"]),
        ("H0", ["dim >= 1", "0"]),
        ("E4(1)", ["'E4(1)'", "no curvature"]),
        ("E4*", ["'E4*'", "no curvature"]),
        ("H4(one)", ["'one'", "number"]),
        ("H4()", ["number", "''"]),
        ("H4(1.0)", ["negative", "1.0"]),
        ("B4(0)", ["negative", "0.0"]),
        ("S4(-1)", ["positive", "-1.0"]),
        ("P4(0)", ["positive", "0.0"]),
        ("K4(inf)", ["finite", "inf"]),
        ("H4(-5000)*", ["learnable", "-5000"]),
        ("H4 x ", ["''"]),
    ],
)
def test_errors(signature, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (the words are checked below)
        ne.manifold(signature)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("wrong", [None, 4, b"H4", ne.Lorentz(4)])
def test_other_types_are_refused(wrong):
    with pytest.raises(TypeError, match="string"):
        ne.manifold(wrong)
