/* What the generated kernels are written in. See emit.py. */

#include <math.h>
#include <stdint.h>
#include <string.h>

/* GCC halves loops and stores of eight numbers otherwise, and waits for the halves to be joined */
#if defined(__AVX512F__) && !defined(__clang__)
#pragma GCC target("prefer-vector-width=512")
#endif

#define FUNCTION static inline __attribute__((unused)) /* no kernel calls all of them */
#define HELPER static inline __attribute__((unused, always_inline))

enum { BLOCK = 32, WIDTH = 8 };

typedef double Lanes __attribute__((vector_size(WIDTH * sizeof(double))));
typedef float FloatLanes __attribute__((vector_size(WIDTH * sizeof(float))));

/* table: inner, width, then (address, outer stride, inner stride) of each operand and result */
#define EACH_ROW for (int64_t r = 0; r < count; r++)
#define EACH_LANE for (int64_t r = 0; r < BLOCK; r++)
#define OPERAND(k, type)                                                                           \
    ((const type *)table[2 + 3 * (k)] + outside[r] * table[3 + 3 * (k)] +                          \
     inside[r] * table[4 + 3 * (k)])
#define RESULT(k, type, length) ((type *)table[RESULTS + (k)] + (block + r) * (length))
#define KEPT(k, type) ((type *)(scratch + ((k) * BLOCK + r) * padded * (int64_t)sizeof(double)))

#define WHOLE_LANES for (int64_t j = 0, left = WIDTH; j + WIDTH <= width; j += WIDTH)
#define LANES_LEFT for (int64_t j = width & ~(int64_t)7, left = width - j; left > 0; left = 0)
#define LOAD_float(from) load_float(from, left)
#define LOAD_double(from) load_double(from, left)
#define STORE_float(to, v) store_float(to, v, left)
#define STORE_double(to, v) store_double(to, v, left)

FUNCTION Lanes load_float(const float *from, int64_t left) {
    FloatLanes v = {0};
    memcpy(&v, from, left == WIDTH ? sizeof v : left * sizeof *from);
    return __builtin_convertvector(v, Lanes);
}

FUNCTION Lanes load_double(const double *from, int64_t left) {
    Lanes v = {0};
    memcpy(&v, from, left == WIDTH ? sizeof v : left * sizeof *from);
    return v;
}

FUNCTION void store_float(float *to, Lanes v, int64_t left) {
    const FloatLanes narrow = __builtin_convertvector(v, FloatLanes);
    memcpy(to, &narrow, left == WIDTH ? sizeof narrow : left * sizeof *to);
}

FUNCTION void store_double(double *to, Lanes v, int64_t left) {
    memcpy(to, &v, left == WIDTH ? sizeof v : left * sizeof *to);
}

FUNCTION Lanes axis(int64_t lane) {
    Lanes v = {0};
    if (lane >= 0 && lane < WIDTH)
        v[lane] = 1;
    return v;
}

FUNCTION double across(Lanes v) {
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

FUNCTION double larger(double a, double b) { return a > b || a != a ? a : b; }
FUNCTION double smaller(double a, double b) { return a < b || a != a ? a : b; }

/* -- error-free sums [ogita2005accurate]: TwoSum, TwoProduct, Dot2 -- */

/* a b + c, rounded once; a union, for GCC takes numbers out of a vector one by one */
HELPER Lanes fused(Lanes a, Lanes b, Lanes c) {
    union {
        Lanes lanes;
        double numbers[WIDTH];
    } x = {a}, y = {b}, sum = {c};
    for (int l = 0; l < WIDTH; l++)
        sum.numbers[l] = fma(x.numbers[l], y.numbers[l], sum.numbers[l]);
    return sum.lanes;
}

FUNCTION void add_square(Lanes x, Lanes *sum, Lanes *lost) {
    const Lanes product = x * x;
    const Lanes total = *sum + product, part = total - *sum;
    *lost += ((*sum - (total - part)) + (product - part)) + fused(x, x, -product);
    *sum = total;
}

FUNCTION double two_sum(double a, double b, double *lost) {
    const double total = a + b, part = total - a;
    *lost += (a - (total - part)) + (b - part);
    return total;
}

/* what across(sum) lost of the exact sum of squares */
FUNCTION double residue(Lanes sum, Lanes lost) {
    double rest = across(lost);
    const double a = two_sum(sum[0], sum[4], &rest), b = two_sum(sum[2], sum[6], &rest);
    const double c = two_sum(sum[1], sum[5], &rest), d = two_sum(sum[3], sum[7], &rest);
    two_sum(two_sum(a, b, &rest), two_sum(c, d, &rest), &rest);
    return rest;
}

/* 1 + K (square + rest), rounded once; a square beyond 1e300 has no rest */
FUNCTION double gap(double curvature, double square, double rest) {
    const double product = curvature * square;
    double lost = fma(curvature, square, -product);
    const double total = two_sum(1.0, product, &lost);
    const double correction = lost + curvature * rest;
    return isfinite(correction) ? total + correction : total;
}
