/* Weighted sums of points in ambient coordinates, their length and their gradients: see
   ambient_sums.py. Needs prelude.h, arc.h, tiles.h and ambient.h.

   A group of points is read once, in panels; a second time, for its length, only where it is more
   than one panel and far from the origin. Letters: S = sum w scale row, T = sum w height; e = S/|S|
   and s = r scale row, with r = sqrt(-K).

   What lies across e, the s - (s.e) e, cancels in the sum. Of a point that outweighs all others
   together, of which rounding e leaves more than they have, it is what they leave. */

enum { PANEL = 32 };

typedef struct { /* the table Python hands over; gradients that nobody wants are null */
    Reading reading;
    int64_t points, group_stride, weight_stride, weight_group_stride; /* points of a group */
    const double *weights;
    double *totals, *heights, *squares; /* S, T and T^2 + K|S|^2 of each group */
    const double *by_totals, *by_heights, *by_squares;
    Real *by_rows;
    double *by_weights, *by_curvature;
} Job;

typedef struct { /* one panel of a group */
    Ambient at;
    int64_t wide, is_far, outweighs;           /* the point that does so, -1 if none of the panel */
    double K, rate;                            /* r; 0 where K >= 0 */
    double half;                               /* T / 2 */
    double outweighing, opposite;              /* w of that point and height + s.e, 0 if none */
    double *rows, *total, *outward, *pull;     /* points; S, e and the gradient by S */
    double *aside, *shared; /* sum w (s - (s.e) e), 0 but for rounding; pull, less what that takes */
    double *beside;         /* s - (s.e) e of the point that outweighs the others */
    double *weight, *along, *shortfall, *inner; /* w, s.e, height - s.e, row . pull */
    double *out, *aside2;                       /* row.e and |s - (s.e) e|^2 */
    double *on_apart, *on_row, *on_outward;    /* see give_points */
} Work;

static char *laid_out(const Job *job, char *scratch, Work *work) {
    double **const numbers[] = {
        &work->at.square, &work->at.gap,   &work->at.moved, &work->at.scale,    &work->at.height,
        &work->weight,    &work->along,    &work->shortfall, &work->inner,      &work->on_apart,
        &work->on_row,    &work->on_outward, &work->out,   &work->aside2,
    };
    double **const lines[] = {&work->total, &work->outward, &work->pull, &work->aside,
                              &work->shared, &work->beside};
    taken(&scratch, sizeof(Work) / sizeof(double) + 1);
    work->wide = whole_lanes(job->reading.width);
    work->K = job->reading.curvature ? *job->reading.curvature : 0;
    work->rate = work->K < 0 ? sqrt(-work->K) : 0;
    work->rows = taken(&scratch, PANEL * work->wide);
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        *numbers[k] = taken(&scratch, PANEL);
    for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
        *lines[k] = taken(&scratch, work->wide);
    return scratch;
}

static void take_points(const Job *job, Work *work, int64_t group, int64_t first, int64_t count) {
    const Reading *const reading = &job->reading;
    const Real *const from = reading->rows + group * job->group_stride + first * reading->stride;
    const double *const weights =
        job->weights + group * job->weight_group_stride + first * job->weight_stride;
    read_rows(reading, from, count, work->wide, work->rows, &work->at);
    for (int64_t r = 0; r < count; r++)
        work->weight[r] = weights[r * job->weight_stride];
    for (int64_t r = count; r < whole_lanes(count); r++)
        work->weight[r] = 0;
}

/* -- sums -------------------------------------------------------------------------------------- */

/* add to S; return what is to be added to T */
static double add_points(Work *work, int64_t count) {
    double height = 0;
    for (int64_t r = 0; r < count; r++) {
        work->inner[r] = work->weight[r] * work->at.scale[r];
        height += work->weight[r] * work->at.height[r];
    }
    for (int64_t k = 0; k < work->wide; k += WIDTH) {
        const double *row = work->rows + k;
        Lanes sum = load_double(work->total + k, WIDTH);
        for (int64_t r = 0; r < count; r++, row += work->wide)
            sum += work->inner[r] * load_double(row, WIDTH);
        store_double(work->total + k, sum, WIDTH);
    }
    return height;
}

static void find_outward(Work *work, double size, double height) {
    memset(work->aside, 0, work->wide * sizeof(double));
    work->half = height / 2;
    work->outweighing = 0;
    for (int64_t k = 0; k < work->wide; k++) /* on a line 1, which an inverse would not give */
        work->outward[k] = size > 0 ? work->total[k] / size : 0;
}

/* height - s.e of each point, as (1 + |s - (s.e) e|^2) / (height + s.e) where s.e > 0; that of a point
   that outweighs the others waits for what they leave: see settle */
static void find_shortfalls(Work *work, int64_t count) {
    const double *row = work->rows;
    work->outweighs = -1;
    for (int64_t r = 0; r < count; r++, row += work->wide) {
        const double stretch = work->rate * work->at.scale[r];
        const double out = product(row, work->outward, work->wide);
        const int outweighs = work->weight[r] * work->at.height[r] > work->half;
        const double weight = outweighs ? 0 : work->weight[r] * stretch;
        Lanes square = {0};
        for (int64_t k = 0; k < work->wide; k += WIDTH) { /* 0 on a line: nothing is rounded */
            const Lanes e = load_double(work->outward + k, WIDTH);
            const Lanes apart = load_double(row + k, WIDTH) - out * e;
            const Lanes sum = load_double(work->aside + k, WIDTH) + weight * apart;
            store_double(work->aside + k, sum, WIDTH);
            square += apart * apart;
        }
        work->out[r] = out;
        work->along[r] = stretch * out;
        work->aside2[r] = stretch * stretch * across(square);
        if (outweighs) {
            work->outweighs = r;
            work->outweighing = work->weight[r];
            work->opposite = work->at.height[r] + work->along[r];
        }
    }
    for (int64_t r = 0; r < count; r++) {
        const double height = work->at.height[r], along = work->along[r];
        const double sum = along > 0 ? height + along : 1;
        work->shortfall[r] = along > 0 ? (1 + work->aside2[r]) / sum : height - along;
    }
}

/* |s - (s.e) e|^2 of the point that outweighs the others, once all of them are in `aside` */
static double beside2(const Work *work) {
    return product(work->aside, work->aside, work->wide) / (work->outweighing * work->outweighing);
}

static void sum_group(const Job *job, Work *work, int64_t group) {
    const int64_t points = job->points;
    double height = 0, shortfall = 0;
    memset(work->total, 0, work->wide * sizeof(double));
    for (int64_t first = 0, count; first < points; first += count) {
        count = points - first < PANEL ? points - first : PANEL;
        take_points(job, work, group, first, count);
        height += add_points(work, count);
    }
    const double square = product(work->total, work->total, work->wide), size = sqrt(square);
    memcpy(job->totals + group * job->reading.width, work->total,
           job->reading.width * sizeof(double));
    job->heights[group] = height;
    job->squares[group] = height * height + work->K * square;
    if (!(-2 * work->K * square >= height * height && work->K < 0))
        return;
    find_outward(work, size, height);
    for (int64_t first = 0, count; first < points; first += count) {
        count = points - first < PANEL ? points - first : PANEL;
        if (points > PANEL)
            take_points(job, work, group, first, count);
        find_shortfalls(work, count);
        for (int64_t r = 0; r < count; r++)
            shortfall += r == work->outweighs ? 0 : work->weight[r] * work->shortfall[r];
    }
    if (work->outweighing > 0)
        shortfall += work->outweighing * (1 + beside2(work)) / work->opposite;
    job->squares[group] = shortfall * (height + work->rate * size);
}

void sums(const int64_t *const table, char *const scratch, int64_t begin, int64_t end) {
    const Job *const job = (const Job *)table;
    Work *const work = (Work *)scratch;
    laid_out(job, scratch, work);
    for (int64_t group = begin; group < end; group++)
        sum_group(job, work, group);
}

/* -- gradients --------------------------------------------------------------------------------- */

typedef struct { /* the gradient by T, by the shortfall and by K, of one group */
    double height, shortfall, curvature;
    double rest; /* the part of the first that comes through the square */
} Back;

/* Pass the gradient by the square on to S, T and, where it was formed as q (T + r|S|), to the
   shortfall q = sum w (height - s.e). */
static Back take_group(const Job *job, Work *work, int64_t group) {
    const int64_t width = job->reading.width;
    const double height = job->heights[group], by_square = job->by_squares[group];
    memcpy(work->total, job->totals + group * width, width * sizeof(double));
    memcpy(work->pull, job->by_totals + group * width, width * sizeof(double));
    const double square = product(work->total, work->total, work->wide), size = sqrt(square);
    work->is_far = -2 * work->K * square >= height * height && work->K < 0;
    Back back = {job->by_heights[group], 0, 0, 0};
    double along = 2 * work->K * by_square;
    if (work->is_far) {
        const double sum = height + work->rate * size;
        const double rest = by_square * (sum > 0 ? job->squares[group] / sum : 0);
        back.height += back.rest = rest;
        back.shortfall = by_square * sum;
        if (job->reading.model == STEREOGRAPHIC)
            back.curvature = -rest * size / (2 * work->rate);
        along = size > 0 ? rest * work->rate / size : 0;
        find_outward(work, size, height);
    } else {
        back.height += 2 * height * by_square;
        back.curvature = square * by_square;
    }
    for (int64_t k = 0; k < work->wide; k++)
        work->pull[k] += along * work->total[k];
    return back;
}

/* The gradient by K at a fixed row of the hyperboloid, of a far group and of no weight. That of
   height/r is K^-2 / (2 height/r), the shortfall is r (height/r - X.e): nothing cancels. */
static double bend_time(const Work *work, int64_t r, Back back) {
    const double height = work->at.height[r], along = work->along[r];
    const double shortfall = work->shortfall[r];
    const double sum = along > 0 ? height + along : 1;
    const double step = along > 0 ? -(2 * height * (work->aside2[r] / sum) + shortfall / sum)
                                  : 1 - 2 * height * shortfall;
    const double by_height = (back.height - back.rest) * work->at.square[r];
    return (-(back.rest + back.shortfall * step) / work->K - by_height) / (2 * height);
}

/* The coefficients of the gradient by each row, w (scale shared + on_apart (s - (s.e) e) + on_row row
   + on_outward e), and the gradient by K at fixed rows, for points whose s.e and shortfall are
   known (0 where the group is near): in forms in which s/height - e, say, does not cancel. */
static double find_coefficients(const Job *job, Work *work, int64_t count, Back back) {
    const double K = work->K, rate = work->rate, far = back.shortfall * rate;
    const double bend = work->is_far ? back.shortfall / (2 * rate * rate) : 0;
    const int64_t model = job->reading.model;
    double by_curvature = 0;
    for (int64_t r = 0; r < count; r++) {
        const double scale = work->at.scale[r], height = work->at.height[r];
        const double shortfall = work->shortfall[r], inner = work->inner[r];
        double on_row, on_apart = far, on_outward = -far, by_K = bend * (1 - height * shortfall);
        if (model == STEREOGRAPHIC) {
            const double both = -scale * scale * (inner + back.height);
            on_row = both * K;
            on_apart *= shortfall + 1;
            on_outward *= 1 + shortfall * (1 + shortfall - height);
            by_K += both * work->at.square[r] / 2;
        } else if (model == HYPERBOLOID) {
            on_row = -back.height * K / height;
            on_apart /= height;
            on_outward *= shortfall / height;
            by_K = work->is_far ? bend_time(work, r, back)
                                : -back.height * work->at.square[r] / (2 * height);
        } else {
            on_row = -scale * scale * scale * inner;
        }
        work->on_row[r] = work->weight[r] * on_row;
        work->on_apart[r] = work->weight[r] * on_apart;
        work->on_outward[r] = work->weight[r] * on_outward;
        by_curvature += work->weight[r] * by_K;
    }
    return by_curvature;
}

static inline void give_lanes(const Work *work, int64_t r, int64_t k, int64_t left, Real *to) {
    const Lanes row = load_double(work->rows + r * work->wide + k, WIDTH);
    Lanes sum = work->weight[r] * work->at.scale[r] * load_double(work->shared + k, WIDTH);
    if (work->is_far) {
        const Lanes e = load_double(work->outward + k, WIDTH);
        const Lanes apart = r == work->outweighs
            ? load_double(work->beside + k, WIDTH)
            : work->rate * work->at.scale[r] * (row - work->out[r] * e);
        sum += work->on_apart[r] * apart + work->on_outward[r] * e;
    }
    STORE_REAL(to + k, sum + work->on_row[r] * row, left);
}

static void give_points(const Work *work, int64_t count, int64_t width, Real *to) {
    for (int64_t r = 0; r < count; r++, to += width) {
        int64_t k = 0;
        for (; k + WIDTH <= width; k += WIDTH)
            give_lanes(work, r, k, WIDTH, to);
        if (k < width)
            give_lanes(work, r, k, width - k, to);
    }
}

/* What all points of a far group share: the gradient by S, and that by e, which is what rounding
   left of sum w (s - (s.e) e). It takes out again what rounding e does to each point. */
static void find_shared(const Job *job, Work *work, int64_t group, Back back) {
    for (int64_t first = 0, count; first < job->points; first += count) {
        count = job->points - first < PANEL ? job->points - first : PANEL;
        take_points(job, work, group, first, count);
        find_shortfalls(work, count);
    }
    for (int64_t k = 0; work->outweighing > 0 && k < work->wide; k++)
        work->beside[k] = -work->aside[k] / work->outweighing;
    if (work->outweighing > 0)
        memset(work->aside, 0, work->wide * sizeof(double));
    const double square = product(work->total, work->total, work->wide);
    const double turn = square > 0 ? back.shortfall / sqrt(square) : 0;
    for (int64_t k = 0; k < work->wide; k++)
        work->shared[k] = work->pull[k] - turn * work->aside[k];
}

/* finish the panel's point that outweighs the others, if it has one */
static void settle(Work *work) {
    const int64_t r = work->outweighs;
    if (r < 0)
        return;
    work->aside2[r] = product(work->beside, work->beside, work->wide);
    work->shortfall[r] = (1 + work->aside2[r]) / work->opposite;
}

static double give_panel(const Job *job, Work *work, int64_t first, int64_t count, Back back) {
    const int64_t width = job->reading.width;
    for (int64_t r = 0; r < count; r++)
        work->inner[r] = product(work->rows + r * work->wide, work->pull, work->wide);
    double by_curvature = find_coefficients(job, work, count, back);
    if (job->by_weights)
        for (int64_t r = 0; r < count; r++)
            job->by_weights[first + r] = work->at.scale[r] * work->inner[r] +
                back.height * work->at.height[r] + back.shortfall * work->shortfall[r];
    if (!job->by_rows)
        return by_curvature;
    Real *const to = job->by_rows + first * width;
    give_points(work, count, width, to);
    for (int64_t r = 0; r < count; r++)
        if (work->at.moved[r] != 1)
            by_curvature += move_back(work->K, work->at.moved[r], work->rows + r * work->wide,
                                      work->at.square[r], width, to + r * width);
    return by_curvature;
}

void gradients(const int64_t *const table, char *const scratch, int64_t begin, int64_t end) {
    const Job *const job = (const Job *)table;
    Work *const work = (Work *)scratch;
    double by_curvature = 0;
    laid_out(job, scratch, work);
    memset(work->total, 0, work->wide * sizeof(double));
    memset(work->pull, 0, work->wide * sizeof(double));
    for (int64_t group = begin; group < end; group++) {
        const Back back = take_group(job, work, group);
        by_curvature += back.curvature;
        if (work->is_far)
            find_shared(job, work, group, back);
        else {
            memset(work->shortfall, 0, PANEL * sizeof(double));
            memcpy(work->shared, work->pull, work->wide * sizeof(double));
        }
        for (int64_t first = 0, count; first < job->points; first += count) {
            count = job->points - first < PANEL ? job->points - first : PANEL;
            if (!work->is_far || job->points > PANEL)
                take_points(job, work, group, first, count);
            if (work->is_far && job->points > PANEL)
                find_shortfalls(work, count);
            if (work->is_far)
                settle(work);
            by_curvature += give_panel(job, work, group * job->points + first, count, back);
        }
    }
    if (job->by_curvature)
        *job->by_curvature = by_curvature;
}

/* the bytes of scratch that a job needs */
void scratch_of(const int64_t *const table, char *const answer, int64_t begin, int64_t end) {
    (void)begin, (void)end;
    Work unused;
    *(int64_t *)answer = laid_out((const Job *)table, NULL, &unused) - (char *)NULL;
}
