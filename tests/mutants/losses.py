"""Bugs that a loss, or a layer that couples geometries, could have."""

from mutant import Mutant

COUPLING = "noneuclid/layers/coupling"
LOSSES = "noneuclid/losses"

MUTANTS = [
    Mutant(
        file=f"{COUPLING}/inter_manifold_attention.py",
        old="from_ambient(factor, X + share * Y, T + share * U)",
        new="from_ambient(factor, X + share * Y, T + U)",
        why="the two-point midpoint has another denominator than numerator",
        tests="tests/layers/coupling/test_inter_manifold_attention.py",
        select="geodesics",
    ),
    Mutant(
        file=f"{COUPLING}/_router.py",
        old="(scores + self.offset).topk",
        new="scores.topk",
        why="the offset of an expert does not count where experts are chosen",
        tests="tests/layers/coupling/test_curvature_mixture.py",
        select="of_use",
    ),
    Mutant(
        file=f"{COUPLING}/_perceptron.py",
        old="radius / 2 * direction",
        new="0 * radius * direction",
        why="fresh experts do not depend on their curvature",
        tests="tests/layers/coupling/test_curvature_mixture.py",
        select="first_step",
    ),
    Mutant(
        file=f"{LOSSES}/entailment_cone.py",
        old="outward = torch.sinh(s - r) - torch.cosh(r) * torch.sinh(s) * apart * apart / 2",
        new="outward = torch.sinh(s - r) - torch.cosh(s) * torch.sinh(r) * apart * apart / 2",
        why="the angle is that at y instead of x",
        tests="tests/losses/test_entailment_cone.py",
        select="formulas",
    ),
    Mutant(
        file=f"{LOSSES}/contrastive.py",
        old="for table in (logits, logits.mT)",
        new="for table in (logits, logits)",
        why="the second way round is the first again",
        tests="tests/losses/test_contrastive.py",
        select="cross_entropy",
    ),
    Mutant(
        file=f"{LOSSES}/neighbor.py",
        old="read = read & mask[..., None]",
        new="read = read",
        why="what stands in masked rows of p reaches the gradient",
        tests="tests/losses/test_neighbor.py",
        select="masks and jsd",
    ),
    Mutant(
        file=f"{LOSSES}/neighbor.py",
        old="allowed = ~torch.eye(x.shape[-2], dtype=torch.bool, device=x.device)",
        new="allowed = torch.ones(x.shape[-2], x.shape[-2], dtype=torch.bool)",
        why="a point is its own neighbour",
        tests="tests/losses/test_neighbor.py",
        select="simclr",
    ),
    Mutant(
        file=f"{LOSSES}/_divergence.py",
        old="log_mean = log_sum - math.log(2)",
        new="log_mean = log_sum",
        why="the mean of two distributions sums to 2",
        tests="tests/losses/test_neighbor.py",
        select="test_divergences",
    ),
]
