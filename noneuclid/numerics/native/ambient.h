/* Rows read as points of the hyperboloid or the sphere, whose ambient coordinates are
   X = scale * row and T = height. Needs prelude.h, arc.h (for Real) and the last shells of Real,
   see `largest_norm`: BALL and SPHERE, the limit and the target. */

enum { STEREOGRAPHIC, HYPERBOLOID, DIRECTION };

typedef struct { /* as Python hands it over; a row is `stride` numbers after the one before it */
    int64_t model, moves, width, stride; /* moves: rows beyond the last shell are read as on it */
    const Real *rows;
    const double *curvature; /* null where nothing depends on it */
} Reading;

typedef struct { /* one number for each row that was read */
    double *square, *gap, *moved, *scale, *height; /* |row|^2 and 1 + K|row|^2 after moving */
} Ambient;

static int64_t whole_lanes(int64_t count) { return (count + WIDTH - 1) & ~(int64_t)(WIDTH - 1); }

static inline double product(const double *a, const double *b, int64_t wide) {
    Lanes sum = {0};
    for (int64_t k = 0; k < wide; k += WIDTH)
        sum += load_double(a + k, WIDTH) * load_double(b + k, WIDTH);
    return across(sum);
}

typedef struct { /* a sum of squares, and what rounding lost of it */
    Lanes sum, lost;
} Squares;

HELPER void add_lanes(Lanes x, Squares *squares) {
    if (SINGLE)
        squares->sum += x * x; /* exact products, and a sum that is as good as exact */
    else
        add_square(x, &squares->sum, &squares->lost);
}

/* 1 + K|row|^2, rounded once */
HELPER double gap_of(double K, double square, Squares squares) {
    return SINGLE ? 1 + K * square : gap(K, square, residue(squares.sum, squares.lost));
}

/* the factor that moves a row to the last shell; 1 where it is within */
static inline double onto_shell(double K, double square, double at) {
    static const double ball[] = {BALL}, sphere[] = {SPHERE};
    const int off_ball = K < 0 && at < (1 - ball[0]) * (1 + ball[0]);
    const int off_sphere = K > 0 && K * square > sphere[0] * sphere[0];
    const double target = off_ball ? ball[1] : off_sphere ? sphere[1] : 1;
    return target / sqrt(off_ball ? fabs(at - 1) : off_sphere ? K * square : 1);
}

HELPER void widen(const Real *from, int64_t left, double *to, Squares *squares) {
    const Lanes x = LOAD_REAL(from, left);
    store_double(to, x, WIDTH);
    add_lanes(x, squares);
}

HELPER Squares widened(const Real *from, int64_t width, double *to) {
    Squares squares = {{0}, {0}};
    int64_t k = 0;
    for (; k + WIDTH <= width; k += WIDTH)
        widen(from + k, WIDTH, to + k, &squares);
    if (k < width)
        widen(from + k, width - k, to + k, &squares);
    return squares;
}

/* move a row, to what its coordinates are when they are stored */
static Squares moved_row(double factor, int64_t wide, double *row) {
    Squares squares = {{0}, {0}};
    for (int64_t k = 0; k < wide; k++)
        row[k] = (Real)(factor * row[k]);
    for (int64_t k = 0; k < wide; k += WIDTH)
        add_lanes(load_double(row + k, WIDTH), &squares);
    return squares;
}

/* write `count` rows in float64, filled up to `wide`, and what they are as points */
static void read_rows(const Reading *reading, const Real *from, int64_t count, int64_t wide,
                      double *rows, const Ambient *to) {
    const double K = reading->curvature ? *reading->curvature : 0;
    for (int64_t r = 0; r < count; r++, from += reading->stride) {
        const Squares squares = widened(from, reading->width, rows + r * wide);
        to->square[r] = across(squares.sum);
        to->gap[r] = gap_of(K, to->square[r], squares);
    }
    const int64_t filled = whole_lanes(count);
    for (int64_t r = count; r < filled; r++)
        to->square[r] = 0, to->gap[r] = 1;
    for (int64_t r = 0; r < filled; r++)
        to->moved[r] = reading->moves ? onto_shell(K, to->square[r], to->gap[r]) : 1;
    for (int64_t r = 0; reading->moves && r < count; r++) {
        if (to->moved[r] == 1)
            continue;
        const Squares again = moved_row(to->moved[r], wide, rows + r * wide);
        to->square[r] = across(again.sum);
        to->gap[r] = gap_of(K, to->square[r], again);
    }
    if (reading->model == STEREOGRAPHIC)
        for (int64_t r = 0; r < filled; r++) {
            to->scale[r] = 2 / to->gap[r];
            to->height[r] = (2 - to->gap[r]) / to->gap[r];
        }
    else if (reading->model == HYPERBOLOID)
        for (int64_t r = 0; r < filled; r++) {
            to->scale[r] = 1;
            to->height[r] = sqrt(1 - K * to->square[r]);
        }
    else
        for (int64_t r = 0; r < filled; r++) {
            to->scale[r] = to->square[r] > 0 ? 1 / sqrt(to->square[r]) : 0;
            to->height[r] = 0;
        }
}

/* Turn the gradient by a row that was moved into the one by the row as it was; return the gradient
   by K through the factor, which is proportional to |K|^-1/2 / |row|. */
static double move_back(double K, double moved, const double *row, double square, int64_t width,
                        Real *gradient) {
    double along = 0;
    for (int64_t k = 0; k < width; k++)
        along += row[k] * gradient[k];
    for (int64_t k = 0; k < width; k++)
        gradient[k] = (Real)(moved * (gradient[k] - along / square * row[k]));
    return -along / (2 * K);
}
