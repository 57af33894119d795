"""The norm of all gradients does not depend on coordinates, and clipping keeps their direction."""

import pytest
import torch
from torch import nn

import noneuclid as ne
from noneuclid.optim import RiemannianSGD, clip_riemannian_grad_norm_, riemannian_grad_norm


def model(dtype: torch.dtype = torch.float64) -> list[nn.Parameter]:
    M = ne.Product(ne.Lorentz(3), ne.PoincareBall(2), ne.Euclidean(2))
    marked = ne.ManifoldParameter(M.random(4, dtype=dtype), M)
    plain = nn.Parameter(torch.randn(3, dtype=dtype))
    for parameter in (marked, plain):
        parameter.grad = torch.randn_like(parameter)
    return [marked, plain, nn.Parameter(torch.zeros(2))]


def test_norm_is_the_square_root_of_the_sum_over_parameters() -> None:
    marked, plain, _ = parameters = model()
    M, x = marked.manifold, marked.detach()
    square = M.norm(x, M.egrad2rgrad(x, marked.grad)).square().sum() + plain.grad.square().sum()
    torch.testing.assert_close(riemannian_grad_norm(parameters), square.sqrt())
    assert riemannian_grad_norm([]) == 0


def test_the_norm_is_the_same_on_both_models_of_the_hyperbolic_plane() -> None:
    H, B = ne.Lorentz(2), ne.PoincareBall(2)
    to_ball = ne.isometry(H, B)
    target = H.random(dtype=torch.float64)
    x = ne.ManifoldParameter(H.random(5, dtype=torch.float64), H)
    y = ne.ManifoldParameter(to_ball(x.detach()), B)
    H.dist2(x, target).sum().backward()
    B.dist2(y, to_ball(target)).sum().backward()
    torch.testing.assert_close(riemannian_grad_norm([x]), riemannian_grad_norm([y]))


def test_clipping_scales_all_gradients_alike() -> None:
    parameters = model()
    before = [p.grad.clone() for p in parameters[:2]]
    norm = clip_riemannian_grad_norm_(parameters, 0.5)
    torch.testing.assert_close(riemannian_grad_norm(parameters), torch.tensor(0.5).double())
    for parameter, gradient in zip(parameters, before, strict=False):
        torch.testing.assert_close(parameter.grad, gradient * 0.5 / norm)
    again = [p.grad.clone() for p in parameters[:2]]
    clip_riemannian_grad_norm_(iter(parameters), 10.0)
    for parameter, gradient in zip(parameters, again, strict=False):
        assert torch.equal(parameter.grad, gradient)


def test_no_point_moves_farther_than_the_clipped_rate() -> None:
    B = ne.PoincareBall(2)
    start = B.expmap0(torch.tensor([[4.0, 0.0], [0.1, 0.0]], dtype=torch.float64))
    x = ne.ManifoldParameter(start.clone(), B)
    x.grad = torch.full_like(x, 100.0)
    clip_riemannian_grad_norm_(x, 1.0)
    RiemannianSGD([x], lr=0.3).step()
    moved = B.dist(start, x.detach())
    assert moved.max() <= 0.3 + 1e-12
    torch.testing.assert_close(moved.square().sum().sqrt(), torch.tensor(0.3).double())


def test_sparse_rows_count_once_summed() -> None:
    B = ne.PoincareBall(3)
    table = B.random(6, dtype=torch.float64)
    dense, sparse = ne.ManifoldParameter(table, B), ne.ManifoldParameter(table.clone(), B)
    index = torch.tensor([1, 4, 1])
    for x, is_sparse in ((dense, False), (sparse, True)):
        nn.functional.embedding(index, x, sparse=is_sparse).sum().backward()
    assert sparse.grad.is_sparse
    expected = clip_riemannian_grad_norm_(dense, 0.1)
    torch.testing.assert_close(clip_riemannian_grad_norm_(sparse, 0.1), expected)
    torch.testing.assert_close(sparse.grad.to_dense(), dense.grad)


def test_what_is_refused() -> None:
    parameters = model()
    with pytest.raises(ValueError, match="at least 0, got -1"):
        clip_riemannian_grad_norm_(parameters, -1)
    parameters[1].grad[0] = torch.inf
    kept = parameters[0].grad.clone()
    with pytest.raises(RuntimeError, match="were not clipped"):
        clip_riemannian_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    assert torch.equal(parameters[0].grad, kept)
