"""Batch normalisation about the gyromidpoint."""

from torch import Tensor

from noneuclid.layers._ambient import from_ambient, to_ambient
from noneuclid.layers.norm._batch_norm import BatchNorm
from noneuclid.manifolds import HomogeneousManifold


class MidpointBatchNorm(BatchNorm):
    """Centre a batch at its gyromidpoint, scale by its spread, move to a learned point.

    For each factor by itself, over all N points x_i of the batch:

        mu = midpoint_i x_i,   v_i = log_o(-mu (+) x_i) = PT_{mu->o} log_mu x_i,
        y_i = beta (+) (gamma / s (x) (-mu (+) x_i)) = beta (+) exp_o(gamma v_i / s),

    with s = sqrt(mean_i |v_i|^2 + eps), or mean_i |v_i| + eps if `spread` is "mean". One number s
    scales all coordinates of a factor: one for each coordinate would depend on the frame.

    In training the statistics are the batch's, and gradients go through them; they run along as
    torch.nn.BatchNorm1d's do, the mean on the manifold: along the geodesic from the old one to the
    batch's by `momentum`. In evaluation they are the running ones, so no row depends on another.

    Args:
        manifold: where input and output live; midpoints need constant curvature, or a flat factor.
        eps: added to the variance (length squared), or to the mean distance.
        momentum: share of the new batch in the running statistics; None: of all batches equally.
        spread: "rms" for the square root of the variance, "mean" for the mean distance, which far
            points move less.
        track_running_stats: without, evaluation uses the statistics of its batch, as in torch.
        device, dtype: of the parameters.

    Shapes: x (B, S) or (B, n, S), mask (B, n) bool, True where a point is -> as x. Masked points,
    NaN included, take no part. Parameters: `weight` (factors,), gamma; `bias` (S,), beta, a
    `ManifoldParameter`. Buffers: `running_mean` (dim,), in normal coordinates, which stay on the
    manifold when K moves; `running_var` (factors,), unbiased as in torch (the mean distance for
    "mean"); `num_batches_tracked` ().

    A batch of one point goes to beta, one without points leaves the statistics alone. Under DDP
    statistics are those of each process, and the first's are saved: there is no counterpart of
    SyncBatchNorm.

    Raises:
        ValueError: eps <= 0, momentum outside [0, 1], an unknown spread, a mask of another shape.

    Initial values: gamma = min(1, |K|^-1/2), beta the origin: a batch has rms radius gamma. The
    running mean is the origin and the running spread gamma^2 (gamma), which keeps points in place.

    Flat limit: with one variance for each factor, bias + weight (x - mean) / sqrt(var + eps),
    var = mean |x - mean|^2: torch.nn.BatchNorm1d where the factor has dimension 1.
    Accuracy: a few eps e^(2 d(o, mu)) in units of |K|^-1/2.
    Source: [vanspengler2023poincare] for the midpoint; [bdeir2024fully] for the mean distance;
    [chen2025gyrobn] for the form by gyro-operations.
    """

    def _mean(self, factor: HomogeneousManifold, c: Tensor, w: Tensor) -> Tensor:
        X, T = to_ambient(factor, c)
        w = w[:, None]  # no @: autocast would round it to 16 bits
        return from_ambient(factor, (w * X).sum(0), (w * T).sum(0))
