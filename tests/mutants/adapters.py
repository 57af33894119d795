"""Bugs that the adapters to geoopt, or the functions of matrices below them, could have."""

from mutant import Mutant

TESTS = "tests/manifolds/test_adapters.py"
SPECTRAL = "noneuclid/numerics/spectral.py"
STIEFEL, DEFINITE, BIRKHOFF, SIEGEL, SCALED, LINKS, CURVATURE, INCOMING, OUTGOING = (
    f"noneuclid/manifolds/adapters/_{name}.py"
    for name in (
        "stiefel",
        "positive_definite",
        "birkhoff",
        "siegel",
        "scaled",
        "links",
        "shared_curvature",
        "incoming",
        "outgoing",
    )
)
MUTANTS = [
    Mutant(
        file=SPECTRAL,
        old="    first = function.slope(a, b) * move\n",
        new="    first = function.slope(a, a) * move\n",
        why="the derivative of a function of a matrix as if eigenvalues were equal",
        tests="tests/numerics/test_spectral.py",
    ),
    Mutant(
        file=SPECTRAL,
        old="    limit = torch.where(apart, near, function.curvature(middle) / 2)\n",
        new="    limit = torch.where(apart, near, function.curvature(middle))\n",
        why="twice the second derivative where eigenvalues coincide",
        tests="tests/numerics/test_spectral.py",
    ),
    Mutant(
        file=STIEFEL,
        old="    half = u - x @ (x.mT @ u) / 2\n",
        new="    half = u\n",
        why="geoopt's Cayley transform, which follows another vector",
        tests=TESTS,
        select="canonical",
    ),
    Mutant(
        file=STIEFEL,
        old="        return g - x @ g.mT @ x if self.is_canonical else self._proju(x, g)\n",
        new="        return self._proju(x, g)\n",
        why="the gradient of the Euclidean metric for the canonical one",
        tests=TESTS,
        select="riesz and canonical",
    ),
    Mutant(
        file=DEFINITE,
        old="        half = symmetric_sqrt1p(whiten(c, y - x))\n",
        new="        half = symmetric_sqrt1p(whiten(c, y - x) / 2)\n",
        why="transport half of the way",
        tests=TESTS,
        select="transport and definite",
    ),
    Mutant(
        file=BIRKHOFF,
        old="        return self.side * self._proju(x, x * g)\n",
        new="        return self._proju(x, x * g)\n",
        why="geoopt's gradient, without the factor of its metric",
        tests=TESTS,
        select="riesz and birkhoff",
    ),
    Mutant(
        file=SIEGEL,
        old="    weight = 4\n",
        new="    weight = 1\n",
        why="a metric that is not that of the distance",
        tests=TESTS,
        select="siegel",
    ),
    Mutant(
        file=SCALED,
        old="        return self.base._egrad2rgrad(x, g) / self.scale().to(x) ** 2\n",
        new="        return self.base._egrad2rgrad(x, g) / self.scale().to(x)\n",
        why="geoopt's gradient of a scaled manifold",
        tests=TESTS,
        select="riesz and scaled",
    ),
    Mutant(
        file=LINKS,
        old="    return other if parameters == _fingerprint(manifold) else None\n",
        new="    return other\n",
        why="a curvature that geoopt no longer has",
        tests=TESTS,
        select="are_seen",
    ),
    Mutant(
        file=CURVATURE,
        old="    return -1 / raw\n",
        new="    return -raw\n",
        why="geoopt's squared radius read as a curvature",
        tests=TESTS,
        select="known_manifolds or geoopts",
    ),
    Mutant(
        file=INCOMING,
        old=' and type(source).__module__.startswith("geoopt."):\n',
        new=":\n",
        why="a user's subclass taken for its base",
        tests=TESTS,
        select="unknown_classes",
    ),
    Mutant(
        file=OUTGOING,
        old="        return self.manifold.egrad2rgrad(x, u)\n",
        new="        return u\n",
        why="geoopt's optimizers get the ambient gradient",
        tests=TESTS,
        select="geoopts_sgd",
    ),
]
