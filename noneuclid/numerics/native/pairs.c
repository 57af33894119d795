/* All pairwise distances and their gradients: see pairs.py. Needs prelude.h, arc.h and tiles.h.

   Rows of x go in tiles of ROWS, rows of y in chunks that stay in the cache, turned so that eight
   lanes hold eight rows: no sum runs across lanes but those of the gradient by x, once per chunk.
   Differences and sums are float64; the arcs are formed in Real. */

enum { COLUMNS = 64 };

typedef struct { /* one factor, (batch, n or m, width); gradients that nobody wants are null */
    int64_t width, near_width;
    const double *x, *y, *x_weight, *y_weight, *curvature, *opposite, *x_near, *y_near;
    double *by_x, *by_y, *by_x_weight, *by_y_weight, *by_curvature;
} Factor;

typedef struct { /* the table Python hands over; the factors follow it */
    int64_t n, m, factors, chunk;
    Real *pairs; /* distances, or the gradient by them: (batch, n, m) */
} Job;

typedef Real RealBlock[ROWS][COLUMNS];
typedef double Block[ROWS][COLUMNS];

typedef struct { /* one factor on one tile of x and one chunk of y */
    const Factor *factor;
    double curvature, unit; /* K; the unit of length in which |K| = 1, 1 in flat space */
    double *y, *opposite, *y_near, *x, *x_near, *y_weight, *by_y_weight;
    Lanes *by_y, *by_x;
    double x_weight[ROWS], by_x_weight[ROWS];
    Block squares, cosine2;
    RealBlock distances;
} Work;

/* -- turning rows into lanes ------------------------------------------------------------------- */

static void add_turned_back(const Lanes *from, int64_t count, int64_t width, double *to) {
    for (int64_t row = 0; row < count; row++)
        for (int64_t k = 0; k < width; k++)
            to[row * width + k] += from[(row / WIDTH) * width + k][row % WIDTH];
}

static void take_columns(const Job *job, Work *work, int64_t batch, int64_t begin, int64_t count) {
    const Factor *const f = work->factor;
    const int64_t first = batch * job->m + begin;
    const double K = f->curvature[batch];
    const int is_flat = fabs(K) < 0x1p-200; /* far below where the arc still tells */
    work->curvature = is_flat ? 0 : K;
    work->unit = is_flat ? 1 : sqrt(fabs(K));
    turned(f->y + first * f->width, count, f->width, work->y);
    if (f->opposite && K > 0)
        turned(f->opposite + first * f->width, count, f->width, work->opposite);
    if (f->y_near)
        turned(f->y_near + first * f->near_width, count, f->near_width, work->y_near);
    memset(work->y_weight, 0, job->chunk * sizeof(double));
    memcpy(work->y_weight, f->y_weight + first, count * sizeof(double));
    memset(work->by_y_weight, 0, job->chunk * sizeof(double));
    memset(work->by_y, 0, job->chunk * f->width * sizeof(double));
}

static void take_rows(Work *work, int64_t first, int64_t count) {
    const Factor *const f = work->factor;
    turned(f->x + first * f->width, count, f->width, work->x);
    if (f->x_near)
        turned(f->x_near + first * f->near_width, count, f->near_width, work->x_near);
    memset(work->by_x, 0, f->width * ROWS * sizeof(Lanes));
    for (int r = 0; r < ROWS; r++) {
        work->x_weight[r] = r < count ? f->x_weight[first + r] : 0;
        work->by_x_weight[r] = 0;
    }
}

/* -- from rows to distances -------------------------------------------------------------------- */

static void add_squares(const double *x, const Lanes *y, int64_t width, Lanes sums[ROWS]) {
    Lanes total[ROWS] = {{0}};
    for (int64_t k = 0; k < width; k++, x += ROWS)
        for (int r = 0; r < ROWS; r++) {
            const Lanes apart = x[r] - y[k];
            total[r] += apart * apart;
        }
    memcpy(sums, total, sizeof total);
}

static void all_squares(const double *x, const double *y, int64_t width, int64_t used,
                        int64_t columns, Block squares) {
    for (int64_t c = 0; c < columns; c += WIDTH) {
        Lanes sums[ROWS];
        add_squares(x, (const Lanes *)(y + c * width), used, sums);
        for (int r = 0; r < ROWS; r++)
            memcpy(&squares[r][c], &sums[r], sizeof(Lanes));
    }
}

/* rows (x, r, c) of Chart.near: (|x - x'|^2 - (r - r')^2) (c c')^2 */
static void near_squares(Work *work, int64_t column, int64_t columns) {
    const int64_t width = work->factor->near_width, used = width - 2;
    const double *const x = work->x_near, *const y = work->y_near + column * width;
    all_squares(x, y, width, used, columns, work->squares);
    for (int r = 0; r < ROWS; r++)
        for (int64_t c = 0; c < columns; c++) {
            const double *const other = y + (c / WIDTH) * width * WIDTH + c % WIDTH;
            const double radial = x[used * ROWS + r] - other[used * WIDTH];
            const double weight = x[(used + 1) * ROWS + r] * other[(used + 1) * WIDTH];
            const double square = work->squares[r][c] - radial * radial;
            work->squares[r][c] = larger(square, 0) * weight * weight;
        }
}

/* squares, and cos^2 of half the arc where it has one: 1 - K h^2, h the half chord */
static void find_squares(Work *work, int64_t column, int64_t columns) {
    const Factor *const f = work->factor;
    const double K = work->curvature, quarter = K / 4;
    const double *const weight = work->y_weight + column;
    if (columns < COLUMNS)
        memset(work->squares, 0, sizeof(Block)), memset(work->cosine2, 0, sizeof(Block));
    if (f->y_near)
        near_squares(work, column, columns);
    else
        all_squares(work->x, work->y + column * f->width, f->width, f->width, columns,
                    work->squares);
    if (f->opposite && K > 0) {
        all_squares(work->x, work->opposite + column * f->width, f->width, f->width, columns,
                    work->cosine2);
        for (int r = 0; r < ROWS; r++)
            for (int64_t c = 0; c < COLUMNS; c++)
                work->cosine2[r][c] *= quarter;
        return;
    }
    for (int r = 0; r < ROWS; r++)
        for (int64_t c = 0; c < COLUMNS; c++) {
            const double length = work->x_weight[r] * weight[c];
            const double cosine2 = 1 - quarter * length * length * work->squares[r][c];
            work->cosine2[r][c] = larger(cosine2, 0);
        }
}

static void find_distances(Work *work, int64_t column) {
    const double *const weight = work->y_weight + column;
    const Real turn = (Real)(2 / work->unit);
    for (int r = 0; r < ROWS; r++) {
        const double *const squares = work->squares[r], *const cosine2 = work->cosine2[r];
        const double half = work->x_weight[r] * work->unit / 2;
        Real *const distances = work->distances[r], h[COLUMNS];
        for (int c = 0; c < COLUMNS; c++) {
            const double length = half * weight[c];
            h[c] = root(squares[c] * length * length);
        }
        if (work->curvature < 0)
            for (int c = 0; c < COLUMNS; c++)
                distances[c] = turn * hyperbolic(h[c]);
        else if (work->curvature > 0)
            for (int c = 0; c < COLUMNS; c++)
                distances[c] = turn * circular(h[c], real_sqrt((Real)cosine2[c]));
        else
            for (int c = 0; c < COLUMNS; c++)
                distances[c] = turn * h[c];
    }
}

/* sqrt(sum of d^2) over the factors */
static void find_total(const Work *work, int64_t factors, RealBlock total) {
    memcpy(total, work->distances, sizeof(RealBlock));
    if (factors == 1)
        return;
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++) {
            double sum = 0;
            for (int64_t f = 0; f < factors; f++)
                sum += (double)work[f].distances[r][c] * work[f].distances[r][c];
            total[r][c] = (Real)sqrt(sum);
        }
}

/* -- from gradients by distances to gradients by rows ------------------------------------------ */

/* W with d(distance)/dp = W (p - p'), times the gradient; 0 where the distance has no derivative */
static void find_pull(const Work *work, int64_t column, const RealBlock g, Block pull) {
    const double *const weight = work->y_weight + column;
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++) {
            const double squared = work->squares[r][c] * work->cosine2[r][c];
            const double length = work->x_weight[r] * weight[c];
            const double slope = length * inverse_root(squared <= 0 ? 1 : squared);
            pull[r][c] = squared <= 0 ? 0 : g[r][c] * slope;
        }
}

static void add_points(Work *work, int64_t column, int64_t columns, const Block pull) {
    const int64_t width = work->factor->width;
    for (int64_t c = 0; c < columns; c += WIDTH) {
        const Lanes *const y = (const Lanes *)(work->y + (column + c) * width);
        Lanes *const by_y = work->by_y + (column + c) / WIDTH * width, force[ROWS];
        for (int r = 0; r < ROWS; r++)
            memcpy(&force[r], &pull[r][c], sizeof(Lanes));
        for (int64_t k = 0; k < width; k++) {
            const double *const x = work->x + k * ROWS;
            Lanes *const by_x = work->by_x + k * ROWS, here = y[k], sum = by_y[k];
            for (int r = 0; r < ROWS; r++) {
                const Lanes apart = x[r] - here;
                by_x[r] += force[r] * apart;
                sum -= force[r] * apart;
            }
            by_y[k] = sum;
        }
    }
}

/* distances grow with ln w as with ln |p - p'|; divided by w at the end */
static void add_weights(Work *work, int64_t column, const Block pull) {
    double *const by_y = work->by_y_weight + column;
    for (int r = 0; r < ROWS; r++) {
        Lanes sum = {0};
        for (int c = 0; c < COLUMNS; c += WIDTH)
            for (int l = 0; l < WIDTH; l++)
                sum[l] += pull[r][c + l] * work->squares[r][c + l];
        work->by_x_weight[r] += across(sum);
        for (int c = 0; c < COLUMNS; c++)
            by_y[c] += pull[r][c] * work->squares[r][c];
    }
}

/* The derivative of 2 asin_K(h) by K at a fixed half chord h, 2 h^3 asinck'(K h^2) and, where that
   is no difference of equals, (h / cos - asin_K(h)) / K; 1 / cos counts as 0 at the antipode. */
HELPER double by_curvature(const Work *work, int64_t column, const RealBlock g, int is_circular) {
    const double *const weight = work->y_weight + column, K = work->curvature;
    const Real far = (Real)(K == 0 ? 0 : 1 / (K * work->unit));
    double squares[COLUMNS], slopes[COLUMNS], bends[COLUMNS];
    Lanes sum = {0};
    for (int r = 0; r < ROWS; r++) {
        for (int c = 0; c < COLUMNS; c++) {
            const double length = work->x_weight[r] * weight[c] / 2;
            squares[c] = length * length * work->squares[r][c];
        }
        for (int c = 0; c < COLUMNS; c += WIDTH)
            store_double(slopes + c, slope_near_0(K * load_double(squares + c, WIDTH)), WIDTH);
        for (int c = 0; c < COLUMNS; c++) {
            const double square = squares[c], cosine2 = work->cosine2[r][c];
            const Real h = (Real)work->unit * root(square), cosine = root(cosine2);
            const Real arc = is_circular ? circular(h, cosine) : hyperbolic(h);
            const Real apart = (cosine > 0 ? h / cosine : 0) - arc;
            const double near = 2 * square * slopes[c] * (h / work->unit);
            bends[c] = g[r][c] * (fabs(K * square) < NEAR ? near : (double)(far * apart));
        }
        for (int c = 0; c < COLUMNS; c += WIDTH)
            sum += load_double(bends + c, WIDTH);
    }
    return across(sum);
}

static void add_gradients(Work *work, int64_t column, int64_t columns, int64_t batch,
                          const RealBlock g) {
    const Factor *const f = work->factor;
    Block pull;
    find_pull(work, column, g, pull);
    if (f->by_x || f->by_y)
        add_points(work, column, columns, pull);
    if (f->by_x_weight || f->by_y_weight)
        add_weights(work, column, pull);
    if (f->by_curvature)
        f->by_curvature[batch] += work->curvature > 0 ? by_curvature(work, column, g, 1)
                                                      : by_curvature(work, column, g, 0);
}

static void give_rows(Work *work, int64_t first, int64_t count) {
    const Factor *const f = work->factor;
    for (int64_t r = 0; r < count; r++) {
        if (f->by_x_weight && work->x_weight[r] != 0)
            f->by_x_weight[first + r] += work->by_x_weight[r] / work->x_weight[r];
        for (int64_t k = 0; f->by_x && k < f->width; k++)
            f->by_x[(first + r) * f->width + k] += across(work->by_x[k * ROWS + r]);
    }
}

static void give_columns(Work *work, int64_t first, int64_t count) {
    const Factor *const f = work->factor;
    if (f->by_y)
        add_turned_back(work->by_y, count, f->width, f->by_y + first * f->width);
    for (int64_t c = 0; f->by_y_weight && c < count; c++)
        if (work->y_weight[c] != 0)
            f->by_y_weight[first + c] += work->by_y_weight[c] / work->y_weight[c];
}

/* -- tiles and chunks -------------------------------------------------------------------------- */

static void block_forward(const Job *job, Work *work, int64_t column, Real *pairs, int64_t rows,
                          int64_t columns) {
    RealBlock total;
    for (int64_t f = 0; f < job->factors; f++) {
        find_squares(work + f, column, columns);
        find_distances(work + f, column);
    }
    find_total(work, job->factors, total);
    for (int64_t r = 0; r < rows; r++)
        memcpy(pairs + r * job->m, total[r], columns * sizeof(Real));
}

static void block_backward(const Job *job, Work *work, int64_t column, const Real *pairs,
                           int64_t rows, int64_t columns, int64_t batch) {
    RealBlock g = {{0}}, total, share;
    for (int64_t r = 0; r < rows; r++)
        memcpy(g[r], pairs + r * job->m, columns * sizeof(Real));
    for (int64_t f = 0; f < job->factors; f++) {
        find_squares(work + f, column, columns);
        if (job->factors > 1)
            find_distances(work + f, column);
    }
    if (job->factors == 1) {
        add_gradients(work, column, columns, batch, g);
        return;
    }
    find_total(work, job->factors, total);
    for (int64_t f = 0; f < job->factors; f++) {
        for (int r = 0; r < ROWS; r++)
            for (int c = 0; c < COLUMNS; c++)
                share[r][c] = total[r][c] > 0
                    ? g[r][c] * (work[f].distances[r][c] / total[r][c])
                    : 0;
        add_gradients(work + f, column, columns, batch, share);
    }
}

/* give each factor its part of the scratch, which starts with `works`; return where it ends */
static char *laid_out(const Job *job, char *scratch, Work *works) {
    const Factor *const factors = (const Factor *)(job + 1);
    taken(&scratch, job->factors * (int64_t)(sizeof(Work) / sizeof(double)));
    for (int64_t k = 0; k < job->factors; k++) {
        const Factor *const f = factors + k;
        Work unused, *const work = works ? works + k : &unused;
        work->factor = f;
        work->x = taken(&scratch, f->width * ROWS);
        work->x_near = taken(&scratch, f->near_width * ROWS);
        work->by_x = (Lanes *)taken(&scratch, f->width * ROWS * WIDTH);
        work->y = taken(&scratch, f->width * job->chunk);
        work->opposite = taken(&scratch, f->opposite ? f->width * job->chunk : 0);
        work->by_y = (Lanes *)taken(&scratch, f->width * job->chunk);
        work->y_near = taken(&scratch, f->near_width * job->chunk);
        work->y_weight = taken(&scratch, job->chunk);
        work->by_y_weight = taken(&scratch, job->chunk);
    }
    return scratch;
}

static void walk(const Job *job, char *scratch, int64_t begin, int64_t end, int is_backward) {
    Work *const work = (Work *)scratch;
    laid_out(job, scratch, work);
    for (int64_t from = begin, to; from < end; from = to) { /* what lies in one batch */
        const int64_t batch = from / job->n, most = (batch + 1) * job->n, m = job->m;
        to = end < most ? end : most;
        for (int64_t start = 0; start < m; start += job->chunk) {
            const int64_t count = m - start < job->chunk ? m - start : job->chunk;
            for (int64_t f = 0; f < job->factors; f++)
                take_columns(job, work + f, batch, start, count);
            for (int64_t row = from; row < to; row += ROWS) {
                const int64_t rows = to - row < ROWS ? to - row : ROWS;
                for (int64_t f = 0; f < job->factors; f++)
                    take_rows(work + f, row, rows);
                for (int64_t c = 0; c < count; c += COLUMNS) {
                    const int64_t columns = count - c < COLUMNS ? count - c : COLUMNS;
                    Real *const pairs = job->pairs + row * m + start + c;
                    if (is_backward)
                        block_backward(job, work, c, pairs, rows, columns, batch);
                    else
                        block_forward(job, work, c, pairs, rows, columns);
                }
                for (int64_t f = 0; is_backward && f < job->factors; f++)
                    give_rows(work + f, row, rows);
            }
            for (int64_t f = 0; is_backward && f < job->factors; f++)
                give_columns(work + f, batch * m + start, count);
        }
    }
}

/* the bytes of scratch that a job needs */
void scratch_of(const int64_t *const table, char *const answer, int64_t begin, int64_t end) {
    (void)begin, (void)end;
    *(int64_t *)answer = laid_out((const Job *)table, NULL, NULL) - (char *)NULL;
}

void distances(const int64_t *const table, char *const scratch, int64_t begin, int64_t end) {
    walk((const Job *)table, scratch, begin, end, 0);
}

void gradients(const int64_t *const table, char *const scratch, int64_t begin, int64_t end) {
    walk((const Job *)table, scratch, begin, end, 1);
}
