/* Elementary functions of eight lanes at once, in arithmetic alone: no table, no branch but for
   angles beyond ANGLE_LIMIT. Errors in units in the last place (ulp), against mpmath:

     exp, log1p, sin, cos   0.9        atan2   0.8        tan   1.3        expm1   1.5

   An argument is reduced as in W. J. Cody and W. Waite, Software Manual for the Elementary
   Functions (1980): the constant to subtract is split so that products with a whole number are
   exact. What the reduction loses is carried along as a second number (T. J. Dekker, 1971) and
   added last, to the rest of the series. log1p takes the scheme of fdlibm (Sun Microsystems, 1993).
   Coefficients: Taylor's for exp; for the others, interpolation in the Chebyshev nodes of the range
   that is written beside them, at 60 digits. */

#define EACH_EIGHT for (int64_t r = 0; r < BLOCK; r += WIDTH)
#define EIGHT(slot) load_double(V[slot] + r, WIDTH)
#define POLYNOMIAL(x, coefficients)                                                                \
    polynomial(x, coefficients, (int)(sizeof(coefficients) / sizeof(double)))

typedef uint64_t Unsigned __attribute__((vector_size(WIDTH * sizeof(uint64_t))));

static const double ANGLE_LIMIT = 1e5;
static const double SHIFT = 0x1.8p52; /* x + SHIFT ends in the whole number that is nearest to x */
static const double TINY = 0x1p-54;
static const int64_t SIGN = INT64_MIN, BITS_OF_ONE = 0x3ff0000000000000;

HELPER Lanes all(double x) { return (Lanes){x, x, x, x, x, x, x, x}; }

HELPER Lanes choose(Bits which, Lanes yes, Lanes no) {
    return (Lanes)((which & (Bits)yes) | (~which & (Bits)no));
}

HELPER Lanes magnitude(Lanes x) { return (Lanes)((Bits)x & ~SIGN); }
HELPER Lanes power_of_two(Bits n) { return (Lanes)((Unsigned)(n + 1023) << 52); }
HELPER Bits whole(Lanes shifted) { return (Bits)shifted - (Bits)all(SHIFT); }

/* c[0] + c[1] x + ..., even and odd powers apart: two chains that do not wait for one another */
HELPER Lanes polynomial(Lanes x, const double *c, int count) {
    const Lanes square = x * x;
    Lanes last = all(c[count - 1]), before = all(c[count - 2]);
    for (int k = count - 3; k >= 0; k--) {
        const Lanes next = last * square + c[k];
        last = before, before = next;
    }
    return before + x * last;
}

/* a + b, and what it lost, for |a| >= |b| or a = 0 */
HELPER Lanes sum_of(Lanes a, Lanes b, Lanes *lost) {
    const Lanes sum = a + b;
    *lost = b - (sum - a);
    return sum;
}

/* a - b, and what it lost */
HELPER Lanes difference_of(Lanes a, Lanes b, Lanes *lost) {
    const Lanes difference = a - b, part = difference - a;
    *lost = (a - (difference - part)) - (b + part);
    return difference;
}

/* a sum of two numbers that carries more digits than one */
typedef struct {
    Lanes high, low;
} Pair;

HELPER Pair choose_pair(Bits which, Pair yes, Pair no) {
    return (Pair){choose(which, yes.high, no.high), choose(which, yes.low, no.low)};
}

HELPER Pair quotient(Pair over, Pair under) {
    const Lanes high = over.high / under.high;
    const Lanes rest = (fused(-high, under.high, over.high) + over.low) - high * under.low;
    return (Pair){high, rest / (under.high + under.low)};
}

/* -- exp(x) = 2^n exp(r) with |r| <= log(2)/2, exp(r) = 1 + r + rest -- */

static const double INVERSE_FACTORIALS[] = {
    1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
    1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
    1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800,
};

HELPER Lanes exponential_parts(Lanes x, Bits *n, Lanes *rest) {
    const Lanes shifted = x * 0x1.71547652b82fep+0 + SHIFT, count = shifted - SHIFT;
    const Lanes high = x - count * 0x1.62e42fefa2000p-1, low = count * 0x1.9ef35793c7673p-41;
    const Lanes r = high - low;
    *n = whole(shifted);
    *rest = ((high - r) - low) + r * r * POLYNOMIAL(r, INVERSE_FACTORIALS);
    return r;
}

/* 2^n is out of range at both ends: a first factor is 2^(n - 1) or 2^(n + 100), the second exact */
FUNCTION Lanes exp_lanes(Lanes x) {
    const Lanes within = choose(x > 710.0, all(710.0), choose(x < -746.0, all(-746.0), x));
    Bits n;
    Lanes rest, lost;
    const Lanes r = exponential_parts(within, &n, &rest), sum = sum_of(all(1.0), r, &lost);
    const Bits up = (x > 0.0);
    const Lanes first = power_of_two(n + 100 + (up & -101));
    return (sum + (lost + rest)) * first * choose(up, all(2.0), all(0x1p-100));
}

/* (2^n - 1) + 2^n (r + rest), halved so that 2^n does not overflow first */
FUNCTION Lanes expm1_lanes(Lanes x) {
    const Lanes within = choose(x > 710.0, all(710.0), choose(x < -40.0, all(-40.0), x));
    Bits n;
    Lanes rest, lost;
    const Lanes r = exponential_parts(within, &n, &rest), half = power_of_two(n - 1);
    const Lanes sum = sum_of(half - 0.5, half * r, &lost);
    const Lanes result = 2.0 * (sum + (lost + half * rest));
    return choose(magnitude(x) < TINY, x, result);
}

/* -- log(1 + x) = k log(2) + log(1 + f) + c, where c is what the sum u = 1 + x lost, over u -- */

/* log((1 + s) / (1 - s)) = 2 s + s z P(z), z = s^2, for |s| <= (sqrt(2) - 1) / (sqrt(2) + 1) */
static const double LOGARITHM[] = {
    0.666666666666667,   0.3999999999989889,  0.28571428626253836, 0.22222211089379496,
    0.1818289243253687,  0.15331611722055008, 0.14617807153417325,
};

FUNCTION Lanes log1p_lanes(Lanes x) {
    const int64_t root = 0x3fe6a09e667f3bcd; /* the bits of sqrt(1/2) */
    const Lanes u = 1.0 + x;
    const Lanes c = choose(x >= 1.0, 1.0 - (u - x), x - (u - 1.0)) / u;
    const Bits moved = (Bits)u + (BITS_OF_ONE - root);
    const Lanes k = (Lanes)((Bits)((Unsigned)moved >> 52) | (Bits)all(0x1p52)) - (0x1p52 + 1023);
    const Lanes f = (Lanes)((moved & 0x000fffffffffffff) + root) - 1.0;
    const Lanes s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
    const Lanes low = s * (half + z * POLYNOMIAL(z, LOGARITHM)) + (k * 0x1.9ef35793c7673p-41 + c);
    Lanes result = k * 0x1.62e42fefa2000p-1 - ((half - low) - f);
    result = choose((magnitude(x) < TINY) | (x == INFINITY), x, result);
    result = choose(x == -1.0, all(-INFINITY), result);
    return choose(x >= -1.0, result, all(NAN));
}

/* -- sin, cos, tan: x = n pi/2 + angle + low, |angle| <= pi/4 -- */

/* sin(x) = x + x z P(z), cos(x) = 1 - z/2 + z^2 P(z), z = x^2, for |x| <= pi/4 */
static const double SINE[] = {
    -0.16666666666666666,  0.008333333333330946,    -0.0001984126983675497,
    2.755731610068312e-06, -2.5051131455447428e-08, 1.591810123167728e-10,
};
static const double COSINE[] = {
    0.041666666666666664,    -0.0013888888888887395, 2.4801587298763433e-05,
    -2.7557317270560385e-07, 2.087614602470193e-09,  -1.1382614869434128e-11,
};

HELPER int beyond_limit(Lanes x) {
    const Bits outside = ~(magnitude(x) <= ANGLE_LIMIT);
    int64_t any = 0;
    for (int l = 0; l < WIDTH; l++)
        any |= outside[l];
    return any != 0;
}

HELPER Lanes one_by_one(double (*function)(double), Lanes x) {
    for (int l = 0; l < WIDTH; l++)
        x[l] = function(x[l]);
    return x;
}

/* pi/2 in three parts of 33 bits, whose products with n are exact, and one of 53 */
HELPER Pair reduced_angle(Lanes x, Bits *quadrant) {
    const Lanes shifted = x * 0x1.45f306dc9c883p-1 + SHIFT, n = shifted - SHIFT;
    Lanes lost, lost_next;
    const Lanes first = x - n * 0x1.921fb544p+0;
    const Lanes second = difference_of(first, n * 0x1.0b4611a6p-34, &lost);
    const Lanes third = difference_of(second, n * 0x1.3198a2ep-69, &lost_next);
    const Lanes rest = (lost + lost_next) - n * 0x1.b839a252049c1p-104;
    const Lanes angle = third + rest;
    *quadrant = whole(shifted);
    return (Pair){angle, (third - angle) + rest};
}

HELPER Pair sine(Pair angle) {
    const Lanes x = angle.high, z = x * x;
    return (Pair){x, x * z * POLYNOMIAL(z, SINE) + angle.low * (1.0 - 0.5 * z)};
}

HELPER Pair cosine(Pair angle) {
    const Lanes x = angle.high, z = x * x;
    Lanes lost;
    const Lanes sum = sum_of(all(1.0), -0.5 * z, &lost);
    return (Pair){sum, lost + (z * z * POLYNOMIAL(z, COSINE) - x * angle.low)};
}

/* sin(x + turns pi/2) */
HELPER Lanes wave(Lanes x, int64_t turns) {
    Bits quadrant;
    const Pair angle = reduced_angle(x, &quadrant), s = sine(angle), c = cosine(angle);
    quadrant += turns;
    const Lanes value = choose(((quadrant & 1) == 0), s.high + s.low, c.high + c.low);
    return (Lanes)((Bits)value ^ (Bits)((Unsigned)(quadrant & 2) << 62));
}

FUNCTION Lanes sin_lanes(Lanes x) {
    if (beyond_limit(x))
        return one_by_one(sin, x);
    return choose(magnitude(x) < TINY, x, wave(x, 0));
}

FUNCTION Lanes cos_lanes(Lanes x) {
    return beyond_limit(x) ? one_by_one(cos, x) : wave(x, 1);
}

/* sin / cos, or -cos / sin in odd quadrants */
FUNCTION Lanes tan_lanes(Lanes x) {
    if (beyond_limit(x))
        return one_by_one(tan, x);
    Bits quadrant;
    const Pair angle = reduced_angle(x, &quadrant), s = sine(angle), c = cosine(angle);
    const Bits even = (quadrant & 1) == 0;
    const Pair ratio = quotient(choose_pair(even, s, c), choose_pair(even, c, s));
    const Lanes value = ratio.high + ratio.low;
    return choose(magnitude(x) < TINY, x, choose(even, value, -value));
}

/* -- atan2(y, x) = k pi/4 +- atan(t), |t| <= tan(pi/8) -- */

/* atan(t) = t + t z P(z), z = t^2, for |t| <= tan(pi/8) */
static const double ARC_TANGENT[] = {
    -0.3333333333333333,   0.199999999999998,     -0.14285714285659326,  0.11111111105106705,
    -0.09090908751076636,  0.0769229630497447,    -0.06666423628069258,  0.058789145444006215,
    -0.052303478730160745, 0.04551108126325172,   -0.034558092551413795, 0.01627194475162406,
};

/* the quotient of the shorter and the longer leg, or of their difference and their sum */
HELPER Pair small_tangent(Lanes shorter, Lanes longer, Bits steep) {
    Pair difference, sum;
    difference.high = difference_of(shorter, longer, &difference.low);
    sum.high = sum_of(longer, shorter, &sum.low);
    const Pair over = choose_pair(steep, difference, (Pair){shorter, all(0.0)});
    const Pair under = choose_pair(steep, sum, (Pair){longer, all(0.0)});
    return quotient(over, under);
}

FUNCTION Lanes atan2_lanes(Lanes y, Lanes x) {
    Lanes a = magnitude(y), b = magnitude(x);
    const Bits endless = (a == INFINITY) | (b == INFINITY);
    a = choose(endless, (Lanes)((a == INFINITY) & BITS_OF_ONE), a);
    b = choose(endless, (Lanes)((b == INFINITY) & BITS_OF_ONE), b);
    const Bits swapped = (a > b);
    Lanes shorter = choose(swapped, b, a), longer = choose(swapped, a, b);
    const Lanes low_end = choose(longer < 0x1p-900, all(0x1p100), all(1.0));
    const Lanes scale = choose(longer > 0x1p1000, all(0x1p-100), low_end);
    shorter *= scale, longer = choose(longer == 0.0, all(1.0), longer * scale);
    const Bits steep = (shorter > 0x1.a827999fcef32p-2 * longer);
    const Pair t = small_tangent(shorter, longer, steep);
    const Lanes z = t.high * t.high;
    const Lanes rest = t.low + t.high * z * POLYNOMIAL(z, ARC_TANGENT);
    const Bits backward = ((Bits)x < 0), turned = (swapped ^ backward) & SIGN;
    Lanes k = (Lanes)(steep & BITS_OF_ONE), lost;
    k = choose(swapped, 2.0 - k, k), k = choose(backward, 4.0 - k, k);
    const Lanes signed_t = (Lanes)((Bits)t.high ^ turned);
    const Lanes sum = sum_of(k * 0x1.921fb54442d18p-1, signed_t, &lost);
    const Lanes low = k * 0x1.1a62633145c07p-55 + (Lanes)((Bits)rest ^ turned);
    const Lanes angle = sum + (lost + low);
    const Lanes result = (Lanes)((Bits)angle | ((Bits)y & SIGN));
    return choose((x == x) & (y == y), result, x + y);
}
