"""Bugs that an optimizer could have which moves all parameters along one curve."""

from mutant import Mutant

BUNDLE, HESSIAN, DESCENT, SEARCH, JOINT, LBFGS, GRADIENTS, REGION = (
    f"noneuclid/optim/{name}.py"
    for name in (
        "_bundle",
        "_hessian",
        "_descent",
        "_line_search",
        "_joint",
        "lbfgs",
        "conjugate_gradient",
        "trust_region",
    )
)
OF_BUNDLE = "tests/optim/test_bundle.py"
OF_SEARCH = "tests/optim/test_line_search.py"
OF_LBFGS = "tests/optim/test_lbfgs.py"
OF_GRADIENTS = "tests/optim/test_conjugate_gradient.py"
OF_REGION = "tests/optim/test_trust_region.py"
OF_CONVERGENCE = "tests/optim/test_convergence.py"

MUTANTS = [
    Mutant(
        file=BUNDLE,
        old="        self.write(x)  # K of the start\n",
        new="",
        why="a step starts with the curvature of the last trial",
        tests=OF_BUNDLE,
    ),
    Mutant(
        file=BUNDLE,
        old="                segment.view(vectors).copy_(pushed)",
        new="                pass",
        why="vectors do not follow a curvature that moved",
        tests=OF_BUNDLE,
    ),
    Mutant(
        file=BUNDLE,
        old="if manifold.retraction_order == inf:",
        new="if True:",
        why="the velocity of a retraction is taken for that of a geodesic",
        tests=OF_BUNDLE,
    ),
    Mutant(
        file=BUNDLE,
        old="reach = _REACH * float(radius)",
        new="reach = 2 * float(radius)",
        why="steps go round the sphere",
        tests=OF_BUNDLE,
    ),
    Mutant(
        file=HESSIAN,
        old="if slope.requires_grad:",
        new="if False:",
        why="the bending of the retraction is left out of the Hessian",
        tests=OF_REGION,
    ),
    Mutant(
        file=DESCENT,
        old="            if after is None:\n                bundle.write(x)",
        new="            pass",
        why="a line search that failed leaves the point at its last trial",
        tests="tests/optim/test_laws.py",
        select="keeps_the_point and LBFGS",
    ),
    Mutant(
        file=DESCENT,
        old="step=0.0, slope=slope",
        new="slope=slope",
        why="a line search starts at the step of the last one",
        tests=OF_CONVERGENCE,
        select="mean and cg",
    ),
    Mutant(
        file=SEARCH,
        old="if trial.slope * outward >= 0:",
        new="if trial.slope * outward < 0:",
        why="the bracket holds no minimum",
        tests=OF_SEARCH,
    ),
    Mutant(
        file=SEARCH,
        old="        return low.step + _SHRINK * width",
        new="        pass",
        why="a loss of NaN does not shrink the step faster",
        tests=OF_SEARCH,
    ),
    Mutant(
        file=LBFGS,
        old="inspect.unwrap(torch.optim.LBFGS.step)",
        new="torch.optim.LBFGS.step",
        why="hooks run twice",
        tests=OF_LBFGS,
        select="not flat_parameters and not mixed_model",
    ),
    Mutant(
        file=LBFGS,
        old="if product > 0]",
        new="]",
        why="pairs of negative curvature are used",
        tests=OF_LBFGS,
        select="not flat_parameters and not mixed_model",
    ),
    Mutant(
        file=LBFGS,
        old="alpha=weights[number] - weight",
        new="alpha=weights[number] + weight",
        why="the second loop has a sign wrong",
        tests=OF_LBFGS,
        select="not flat_parameters and not mixed_model",
    ),
    Mutant(
        file=GRADIENTS,
        old="of.gy - 2 * of.yy",
        new="of.gy - of.yy",
        why="Hager and Zhang's 2 is lost",
        tests=OF_GRADIENTS,
    ),
    Mutant(
        file=GRADIENTS,
        old='d, h = state["d"], state["prev_flat_grad"]',
        new='d, h = 0 * state["d"], state["prev_flat_grad"]',
        why="steepest descent",
        tests=OF_GRADIENTS,
    ),
    Mutant(
        file=REGION,
        old="radius * radius - uu)) - ud",
        new="radius * radius - uu)) + ud",
        why="the rim is missed",
        tests=OF_REGION,
    ),
    Mutant(
        file=REGION,
        old='            state["radius"] = radius / 4',
        new='            state["radius"] = radius',
        why="the radius never shrinks",
        tests=OF_REGION,
    ),
    Mutant(
        file=JOINT,
        old="                if group[name] != first[name]:",
        new="                if False:",
        why="groups of other options are taken silently",
        tests=OF_LBFGS,
        select="not flat_parameters and not mixed_model",
    ),
]
