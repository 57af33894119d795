"""Cases of layers that couple the factors of a product."""

import torch
from torch import Tensor

from layer_cases.case import Builder, Case, points
from noneuclid.layers import FactorCoupling, Layer
from noneuclid.manifolds import HomogeneousManifold, Product


def _slow_coupling(layer: FactorCoupling, x: Tensor) -> Tensor:
    product, rows = layer.manifold_in, []
    for row in x:
        parts = [
            f.to_frame(f.logmap0(p))
            for f, p in zip(product.factors, product.split(row), strict=True)
        ]
        u = [weight @ part for weight, part in zip(layer.weights, parts, strict=True)]
        mean = sum(u) / len(u)
        scores = [(theta @ (v - mean)).item() for theta, v in zip(layer.theta, u, strict=True)]
        total = sum(torch.tensor(s, dtype=torch.float64).exp() for s in scores)
        w = [float(torch.tensor(s, dtype=torch.float64).exp() / total) for s in scores]
        rows.append(
            product.join(
                [points(f, a * p) for f, a, p in zip(product.factors, w, parts, strict=True)]
            )
        )
    return torch.stack(rows)


def factor_coupling(m: HomogeneousManifold) -> Case | None:
    """Of the factors of a product."""
    if not isinstance(m, Product):
        return None
    dims = m.dims

    def twin(c: Tensor, theta: Tensor, **weights: Tensor) -> Tensor:
        parts = c.split(dims, dim=-1)
        u = torch.stack([p @ weights[f"weights_{i}"].mT for i, p in enumerate(parts)])
        w = torch.softmax(((u - u.mean(0)) * theta[:, None]).sum(-1), dim=0)
        return torch.cat([a[:, None] * p for a, p in zip(w, parts, strict=True)], dim=-1)

    return Case(FactorCoupling(m), twin, _slow_coupling)


CASES: dict[tuple[type[Layer], str], Builder] = {(FactorCoupling, ""): factor_coupling}
