"""NeighborLoss: its members against the known losses they are, masks, limits, real neighbours."""

import math

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_iris

import noneuclid as ne
from noneuclid.losses import (
    NeighborLoss,
    label_neighbors,
    perplexity_neighbors,
    view_neighbors,
)
from noneuclid.optim import RiemannianAdam

KERNELS = ["gaussian", "student", "exponential", "inner"]
DIVERGENCES = ["kl", "tv", "jsd", "hellinger"]


def test_simclr() -> None:
    """On the unit sphere, "inner" with p from two views is the NT-Xent loss on cosines."""
    S = ne.Sphere(4)
    x = S.random(12, dtype=torch.float64)
    loss = NeighborLoss(S, "inner", temperature=0.3, dtype=torch.float64)
    logits = (x @ x.mT / 0.3).fill_diagonal_(-torch.inf)
    expected = F.cross_entropy(logits, (torch.arange(12) + 6) % 12)
    torch.testing.assert_close(loss(x, view_neighbors(6)), expected)


def test_infonce_between_two_views() -> None:
    """With `keys` and p the identity: InfoNCE with all of the other view as candidates."""
    S = ne.Sphere(4)
    x, y = S.random(2, 7, dtype=torch.float64)
    loss = NeighborLoss(S, "inner", temperature=0.3, dtype=torch.float64)
    expected = F.cross_entropy(x @ y.mT / 0.3, torch.arange(7))
    torch.testing.assert_close(loss(x, torch.eye(7), keys=y), expected)


def test_supervised_contrastive() -> None:
    """With p from labels: the loss of Khosla et al. (outside form), less the entropy of p."""
    S = ne.Sphere(3)
    x, labels = S.random(9, dtype=torch.float64), torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 3])
    loss = NeighborLoss(S, "inner", temperature=0.5, dtype=torch.float64, reduction="none")
    found, total = loss(x, label_neighbors(labels)), []
    for i in range(9):
        mates = [j for j in range(9) if j != i and labels[j] == labels[i]]
        others = torch.stack([x[i] @ x[j] / 0.5 for j in range(9) if j != i])
        terms = [x[i] @ x[j] / 0.5 - others.logsumexp(0) for j in mates]
        value = -sum(terms) / len(mates) - math.log(len(mates)) if mates else torch.zeros(())
        total.append(torch.as_tensor(value, dtype=torch.float64))
    torch.testing.assert_close(found, torch.stack(total))


@pytest.mark.parametrize("signature", ["E3", "H3(-0.5)", "H2 x S2"])
@pytest.mark.parametrize("kernel", KERNELS[:3])
def test_stochastic_neighbor_embedding(kernel: str, signature: str) -> None:
    """The sum of Kullback-Leibler divergences, one pair at a time."""
    space = ne.manifold(signature)
    x, data = space.random(8, dtype=torch.float64), torch.randn(8, 5, dtype=torch.float64)
    p = perplexity_neighbors(torch.cdist(data, data), 3.0)
    total = 0.0
    for i in range(8):
        d = {j: float(space.dist(x[i], x[j])) / 0.8 for j in range(8) if j != i}
        k = {j: {"gaussian": math.exp(-(t**2) / 2), "student": 1 / (1 + t**2),
                 "exponential": math.exp(-t)}[kernel] for j, t in d.items()}  # fmt: skip
        total += sum(float(p[i, j]) * math.log(float(p[i, j]) * sum(k.values()) / k[j]) for j in d)
    loss = NeighborLoss(space, kernel, temperature=0.8, reduction="sum", dtype=torch.float64)
    torch.testing.assert_close(loss(x, p), torch.tensor(total, dtype=torch.float64))


@pytest.mark.parametrize("kernel", KERNELS)
def test_one_temperature_for_each_factor(kernel: str) -> None:
    """D^2 is the sum of d_f^2 / t_f^2; equal ones are the same as one."""
    space = ne.manifold("H2 x S2(2)")
    x, p = space.random(6, dtype=torch.float64), torch.rand(6, 6, dtype=torch.float64)
    one = NeighborLoss(space, kernel, temperature=0.7, dtype=torch.float64)
    two = NeighborLoss(space, kernel, temperature=[0.7, 0.7], dtype=torch.float64)
    torch.testing.assert_close(two(x, p), one(x, p))
    loss = NeighborLoss(space, kernel, temperature=[0.5, 2.0], dtype=torch.float64)
    parts = zip(space.factors, space.split(x), (0.5, 2.0), strict=True)
    if kernel == "inner":
        pairs = [(f, f.cdist(a, a), t) for f, a, t in parts]
        expected = -sum((d.cosh() - 1 if isinstance(f, ne.Lorentz) else
                         (1 - (2**0.5 * d).cos()) / 2) / t for f, d, t in pairs)  # fmt: skip
    else:
        square = sum((f.cdist(a, a) / t) ** 2 for f, a, t in parts)
        expected = {"gaussian": -square / 2, "student": -square.log1p(),
                    "exponential": -square.sqrt()}[kernel]  # fmt: skip
    torch.testing.assert_close(loss.log_kernel(x, x), expected, atol=1e-7, rtol=1e-7)


def _divergence(name: str, p: list[float], q: list[float]) -> float:
    def kl(a: list[float], b: list[float]) -> float:
        return sum(s * math.log(s / t) for s, t in zip(a, b, strict=True) if s > 0)

    pairs = list(zip(p, q, strict=True))
    mean = [(s + t) / 2 for s, t in pairs]
    return {
        "kl": kl(p, q),
        "tv": sum(abs(s - t) for s, t in pairs) / 2,
        "jsd": (kl(p, mean) + kl(q, mean)) / 2,
        "hellinger": sum((s**0.5 - t**0.5) ** 2 for s, t in pairs) / 2,
    }[name]


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_divergences(divergence: str) -> None:
    """Each by its definition; 0 where q is p."""
    H = ne.Lorentz(2)
    x = H.random(6, dtype=torch.float64)
    loss = NeighborLoss(H, divergence=divergence, reduction="none", dtype=torch.float64)
    p = torch.rand(6, 6, dtype=torch.float64) * (torch.rand(6, 6) < 0.6)
    p[:, :2] += 0.1
    q = loss.log_neighbors(x).exp()
    torch.testing.assert_close(q.sum(-1), torch.ones(6, dtype=torch.float64))
    assert not q.diagonal().any()
    p.fill_diagonal_(0)
    p /= p.sum(-1, keepdim=True)
    rows = [_divergence(divergence, *row) for row in zip(p.tolist(), q.tolist(), strict=True)]
    torch.testing.assert_close(loss(x, p), torch.tensor(rows, dtype=torch.float64))
    torch.testing.assert_close(loss(x, q), torch.zeros(6, dtype=torch.float64))


@pytest.mark.parametrize("divergence", DIVERGENCES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_masks_and_degenerate_points(kernel: str, divergence: str, dtype: torch.dtype) -> None:
    """Padding changes nothing; coincident and very far points have finite gradients."""
    space = ne.manifold("H3 x S2")
    options = {"temperature": [0.3, 0.5], "learnable": True, "dtype": dtype}
    rows = NeighborLoss(space, kernel, divergence, reduction="none", **options)
    mean = NeighborLoss(space, kernel, divergence, **options)
    x = space.random(2, 7, dtype=dtype)
    x[0, 1] = x[0, 0]
    far = torch.tensor([20.0, 0, 0, 0, 3.1], dtype=dtype)
    x[0, 2] = space.expmap0(space.from_frame(far))
    p = torch.rand(2, 7, 7, dtype=dtype)
    p[0, 3] = 0  # has no neighbour
    mask = torch.tensor([[1, 1, 1, 1, 0, 1, 0], [0, 0, 1, 0, 0, 0, 0]], dtype=torch.bool)
    x[~mask], p[~mask] = float("nan"), float("nan")
    p[0, :, [4, 6]] = 1e30
    x.requires_grad_()
    values = rows(x, p, mask=mask)
    here = mask[0]
    alone = rows(x[0, here], p[0, here][:, here])
    torch.testing.assert_close(values[0, here], alone)
    assert not values[0, ~here].any()
    assert not values[1].any()  # one point alone has nothing to be compared with
    torch.testing.assert_close(mean(x, p, mask=mask), values.sum() / 4)
    gradients = torch.autograd.grad(values.sum(), [x, *rows.parameters()])
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert gradients[0][mask].any()


def test_one_point_and_none() -> None:
    """They have no neighbours, and cost 0."""
    H = ne.Lorentz(2)
    for n in (0, 1):
        assert NeighborLoss(H)(H.random(n), torch.ones(n, n)) == 0


@pytest.mark.parametrize("divergence", DIVERGENCES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_gradients(kernel: str, divergence: str) -> None:
    """By the points, the temperatures and the curvatures."""
    space = ne.manifold("H2(-0.7)* x S1").double()
    loss = NeighborLoss(space, kernel, divergence, temperature=[0.7, 1.3], learnable=True).double()
    c, p = torch.randn(4, 3, dtype=torch.float64), torch.rand(4, 4, dtype=torch.float64)

    def f(c: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return loss(space.expmap0(space.from_frame(c)), p)

    assert torch.autograd.gradcheck(f, (c.requires_grad_(), *loss.parameters()))


def test_half_precision_and_compile() -> None:
    """16-bit points are compared in float32; one graph."""
    space = ne.manifold("H3 x E2")
    loss, x, p = NeighborLoss(space, divergence="jsd"), space.random(5), torch.rand(5, 5)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, p), loss(x, p))
    assert loss(x.bfloat16(), p).dtype == torch.float32


@pytest.mark.parametrize("divergence", ["kl", "jsd"])
def test_iris_is_laid_out(divergence: str) -> None:
    """50 flowers on the hyperbolic plane: the nearest other is of the same species."""
    iris = load_iris()
    data, species = torch.tensor(iris.data[::3]), torch.tensor(iris.target[::3])
    data = ((data - data.mean(0)) / data.std(0)).float()
    p = perplexity_neighbors(torch.cdist(data, data), 8.0)
    H = ne.Lorentz(2)
    x = ne.ManifoldParameter(H.expmap0(H.from_frame(0.1 * torch.randn(50, 2))), H)
    loss = NeighborLoss(H, "student", divergence, temperature=0.5)
    optimizer = RiemannianAdam([x], lr=0.05)
    before = loss(x, p).item()
    for _ in range(150):
        optimizer.zero_grad()
        loss(x, p).backward()
        optimizer.step()
    assert loss(x, p).item() < 0.5 * before
    nearest = (H.cdist(x, x) + torch.eye(50) * 1e3).argmin(-1)
    assert (species[nearest] == species).double().mean() > 0.85


def test_refusals() -> None:
    """Wrong arguments are named."""
    H = ne.Lorentz(2)
    with pytest.raises(ValueError, match="kernel must be one of"):
        NeighborLoss(H, "cosine")
    with pytest.raises(ValueError, match="divergence must be one of"):
        NeighborLoss(H, divergence="reverse")
    for temperature in (0.0, [1.0, 1.0], math.inf):
        with pytest.raises(ValueError, match="one positive number or one for each of 1 factors"):
            NeighborLoss(H, temperature=temperature)
    with pytest.raises(ValueError, match=r"p must have shape \(\*, 3, 3\), got \(3, 2\)"):
        NeighborLoss(H)(H.origin(3), torch.ones(3, 2))
