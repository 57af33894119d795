/* Arcs over half chords, one number at a time and without branches, so that the C compiler can do
   many at a time. Errors: 1 to 2 units in the last place. Needs prelude.h, SINGLE (whether results
   are float32) and SLOPE (the coefficients of slope_near_0). */

static inline uint32_t bits_of_float(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint64_t bits_of_double(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double double_of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* log(1 + t) for t >= 0. With 1 + t = 2^e (1 + f), f in [sqrt(1/2) - 1, sqrt(2) - 1], the fraction
   is f = (t - (2^e - 1)) / 2^e: no digit of a small t is lost. Polynomials: Cephes logf. */
static inline float log1p_float(float t) {
    const uint32_t biased = (bits_of_float(1 + t) + (0x3f800000 - 0x3f3504f3)) >> 23;
    const float e = (float)(int32_t)(biased - 127);
    const float f = (t - (float_of_bits(biased << 23) - 1)) * float_of_bits((254 - biased) << 23);
    const float square = f * f;
    float p = 7.0376836292e-2f;
    p = p * f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    p = p * f * square - 2.12194440e-4f * e - 0.5f * square;
    return (f + p) + 0.693359375f * e;
}

/* The same in float64, with the polynomial of fdlibm's log. */
static inline double log1p_double(double t) {
    const uint64_t shift = 0x3ff0000000000000 - 0x3fe6a09e667f3bcd;
    const uint64_t biased = (bits_of_double(1 + t) + shift) >> 52;
    const double e = double_of_bits(biased | 0x4330000000000000) - (0x1p52 + 1023);
    const double power = double_of_bits(biased << 52);
    const double f = (t - (power - 1)) * double_of_bits((2046 - biased) << 52);
    const double s = f / (2 + f), z = s * s, w = z * z, half = 0.5 * f * f;
    const double even =
        w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
    const double odd =
        z * (6.666666666666735130e-01 +
             w * (2.857142874366239149e-01 +
                  w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
    const double low = s * (half + (even + odd)) + e * 1.90821492927058770002e-10;
    return e * 6.93147180369123816490e-01 - ((half - low) - f);
}

/* asinh(h) = log(1 + h + h^2 / (1 + sqrt(1 + h^2))) for h >= 0; no square overflows */
static inline float hyperbolic_float(float h) {
    const float low = h < 0x1p60f ? h : 0x1p60f;
    return log1p_float(h + h * (low / (1 + sqrtf(1 + low * low))));
}

static inline double hyperbolic_double(double h) {
    const double low = h < 0x1p60 ? h : 0x1p60;
    return log1p_double(h + h * (low / (1 + sqrt(1 + low * low))));
}

/* The angle in [0, pi/2] with sine and cosine proportional to s and c >= 0. Its tangent, or that of
   what is left to pi/2, is at most 1; beyond tan(pi/8) one turns back by pi/4. Cephes atanf, atan. */
static inline float circular_float(float s, float c) {
    const float small = s < c ? s : c, large = s < c ? c : s;
    const int turned = small > 0.41421356f * large;
    const float above = turned ? small - large : small, below = turned ? small + large : large;
    const float z = above / (below > 0 ? below : 1), square = z * z;
    float p = 8.05374449538e-2f;
    p = p * square - 1.38776856032e-1f;
    p = p * square + 1.99777106478e-1f;
    p = p * square - 3.33329491539e-1f;
    p = p * square * z + z;
    const float angle = turned ? 0.785398163397448310f + p : p;
    return s < c ? angle : 1.57079632679489662f - angle;
}

static inline double circular_double(double s, double c) {
    const double small = s < c ? s : c, large = s < c ? c : s;
    const int turned = small > 0.41421356237309505 * large;
    const double above = turned ? small - large : small, below = turned ? small + large : large;
    const double z = above / (below > 0 ? below : 1), square = z * z;
    double p = -8.750608600031904122785e-1, q = square + 2.485846490142306297962e1;
    p = p * square - 1.615753718733365076637e1;
    q = q * square + 1.650270098316988542046e2;
    p = p * square - 7.500855792314704667340e1;
    q = q * square + 4.328810604912902668951e2;
    p = p * square - 1.228866684490136173410e2;
    q = q * square + 4.853903996359136964868e2;
    p = p * square - 6.485021904942025371773e1;
    q = q * square + 1.945506571482613964425e2;
    p = square * (p / q) * z + z;
    const double angle = turned ? 0.78539816339744830962 + p : p;
    return s < c ? angle : 1.57079632679489661923 - angle;
}

/* d/dz of asinck(z) = asin(sqrt z) / sqrt z, (1 / sqrt(1 - z) - asinck(z)) / 2z, by its series: for
   |z| < NEAR, beyond which that difference is right to 16 units in the last place of Real. */
#define NEAR (SINGLE ? 0.25 : 0.05)
HELPER Lanes slope_near_0(Lanes z) {
    static const double series[] = {SLOPE};
    Lanes sum = {0};
    for (int k = sizeof series / sizeof *series - 1; k >= 0; k--)
        sum = sum * z + series[k];
    return sum;
}

/* sqrt(q) and 1 / sqrt(q) in Real for any q >= 0 of float64, whose exponent Real may not have */
#if SINGLE
typedef float Real;
#define hyperbolic hyperbolic_float
#define circular circular_float
#define real_sqrt sqrtf
#define real_copysign copysignf
#define LOAD_REAL load_float
#define STORE_REAL store_float

#define SCALED(q, small, large) ((q) < 0x1p-100 ? (small) : (q) > 0x1p100 ? (large) : 1.0)

static inline float root(double q) {
    const float scaled = (float)(q * SCALED(q, 0x1p200, 0x1p-200));
    return sqrtf(scaled) * (float)SCALED(q, 0x1p-100, 0x1p100);
}

static inline double inverse_root(double q) {
    const float scaled = (float)(q * SCALED(q, 0x1p200, 0x1p-200));
    return (double)(1 / sqrtf(scaled)) * SCALED(q, 0x1p100, 0x1p-100);
}
#else
typedef double Real;
#define hyperbolic hyperbolic_double
#define circular circular_double
#define real_sqrt sqrt
#define real_copysign copysign
#define LOAD_REAL load_double
#define STORE_REAL store_double

static inline double root(double q) { return sqrt(q); }
static inline double inverse_root(double q) { return 1 / sqrt(q); }
#endif
