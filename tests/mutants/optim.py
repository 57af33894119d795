"""Bugs that an optimizer could have."""

from mutant import Mutant

BASE, PIECES, RULE, ADAM, SGD, LION, RMSPROP = (
    f"noneuclid/optim/{name}.py"
    for name in ("_base", "_pieces", "_rule", "adam", "sgd", "lion", "rmsprop")
)
CHECKS = "noneuclid/optim/_checks.py"
STEP = "noneuclid/optim/_step.py"
CLOSED = "noneuclid/optim/_closed_forms.py"
CLOSED_TESTS = "tests/optim/test_closed_forms.py"
OVERWRITE, EMIT, PLAN = (
    f"noneuclid/numerics/native/{name}.py" for name in ("overwrite", "emit", "plan")
)
UPDATE = "noneuclid/numerics/update.py"
BY_HAND, DECAY, CONTRACT, SPARSE = (
    f"tests/optim/test_{name}.py" for name in ("adam", "decay", "contract", "sparse")
)
KERNELS = "tests/numerics/native/test_overwrite.py"


MUTANTS = [
    Mutant(
        file=STEP,
        old="*(self.manifold._transp(self.x, y, vector) for vector in vectors)",
        new="*vectors",
        why="momentum stays at the old point",
        tests=DECAY,
    ),
    Mutant(
        file=RULE,
        old="-1.0 if rule.maximize else 1.0",
        new="1.0",
        why="maximize descends",
        tests=DECAY,
    ),
    Mutant(
        file=STEP,
        old="self.manifold._egrad2rgrad(self.x, g)",
        new="self.manifold._proju(self.x, g)",
        why="the ambient gradient is taken for the Riemannian one",
        tests=BY_HAND,
    ),
    Mutant(
        file=RULE,
        old="return replace(self, decay=0.0) if bounded else self",
        new="return self",
        why="spheres decay",
        tests=DECAY,
    ),
    Mutant(
        file=RULE,
        old="return decay * (manifold.curvature() <= 0)",
        new="return decay",
        why="a free curvature decays while it is positive",
        tests=DECAY,
    ),
    Mutant(
        file=RULE,
        old="self.lr * self.decay if self.is_decoupled else self.decay",
        new="self.decay",
        why="decoupled decay forgets the learning rate",
        tests=DECAY,
    ),
    Mutant(
        file=RULE,
        old="space, (u, *vectors) = space.shrunk(",
        new="space, _ = space.shrunk(",
        why="decoupled decay leaves the gradient where the point was",
        tests=DECAY,
    ),
    Mutant(
        file=PIECES,
        old="    if isinstance(manifold, Euclidean):\n        return Euclidean",
        new="    if True:\n        return Euclidean",
        why="a second moment for each coordinate of a curved space",
        tests=BY_HAND,
    ),
    Mutant(
        file=BASE,
        old="        if points:\n",
        new="        if False:\n",
        why="points stay beyond the shell of the curvature that moved",
        tests=CONTRACT,
    ),
    Mutant(
        file=BASE,
        old='start = self.defaults.get("initial_accumulator_value", 0.0)',
        new="start = 0.0",
        why="parameters that are added late forget the initial accumulator",
        tests=CONTRACT,
    ),
    Mutant(
        file=BASE,
        old="        check_state(known, names, parameter)\n",
        new="",
        why="state of another shape is read beyond its end",
        tests=CONTRACT,
        select="another_model",
    ),
    Mutant(
        file=BASE,
        old="group.setdefault(name, self.defaults.get(name, off))",
        new="group.setdefault(name, off)",
        why="loading a state dict of torch switches our options off",
        tests=CONTRACT,
    ),
    Mutant(
        file=BASE,
        old="            check_gradient(parameter, manifold)\n",
        new="            pass\n",
        why="a refused gradient comes to light when others have moved",
        tests=SPARSE,
    ),
    Mutant(
        file=CHECKS,
        old='            number += len(group["params"])\n',
        new="",
        why="parameters are counted from the first group that asks",
        tests=CONTRACT,
    ),
    Mutant(
        file=PIECES,
        old="            tensor.index_copy_(0, self.rows, self.piece.state[name])",
        new="            pass",
        why="the state of touched rows is lost",
        tests=SPARSE,
    ),
    Mutant(
        file=PIECES,
        old="self.whole.x.index_copy_(0, self.rows, self.piece.x)",
        new="self.whole.x.copy_(self.whole.x.index_copy(0, self.rows, self.piece.x))",
        why="a whole table is written for a few of its rows",
        tests=SPARSE,
    ),
    Mutant(
        file=ADAM,
        old='group["lr"] / (1 - beta1**step)',
        new='group["lr"]',
        why="m is not corrected for its bias",
        tests=BY_HAND,
    ),
    Mutant(
        file=SGD,
        old='(0.0, 1.0) if pieces[0].is_first else (group["momentum"], 1 - group["dampening"])',
        new='(group["momentum"], 1 - group["dampening"])',
        why="the first momentum is dampened",
        tests="tests/optim/test_sgd.py",
    ),
    Mutant(
        file=LION,
        old="    scale = safe_divide(lr * torch.ones_like(length), length)",
        new="    scale = lr * torch.ones_like(length)",
        why="steps of Lion have the length of the gradient",
        tests=DECAY,
    ),
    Mutant(
        file=RMSPROP,
        old="(v - space.square(mean)).clamp(min=0)",
        new="v",
        why="centered forgets the mean",
        tests=DECAY,
    ),
    Mutant(
        file=UPDATE,
        old="x.reshape(-1, *x.shape[x.dim() - axes :])",
        new="x.flatten(0, -1 - axes)",
        why="single points cannot be joined",
        tests="tests/numerics/test_update.py",
    ),
    Mutant(
        file=OVERWRITE,
        old="filled = [k for k, piece in enumerate(pieces) if piece[-1].numel()]",
        new="filled = list(range(len(pieces)))",
        why="a kernel reads a row of tensors that have none",
        tests=KERNELS,
    ),
    Mutant(
        file=OVERWRITE,
        old="        if all(s == stride * size for (_, s), size in zip(axes, sizes, strict=True)):",
        new="        if sizes:",
        why="rows of swapped batch axes are taken for evenly spaced ones",
        tests=KERNELS,
    ),
    Mutant(
        file=OVERWRITE,
        old="        increment_version([piece[k] for piece in pieces for k in self.targets])\n",
        new="",
        why="autograd does not learn that a tensor was overwritten",
        tests=KERNELS,
    ),
    Mutant(
        file=OVERWRITE,
        old="                    piece[k].copy_(used[k][0])",
        new="                    pass",
        why="targets of odd layouts keep their old values",
        tests=KERNELS,
    ),
    Mutant(
        file="noneuclid/numerics/native/prelude.h",
        old="#define LAST_LANES for (int64_t j = width - WIDTH,",
        new="#define LAST_LANES for (int64_t j = 0,",
        why="the last columns of a row are written as the first ones",
        tests=KERNELS,
    ),
    Mutant(
        file=CLOSED,
        old="turned = -2 * K * unit",
        new="turned = -K * unit",
        why="a vector on the ball turns half as far as its geodesic",
        tests=CLOSED_TESTS,
    ),
    Mutant(
        file=CLOSED,
        old="scale * (W - product * q * D - product * s * X)",
        new="scale * (W - product * s * X)",
        why="the second order of a transport is left out",
        tests=CLOSED_TESTS,
    ),
    Mutant(
        file=CLOSED,
        old="stretch = (there.time2.sqrt() / time - 1) * self.inverse",
        new="stretch = 0 * self.inverse",
        why="a vector keeps its part along x where decay moves the point",
        tests=CLOSED_TESTS,
    ),
    Mutant(
        file="noneuclid/optim/_replay.py",
        old="and list(map(Tensor.data_ptr, self.written)) == self.addresses",
        new="",
        why="a step is taken again on memory that is no longer the parameter's",
        tests="tests/optim/test_replay.py",
    ),
    Mutant(
        file="noneuclid/optim/_replay.py",
        old="rule.recipe(manifold, x.dtype) != batch.recipe or not",
        new="not",
        why="a step is taken again by the rule of options that have changed",
        tests="tests/optim/test_replay.py",
    ),
    Mutant(
        file="noneuclid/optim/muon.py",
        old="space.manifold._proju(space.x, polar)",
        new="polar",
        why="the polar factor is not tangent",
        tests="tests/optim/test_muon.py",
    ),
    Mutant(
        file=BASE,
        old='group["lr"] * scale',
        new='group["lr"]',
        why="the scale of a curvature does nothing",
        tests="tests/optim/test_groups.py",
    ),
    Mutant(
        file="noneuclid/optim/clipping.py",
        old="manifold.inner(x, manifold.egrad2rgrad(x, gradient))",
        new="manifold.inner(x, gradient)",
        why="gradients are clipped by an ambient norm",
        tests="tests/optim/test_clipping.py",
    ),
    Mutant(
        file="noneuclid/optim/induced.py",
        old="float(norm) ** 2",
        new="float(norm)",
        why="the induced metric is not quadratic",
        tests="tests/optim/test_induced.py",
    ),
    Mutant(
        file="noneuclid/optim/averaging.py",
        old="into.copy_(_toward(factor, a, x, weight.to(torch.float64)))",
        new="pass",
        why="averaged points leave their manifold",
        tests="tests/optim/test_averaging.py",
    ),
]
