/* What the generated kernels are written in. See emit.py. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__) && defined(__AVX512VL__)
#include <immintrin.h>
#define MASKS 1
#else
#define MASKS 0
#endif

/* GCC halves loops and stores of eight numbers otherwise, and waits for the halves to be joined */
#if defined(__AVX512F__) && !defined(__clang__)
#pragma GCC target("prefer-vector-width=512")
#endif

#define FUNCTION static inline __attribute__((unused)) /* no kernel calls all of them */
#define HELPER static inline __attribute__((unused, always_inline))

enum { BLOCK = 32, WIDTH = 8 };

typedef double Lanes __attribute__((vector_size(WIDTH * sizeof(double))));
typedef double Half __attribute__((vector_size(WIDTH / 2 * sizeof(double))));
typedef double Quarter __attribute__((vector_size(WIDTH / 4 * sizeof(double))));
typedef int64_t Bits __attribute__((vector_size(WIDTH * sizeof(int64_t))));
typedef float FloatLanes __attribute__((vector_size(WIDTH * sizeof(float))));

/* table: inner, width, then (address, outer stride, inner stride) of each operand and result */
#define EACH_ROW for (int64_t r = 0; r < count; r++)
#define EACH_LANE for (int64_t r = 0; r < BLOCK; r++)
#define OPERAND(k, type)                                                                           \
    ((const type *)table[2 + 3 * (k)] + outside[r] * table[3 + 3 * (k)] +                          \
     inside[r] * table[4 + 3 * (k)])
#define GIVEN(k, type) ((const type *)table[2 + 3 * (k)] + (block + r) * table[4 + 3 * (k)])
#define RESULT(k, type, length) ((type *)table[RESULTS + (k)] + (block + r) * (length))
#define IN_PLACE(k, type)                                                                          \
    ((type *)table[RESULTS + 2 * (k)] + (block + r) * table[RESULTS + 2 * (k) + 1])
#define KEPT(k, type) ((type *)(scratch + ((k) * BLOCK + r) * padded * (int64_t)sizeof(double)))

#define WHOLE_LANES for (int64_t j = 0, left = WIDTH; j + WIDTH <= width; j += WIDTH)
#define LANES_LEFT for (int64_t j = width & ~(int64_t)7, left = width - j; left > 0; left = 0)
#define LAST_LANES for (int64_t j = width - WIDTH, left = WIDTH; left > 0; left = 0)
#define LANES_BEFORE for (int64_t j = 0, left = WIDTH; j + WIDTH < width; j += WIDTH)
#define LOAD_float(from) load_float(from, left)
#define LOAD_double(from) load_double(from, left)
#define STORE_float(to, v) store_float(to, v, left)
#define STORE_double(to, v) store_double(to, v, left)
#define KEEP_float(to, v) keep_rounded(to, v) /* kept rows have room for whole lanes */
#define KEEP_double(to, v) keep_double(to, v)

/* The first `left` of eight numbers. Loads by masks where there are, for a memcpy of so few is a
   call; stores not: a load from the next row would wait for a masked store that reaches into it. */
HELPER FloatLanes some_floats(const float *from, int64_t left) {
#if MASKS
    return (FloatLanes)_mm256_maskz_loadu_ps((__mmask8)((1 << left) - 1), from);
#else
    FloatLanes v = {0};
    for (int64_t l = 0; l < left; l++)
        v[l] = from[l];
    return v;
#endif
}

HELPER Lanes some_doubles(const double *from, int64_t left) {
#if MASKS
    return (Lanes)_mm512_maskz_loadu_pd((__mmask8)((1 << left) - 1), from);
#else
    Lanes v = {0};
    for (int64_t l = 0; l < left; l++)
        v[l] = from[l];
    return v;
#endif
}

#define KEEP_SOME(to, v, left)                                                                     \
    do {                                                                                           \
        const char *rest = (const char *)&(v);                                                     \
        char *place = (char *)(to);                                                                \
        for (int64_t some = WIDTH / 2; some > 0; some /= 2)                                        \
            if ((left) & some) {                                                                   \
                memcpy(place, rest, some * sizeof *(to));                                          \
                place += some * sizeof *(to), rest += some * sizeof *(to);                         \
            }                                                                                      \
    } while (0)

HELPER void keep_floats(float *to, FloatLanes v, int64_t left) { KEEP_SOME(to, v, left); }
HELPER void keep_doubles(double *to, Lanes v, int64_t left) { KEEP_SOME(to, v, left); }

/* in one instruction where there is one: GCC widens four numbers at a time */
HELPER Lanes eight_wide(FloatLanes v) {
#if MASKS
    return (Lanes)_mm512_cvtps_pd((__m256)v);
#else
    return __builtin_convertvector(v, Lanes);
#endif
}

HELPER Lanes load_float(const float *from, int64_t left) {
    FloatLanes v;
    if (left == WIDTH)
        memcpy(&v, from, sizeof v);
    else
        v = some_floats(from, left);
    return eight_wide(v);
}

HELPER Lanes load_double(const double *from, int64_t left) {
    Lanes v;
    if (left == WIDTH)
        memcpy(&v, from, sizeof v);
    else
        v = some_doubles(from, left);
    return v;
}

HELPER void store_float(float *to, Lanes v, int64_t left) {
    const FloatLanes narrow = __builtin_convertvector(v, FloatLanes);
    if (left == WIDTH)
        memcpy(to, &narrow, sizeof narrow);
    else
        keep_floats(to, narrow, left);
}

/* stores eight numbers and returns what they were rounded to */
HELPER Lanes keep_rounded(float *to, Lanes v) {
    const FloatLanes narrow = __builtin_convertvector(v, FloatLanes);
    memcpy(to, &narrow, sizeof narrow);
    return eight_wide(narrow);
}

HELPER void store_double(double *to, Lanes v, int64_t left) {
    if (left == WIDTH)
        memcpy(to, &v, sizeof v);
    else
        keep_doubles(to, v, left);
}

HELPER Lanes keep_double(double *to, Lanes v) {
    memcpy(to, &v, sizeof v);
    return v;
}

/* the same number in all columns */
#define FILL(to, value, count, Vector)                                                             \
    do {                                                                                           \
        const Vector eight = (value) - (Vector){0};                                                \
        if ((count) < WIDTH) {                                                                     \
            KEEP_SOME(to, eight, count);                                                           \
        } else {                                                                                   \
            for (int64_t j = 0; j + WIDTH < (count); j += WIDTH)                                   \
                memcpy((to) + j, &eight, sizeof eight);                                            \
            memcpy((to) + (count)-WIDTH, &eight, sizeof eight);                                    \
        }                                                                                          \
    } while (0)

HELPER void fill_float(float *to, double value, int64_t count) {
    const float narrow = (float)value;
    FILL(to, narrow, count, FloatLanes);
}
HELPER void fill_double(double *to, double value, int64_t count) { FILL(to, value, count, Lanes); }

/* 1 in one lane, or in none */
HELPER Lanes axis(int64_t lane) {
    const Bits lanes = {0, 1, 2, 3, 4, 5, 6, 7};
    const Lanes one = {1, 1, 1, 1, 1, 1, 1, 1};
    return (Lanes)((lanes == lane) & (Bits)one);
}

/* ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)), half by half */
HELPER double across(Lanes v) {
    union {
        Lanes whole;
        Half halves[2];
    } eight = {v};
    union {
        Half whole;
        Quarter halves[2];
    } four = {.whole = eight.halves[0] + eight.halves[1]};
    const Quarter two = four.halves[0] + four.halves[1];
    return two[0] + two[1];
}

/* the sums across eight rows, each in the same order: to[r] is that of lanes[r] */
HELPER void across_eight(double *to, const Lanes *lanes) {
#if MASKS
    __m512d by_four[4], by_two[2];
    for (int k = 0; k < 4; k++) {
        const __m512d a = (__m512d)lanes[2 * k], b = (__m512d)lanes[2 * k + 1];
        by_four[k] = _mm512_shuffle_f64x2(a, b, 0x44) + _mm512_shuffle_f64x2(a, b, 0xEE);
    }
    for (int k = 0; k < 2; k++) {
        const __m512d a = by_four[2 * k], b = by_four[2 * k + 1];
        by_two[k] = _mm512_shuffle_f64x2(a, b, 0x88) + _mm512_shuffle_f64x2(a, b, 0xDD);
    }
    const __m512d sums = _mm512_unpacklo_pd(by_two[0], by_two[1]) +
                         _mm512_unpackhi_pd(by_two[0], by_two[1]);
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    _mm512_storeu_pd(to, _mm512_permutexvar_pd(order, sums));
#else
    for (int r = 0; r < WIDTH; r++)
        to[r] = across(lanes[r]);
#endif
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
