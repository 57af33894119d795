"""How far each dtype reaches, and which dtype computes which."""

import mpmath
import pytest
import torch

from noneuclid.numerics import is_half, largest_norm, tolerance, wide, working_dtype
from noneuclid.numerics.precision import radius_of_shell

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
FAMILIES = ("ball", "hyperboloid", "sphere")


def test_working_dtype():
    for dtype in DTYPES:
        assert is_half(dtype) == (torch.finfo(dtype).bits == 16)
        expected = torch.float64 if dtype == torch.float64 else torch.float32
        assert working_dtype(dtype) == expected
        assert wide(torch.ones(2, dtype=dtype)).dtype == torch.float64
        assert torch.finfo(dtype).eps < tolerance(dtype) < torch.finfo(dtype).eps ** 0.5 * 15


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_shell_holds_what_is_moved_to_it(dtype, family, generator):
    """A row scaled to `target` and rounded stays below `limit`: moving twice moves once."""
    limit, target = largest_norm(dtype, family)
    assert target < limit
    direction = torch.randn(2000, 3, generator=generator, dtype=torch.float64)
    direction = direction / direction.square().sum(-1, keepdim=True).sqrt()
    if limit > 1e100:  # squares of these overflow in the check itself
        direction, limit, target = direction, limit / 2.0**400, target / 2.0**400
    row = (direction * target).to(dtype).double()
    for point in row[:200]:
        norm = mpmath.sqrt(sum(mpmath.mpf(float(a)) ** 2 for a in point))
        assert norm <= mpmath.mpf(limit)


@pytest.mark.parametrize(
    ("family", "radii"),
    [
        ("ball", (7.6, 5.5, 16.6, 35.6)),
        ("hyperboloid", (10.3, 42.2, 42.2, 305.7)),
    ],
)
def test_documented_reach(family, radii):
    for dtype, radius in zip(DTYPES, radii, strict=True):
        assert radius_of_shell(dtype, family) == pytest.approx(radius, abs=0.1)


def test_projected_sphere_ends_short_of_the_antipode():
    for dtype in DTYPES:
        short = torch.pi - radius_of_shell(dtype, "sphere")
        assert short == pytest.approx(2 * torch.finfo(dtype).eps, rel=0.05)


def test_unknown_family():
    with pytest.raises(ValueError, match="'cone'"):
        largest_norm(torch.float32, "cone")
