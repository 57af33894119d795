"""Bugs that numerics or a manifold could have."""

from mutant import Mutant

LAWS = "tests/manifolds/test_laws.py"
ROWS, TRIG, PRECISION = (f"noneuclid/numerics/{name}.py" for name in ("rows", "trig", "precision"))
SAFE = "noneuclid/numerics/safe.py"
BALL, LORENTZ, SPHERE, PRODUCT, FLAT, FORM, CURVATURE, PARAMETER = (
    f"noneuclid/manifolds/{name}.py"
    for name in (
        "_stereographic_formulas",
        "lorentz",
        "sphere",
        "product",
        "euclidean",
        "_space_form",
        "_curvature",
        "parameter",
    )
)

MUTANTS = [
    Mutant(
        file=ROWS,
        old="    return plain + correction.detach()",
        new="    return plain",
        why="the gap in working precision: wrong distances near the float64 rim",
        tests=LAWS,
        select="errors_are_within_budget and PoincareBall",
    ),
    Mutant(
        file=ROWS,
        old="    x, y = wide(x), wide(y)\n    difference = y - x",
        new="    difference = wide(y - x)\n    x, y = wide(x), wide(y)",
        why="y - x rounded to float32 before it is widened",
        tests="tests/numerics/test_rows.py",
        select="direction_chord",
    ),
    Mutant(
        file=TRIG,
        old="_ASINCK = tuple(math.comb(2 * k, k) / (4**k * (2 * k + 1)) for k in range(10))",
        new="_ASINCK = tuple(math.comb(2 * k, k) / (4**k * (2 * k + 1)) for k in range(5))",
        why="the series of asinck is too short where it meets the closed form",
        tests="tests/numerics/test_trig.py",
    ),
    Mutant(
        file=SAFE,
        old="torch.where(positive, torch.where(positive, x, 1).sqrt(), 0)",
        new="torch.where(positive, x.sqrt(), 0)",
        why="single where: the gradient at 0 is NaN",
        tests="tests/numerics/test_safe.py",
    ),
    Mutant(
        file=BALL,
        old="pull = -curvature * sine * sine * uu / (gap_x * denominator)",
        new="pull = curvature * sine * sine * uu / (gap_x * denominator)",
        why="exp of the ball with the sign of K wrong in one term",
        tests=LAWS,
        select="log_inverts_exp",
    ),
    Mutant(
        file=BALL,
        old="return (4 * row_dot(u, v) / (gap_x * gap_x))[..., 0]",
        new="return (row_dot(u, v) / (gap_x * gap_x))[..., 0]",
        why="the factor lambda^2 = 4 / g^2 without its 4",
        tests=LAWS,
        select="length_of_log or orthonormal",
    ),
    Mutant(
        file=BALL,
        old="        factor = gap_y / gap_x\n",
        new="        factor = gap_x / gap_y\n",
        why="transport scaled by the conformal factors of the wrong ends",
        tests=LAWS,
        select="transport_is_a_linear_isometry",
    ),
    Mutant(
        file=BALL,
        old="        return (gap_x * gap_x / 4).to(g.dtype) * g",
        new="        return (gap_x * gap_x).to(g.dtype) * g",
        why="the Riemannian gradient of the ball is 4 times too long",
        tests=LAWS,
        select="riesz",
    ),
    Mutant(
        file=BALL,
        old="        return coordinates / 2",
        new="        return coordinates",
        why="the frame at the origin is not orthonormal",
        tests=LAWS,
        select="the_frame_is_orthonormal",
    ),
    Mutant(
        file=LORENTZ,
        old="        angle = asinck(-half, 1 + half)\n"
        "        return (4 * half * angle * angle / -self._curvature_at(x))[..., 0]",
        new="        distance = torch.acosh(1 + 2 * half.to(x.dtype))\n"
        "        return (distance.double().square() / -self._curvature_at(x))[..., 0]",
        why="the distance by acosh in the points' own precision",
        tests=LAWS,
        select="errors_are_within_budget and Lorentz",
    ),
    Mutant(
        file=LORENTZ,
        old="        pull = (-2 * angle * (half / root)).to(x.dtype)",
        new="        pull = (-half * scale).to(x.dtype)",
        why="log of the hyperboloid without the 2 of 2 sinh^2(d/2)",
        tests=LAWS,
        select="log_inverts_exp and Lorentz",
    ),
    Mutant(
        file=LORENTZ,
        old="        gradient = wide(g[..., 1:]) + wide(g[..., :1]) * (space / time)\n",
        new="        gradient = wide(g[..., 1:])\n",
        why="the time entry of the ambient gradient is dropped",
        tests=LAWS,
        select="riesz and Lorentz",
    ),
    Mutant(
        file=LORENTZ,
        old="        entry = row_dot(wide(base) / time, space).to(space.dtype)",
        new="        entry = torch.zeros_like(time).to(space.dtype)",
        why="tangent vectors with time entry 0",
        tests=LAWS,
        select="Lorentz and (riesz or what_is_off or directional_derivative)",
    ),
    Mutant(
        file=SPHERE,
        old="        return (across - weight * both).to(v.dtype)",
        new="        return self._across(other, across).to(v.dtype)",
        why="projection to the tangent space instead of parallel transport",
        tests=LAWS,
        select="Sphere and not Projection and transport",
    ),
    Mutant(
        file=SPHERE,
        old="        return self._transp(x, self._origin((), x.dtype, x.device), u)",
        new="        return self._transp(self._origin((), x.dtype, x.device), x, u)",
        why="transp0back with its two points exchanged",
        tests=LAWS,
        select="Sphere and not Projection and at_the_origin",
    ),
    Mutant(
        file=SPHERE,
        old="direction_chord(x, y) / 4, direction_chord(x, -y) / 4",
        new="direction_chord(x, y) / 4, 1 - direction_chord(x, y) / 4",
        why="cos^2 of half the angle by subtraction: no digits left near the antipode",
        tests=LAWS,
        select="Sphere and not Projection and (antipodes or budget)",
    ),
    Mutant(
        file=FORM,
        old="torch.where(positive, math.pi / torch.where(positive, curvature, 1).sqrt(), math.inf)",
        new="torch.where(positive, 1.1 * math.pi / torch.where(positive, curvature, 1).sqrt(),"
        " math.inf)",
        why="the injectivity radius is overstated",
        tests=LAWS,
        select="injectivity or log_inverts or curvature_module",
    ),
    Mutant(
        file=PRODUCT,
        old="torch.stack([factor.injectivity_radius for factor in self.factors]).amin()",
        new="torch.stack([factor.injectivity_radius for factor in self.factors]).amax()",
        why="the injectivity radius of a product is its largest factor's",
        tests=LAWS,
        select="Product and (injectivity or log_inverts)",
    ),
    Mutant(
        file=FLAT,
        old="    def _component_inner(self, x: Tensor, u: Tensor) -> Tensor:\n",
        new="    def _unused(self, x: Tensor, u: Tensor) -> Tensor:\n",
        why="R^n counted as one part: Adam no longer equals its twin",
        tests=LAWS,
        select="component_inner",
    ),
    Mutant(
        file=CURVATURE,
        old="        return self.sign * torch.exp(bound * torch.tanh(raw / bound))",
        new="        return self.sign * torch.exp(bound * torch.tanh(raw / bound)).detach()",
        why="the curvature does not learn",
        tests="tests/manifolds/test_curvature.py",
    ),
    Mutant(
        file=PARAMETER,
        old="\nregister_module_parameter_registration_hook(_give_table)",
        new="\n",
        why="no hook: load_state_dict(assign=True) loses the mark",
        tests="tests/manifolds/test_parameter.py",
    ),
]
