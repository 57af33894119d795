"""Bugs that steps in closed form, steps taken again and steps of flat factors could have."""

from mutant import Mutant

TRIG = "noneuclid/numerics/trig.py"
TRIG_TESTS = "tests/numerics/test_trig.py"
CLOSED = "noneuclid/optim/_closed_forms.py"
CLOSED_TESTS = "tests/optim/test_closed_forms.py"
REPLAY = "noneuclid/optim/_replay.py"
REPLAY_TESTS = "tests/optim/test_replay.py"
LINES = "noneuclid/numerics/native/lines.py"
LINE_TESTS = "tests/optim/test_lines.py"
OVERWRITE = "noneuclid/numerics/native/overwrite.py"
BUILD = "noneuclid/numerics/native/build.py"
BUILD_TESTS = "tests/numerics/native/test_build.py"

MUTANTS = [
    Mutant(
        file=TRIG,
        old="bend = torch.where(is_near, _polynomial(near, _BEND), bend)",
        new="bend = torch.where(is_near, 0.5, bend)",
        why="near 0 the second order of a geodesic is that of a straight line",
        tests=TRIG_TESTS,
        select="advance",
    ),
    Mutant(
        file=TRIG,
        old="falling, inverse = both * h / 4, both * growing",
        new="falling, inverse = both * h / 2, both * growing",
        why="cosh is a half too large by its falling part",
        tests=TRIG_TESTS,
        select="advance",
    ),
    Mutant(
        file=TRIG,
        old="growing = torch.exp(h.clamp(max=largest)) / 2",
        new="growing = torch.exp(h) / 2",
        why="a step that is much too long overflows",
        tests=TRIG_TESTS,
        select="advance",
    ),
    Mutant(
        file=TRIG,
        old="bend = sine * tangent * (1 + square) * both",
        new="bend = sine * tangent * both",
        why="the bend of a circle is off by the square of a cosine",
        tests=TRIG_TESTS,
        select="advance",
    ),
    Mutant(
        file=CLOSED,
        old="return combination((self.g * self.g / 4, g))",
        new="return combination((self.g / 4, g))",
        why="a gradient on the ball is scaled by the root of the inverse metric",
        tests=CLOSED_TESTS,
    ),
    Mutant(
        file=CLOSED,
        old="along = -self.K * xg + (-self.K * self.time2).sqrt() * first(g)",
        new="along = -self.K * xg",
        why="a gradient on the hyperboloid forgets its time entry",
        tests=CLOSED_TESTS,
    ),
    Mutant(
        file=CLOSED,
        old="return across + xu * xv * self.outward",
        new="return across + xu * xv * self.inverse",
        why="along x lengths on the hyperboloid are those of its space part",
        tests=CLOSED_TESTS,
    ),
    Mutant(
        file=CLOSED,
        old="return there, [combination((g / self.g, v)) for v in vectors]",
        new="return there, list(vectors)",
        why="vectors on the ball keep their coordinates where decay moves the point",
        tests=CLOSED_TESTS,
    ),
    Mutant(
        file=CLOSED,
        old="return combination((1.0, g), (-xg * self.inverse, self.x))",
        new="return combination((1.0, g))",
        why="gradients on the sphere keep their part along x",
        tests=CLOSED_TESTS,
    ),
    Mutant(
        file=CLOSED,
        old="(torch.where(stays, 1.0, c * norm) * X + s * A)",
        new="(c * norm * X + s * A)",
        why="a step of no length moves a point of the sphere by a rounding",
        tests=CLOSED_TESTS,
    ),
    Mutant(
        file=CLOSED,
        old="(self._across(W) - product * q * A - product * s * norm * X)",
        new="(self._across(W) - product * q * A)",
        why="vectors on the sphere do not turn towards where the point came from",
        tests=CLOSED_TESTS,
    ),
    Mutant(
        file=CLOSED,
        old="unit = torch.maximum(unit, (1 - target) * (1 + target) * inverse * D)",
        new="pass",
        why="on the last shell of the ball momentum has the length of where the step would end",
        tests=CLOSED_TESTS,
    ),
    Mutant(
        file=CLOSED,
        old="y = (scale * (c * X + s * D))",
        new="y = (c * X + s * D)",
        why="a step leaves the hyperboloid's last shell",
        tests=CLOSED_TESTS,
    ),
    Mutant(
        file=REPLAY,
        old="count_on(steps, -1)",
        new="pass",
        why="a step that is not taken again is counted twice",
        tests=REPLAY_TESTS,
    ),
    Mutant(
        file=REPLAY,
        old="        increment_version(self.written)\n",
        new="",
        why="autograd does not learn of a step that was taken again",
        tests=REPLAY_TESTS,
    ),
    Mutant(
        file=REPLAY,
        old="if counts and any(",
        new="if False and any(",
        why="points that are steps apart are corrected by the count of the first",
        tests=REPLAY_TESTS,
    ),
    Mutant(
        file=REPLAY,
        old="and all(p.grad is None for p in self.idle)",
        new="",
        why="a parameter whose gradient comes late never moves",
        tests=REPLAY_TESTS,
    ),
    Mutant(
        file=REPLAY,
        old="and all(map(Tensor.is_contiguous, gradients))",
        new="",
        why="a transposed gradient is read as if it were not",
        tests=REPLAY_TESTS,
    ),
    Mutant(
        file=REPLAY,
        old="and list(map(Tensor.numel, self.points)) == self.sizes",
        new="",
        why="rows beyond the end of a parameter that shrank in place are stepped",
        tests=REPLAY_TESTS,
    ),
    Mutant(
        file=REPLAY,
        old='array("q", [addresses[k] + offset for k, offset in owned])',
        new='array("q", [addresses[k] for k, offset in owned])',
        why="all factors of a product are moved by the gradient of the first",
        tests=REPLAY_TESTS,
    ),
    Mutant(
        file=REPLAY,
        old="return Piece(piece.manifold, piece.x, piece.x, piece.state, piece.step, False)",
        new="return piece",
        why="a gradient is held until the next step",
        tests=REPLAY_TESTS,
    ),
    Mutant(
        file="noneuclid/optim/adam.py",
        old="x = stay * x - size * m",
        new="x = x - size * m",
        why="flat factors do not decay",
        tests=LINE_TESTS,
    ),
    Mutant(
        file="noneuclid/optim/adam.py",
        old="fmaf(take1 - 1, u - m, u)",
        new="fmaf(take1 - 1, u - m, m)",
        why="a mean of less than half is taken from the wrong end",
        tests=LINE_TESTS,
    ),
    Mutant(
        file="noneuclid/optim/sgd.py",
        old="is_new = bool(names) and pieces[0].is_first",
        new="is_new = False",
        why="the first momentum of flat factors is dampened",
        tests=LINE_TESTS,
    ),
    Mutant(
        file=LINES,
        old="const int64_t count = end - row < most ? end - row : most;",
        new="const int64_t count = end - row < most ? 0 : most;",
        why="the last rows are not stepped where they are fewer than fit",
        tests=LINE_TESTS,
    ),
    Mutant(
        file="noneuclid/optim/_lines.py",
        old="increment_version([tensor for piece",
        new="list([tensor for piece",
        why="autograd does not learn that a flat factor has moved",
        tests=LINE_TESTS,
    ),
    Mutant(
        file=OVERWRITE,
        old="for start in range(begin, end, turn):",
        new="for start in range(begin, end - turn, turn):",
        why="the last turn of kernels that run together is left out",
        tests="tests/numerics/native/test_overwrite.py",
        select="together",
    ),
    Mutant(
        file=OVERWRITE,
        old="except (NotBuiltError, TypeError, AttributeError) as reason:",
        new="except (TypeError, AttributeError) as reason:",
        why="a compiler that dies takes the training with it",
        tests=BUILD_TESTS,
        select="good",
    ),
    Mutant(
        file=BUILD,
        old="        _failures.note(error)\n",
        new='        os.environ["NONEUCLID_NATIVE"] = "0"\n        compiler.cache_clear()\n',
        why="a compiler that is killed once is never asked again",
        tests=BUILD_TESTS,
        select="good",
    ),
]
