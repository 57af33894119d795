"""Bugs that an optimizer could have."""

from mutant import Mutant

BASE, RULE, PIECES, SGD, ADAM, RMSPROP, LION, MUON, CLIPPING, INDUCED, AVERAGING = (
    f"noneuclid/optim/{name}.py"
    for name in (
        "_base",
        "_rule",
        "_pieces",
        "sgd",
        "adam",
        "rmsprop",
        "lion",
        "muon",
        "clipping",
        "induced",
        "averaging",
    )
)
UPDATE = "noneuclid/numerics/update.py"
KERNEL = "noneuclid/numerics/native/overwrite.py"
TESTS = "tests/optim"


def bug(file: str, old: str, new: str, why: str) -> Mutant:
    return Mutant(file=file, old=old, new=new, why=why, tests=TESTS)


MUTANTS = [
    bug(
        RULE,
        "manifold._transp(x, y, vector) for vector in new",
        "vector for vector in new",
        "momentum stays at the old point",
    ),
    bug(RULE, "-1.0 if rule.maximize else 1.0", "1.0", "maximize descends"),
    bug(
        RULE,
        "manifold._egrad2rgrad(x, gradient)",
        "manifold._proju(x, gradient)",
        "the ambient gradient is taken for the Riemannian one",
    ),
    bug(RULE, "bounded = manifold.curvature_sign > 0", "bounded = False", "spheres decay"),
    bug(
        RULE,
        "return decay * (manifold.curvature() <= 0)",
        "return decay",
        "a stereographic sphere decays",
    ),
    bug(RULE, "            x = moved\n", "", "decoupled decay does not move the point"),
    bug(
        RULE,
        "(manifold._transp(x, moved, vector) for vector in (u, *vectors))",
        "(u, *vectors)",
        "decoupled decay leaves the gradient where it was",
    ),
    bug(ADAM, 'group["lr"] / (1 - beta1**step)', 'group["lr"]', "m is not corrected for its bias"),
    bug(
        ADAM,
        "torch.maximum(largest, v)",
        "torch.minimum(largest, v)",
        "AMSGrad divides by the smallest second moment",
    ),
    bug(SGD, "(0.0, 1.0) if", "(0.0, 0.5) if", "the first momentum is dampened"),
    bug(RMSPROP, "new.append(mean)", "new.append(u)", "the mean gradient forgets"),
    bug(LION, "(-scale, c)", "(-lr, c)", "a step of Lion has the length of its momentum"),
    bug(MUON, "manifold._proju(x, polar)", "polar", "the polar factor is not tangent"),
    bug(
        BASE,
        "        self._write_back(moved)\n",
        "",
        "points stay beyond the shell of the curvature that moved",
    ),
    bug(BASE, 'group["lr"] * scale', 'group["lr"]', "the scale of a curvature does nothing"),
    bug(
        PIECES,
        "gradient = piece.gradient.coalesce()",
        "gradient = piece.gradient._coalesced_(True)",
        "rows named twice in a batch move by one of their gradients",
    ),
    bug(
        PIECES,
        "        for name, tensor in self.whole.state.items():\n            tensor.index_copy_",
        "        for name, tensor in ():\n            tensor.index_copy_",
        "touched rows forget their state",
    ),
    bug(UPDATE, "zip(targets, whole.split(counts)", "zip(targets, whole.split(counts[::-1])",
        "stacked parameters are given each other's rows"),
    bug(
        KERNEL,
        "        increment_version([piece[k] for piece in pieces for k in self.targets])\n",
        "",
        "a kernel changes a parameter without telling autograd",
    ),
    bug(
        CLIPPING,
        "manifold.inner(x, manifold.egrad2rgrad(x, gradient))",
        "manifold.inner(x, gradient)",
        "gradients are clipped by an ambient norm",
    ),
    bug(INDUCED, "float(norm) ** 2", "float(norm)", "the induced metric is not quadratic"),
    bug(AVERAGING, "into.copy_(_toward(factor, a, x, weight))", "pass",
        "averaged points leave their manifold"),
]  # fmt: skip
