"""Bugs that an optimizer could have."""

from mutant import Mutant

GEOMETRY, SGD, ADAM, BASE = (
    f"noneuclid/optim/{name}.py" for name in ("_geometry", "sgd", "adam", "_base")
)
TESTS = "tests/optim"

MUTANTS = [
    Mutant(
        file=GEOMETRY,
        old="        vector.copy_(value)",
        new="        pass",
        why="momentum stays at the old point",
        tests=TESTS,
    ),
    Mutant(
        file=GEOMETRY,
        old="-g if maximize else g",
        new="g",
        why="maximize descends",
        tests=TESTS,
    ),
    Mutant(
        file=GEOMETRY,
        old="    if isinstance(manifold, Euclidean):\n        average",
        new="    if True:\n        average",
        why="a second moment for each coordinate of a curved space",
        tests=TESTS,
    ),
    Mutant(
        file=GEOMETRY,
        old="gradient = manifold.egrad2rgrad(x, -g if maximize else g)",
        new="gradient = manifold.proju(x, -g if maximize else g)",
        why="the ambient gradient is taken for the Riemannian one",
        tests=TESTS,
    ),
    Mutant(
        file=ADAM,
        old="size = lr / (1 - beta1**step)",
        new="size = lr",
        why="m is not corrected for its bias",
        tests=TESTS,
    ),
    Mutant(
        file=GEOMETRY,
        old="torch.where(unbounded, inward, 0)",
        new="inward",
        why="spheres decay",
        tests=TESTS,
    ),
    Mutant(
        file=BASE,
        old="        self._write_back(moved)\n",
        new="",
        why="points stay beyond the shell of the curvature that moved",
        tests=TESTS,
    ),
    Mutant(
        file=SGD,
        old="buffer.copy_(direction)",
        new="buffer.add_(direction, alpha=1 - dampening)",
        why="the first momentum is dampened",
        tests=TESTS,
    ),
]
