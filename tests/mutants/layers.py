"""Bugs that a layer or a model could have."""

from mutant import Mutant

LAWS, LINEAR = "tests/layers/test_laws.py", "tests/layers/linear/test_linear.py"
MODEL = "tests/models/test_pm_mlp.py"
NORMAL, TRANSLATION, COUPLING, POOLING, LINEAR_FILE, LIFT_FILE, NORM = (
    f"noneuclid/layers/{name}.py"
    for name in (
        *("_normal", "_translation", "coupling/factor_coupling", "pooling"),
        *("linear/mobius", "lift", "norm/tangent_layer_norm"),
    )
)

MUTANTS = [
    Mutant(
        file=COUPLING,
        old="torch.softmax(scores, dim=-1)",
        new="torch.softmax(scores, dim=0)",
        why="the coupling normalises over the batch instead of the factors",
        tests=LAWS,
        select="test_laws and FactorCoupling and H3 and float64",
    ),
    Mutant(
        file=COUPLING,
        old="u - u.mean(-2, keepdim=True)",
        new="u - u.mean(-1, keepdim=True)",
        why="the coupling subtracts the mean over coordinates instead of factors",
        tests=LAWS,
        select="test_laws and FactorCoupling and H3 and float64",
    ),
    Mutant(
        file=POOLING,
        old="mask.sum(-1, keepdim=True).to(c.dtype)",
        new="torch.full_like(total[..., :1], c.shape[-2])",
        why="the mean divides by the number of slots, padding included",
        tests=LAWS,
        select="test_laws and TangentMean and E4 and float64",
    ),
    Mutant(
        file=POOLING,
        old="total = torch.where(mask[..., None], c, 0).sum(-2)",
        new="total = c.sum(-2)",
        why="the mask is ignored in the mean",
        tests=MODEL,
        select="padding",
    ),
    Mutant(
        file=LINEAR_FILE,
        old="return moved_point(self.manifold_out, moved, self._shift())",
        new="return from_normal(self.manifold_out, moved + self._shift())",
        why="the bias is added in the tangent space at the origin instead of translating the point",
        tests=LINEAR,
        select="moebius or far_bias",
    ),
    Mutant(
        file=NORMAL,
        old="    return manifold.to_frame(manifold.logmap0(x))",
        new="    return manifold.logmap0(x)[..., -manifold.dim :]",
        why="layers act on ambient instead of frame coordinates: the factor 2 of the ball is lost",
        tests=LAWS,
        select="test_laws and Activation and B4 or zero_curvature",
    ),
    Mutant(
        file=TRANSLATION,
        old="pull = K * b_sine * cb",
        new="pull = -K * b_sine * cb",
        why="wrong sign of the curvature in the translation",
        tests=LINEAR,
        select="moebius",
    ),
    Mutant(
        file=NORMAL,
        old="torch.where(around, shorter, 1)",
        new="torch.ones_like(z)",
        why="coordinates that go around a sphere are not brought back: Chain and Sequential differ",
        tests="tests/layers/test_chain.py",
    ),
    Mutant(
        file=LIFT_FILE,
        old='flat["bias"] = scale * self.bias',
        new='flat["bias"] = self.bias',
        why="the lift scales the weight but not the bias",
        tests="tests/layers/test_chain.py",
    ),
    Mutant(
        file=NORM,
        old="part.copy_(initial_radius(factor, part.device) / factor.dim**0.5)",
        new="part.fill_(1.0)",
        why="the norm starts at radius sqrt(dim), outside the curvature radius",
        tests=LINEAR,
        select="norm_restores",
    ),
]
