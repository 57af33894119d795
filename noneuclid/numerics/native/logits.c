/* Signed distances to hyperplanes and their gradients: see logits.py. Needs prelude.h, arc.h and
   tiles.h. The products are float64 sums: eight classes in eight lanes forward, eight coordinates
   backward. */

enum { TILE = 2 * ROWS };
enum { STEREOGRAPHIC, HYPERBOLOID, DIRECTION }; /* how rows are read, see ambient() */

typedef struct { /* the table Python hands over; gradients that nobody wants are null */
    int64_t width, stride, classes, model;
    const Real *space; /* rows, `stride` numbers apart */
    const double *normal, *shift, *length, *curvature;
    Real *logits, *sines;
    const Real *g;
    Real *by_space;
    double *by_normal, *by_shift, *by_length, *by_curvature;
} Job;

typedef struct {
    int64_t wide, across; /* width and classes, filled up to whole lanes */
    double K, rate;       /* sqrt |K|, 1 where K = 0 */
    double *rows, *normal, *by_normal, *shift, *length, *by_length, *sines, *pull;
    double *by_shift; /* for each class, in lanes over rows */
    Real *lengths; /* |z| / rate of all logits of a tile */
    double scale[TILE], height[TILE], square[TILE];
} Work;

static char *laid_out(const Job *job, char *scratch, Work *work) {
    const int64_t wide = (job->width + 7) & ~(int64_t)7, across = (job->classes + 7) & ~(int64_t)7;
    taken(&scratch, sizeof(Work) / sizeof(double) + 1);
    work->wide = wide;
    work->across = across;
    work->K = job->curvature ? *job->curvature : 0;
    work->rate = work->K == 0 ? 1 : sqrt(fabs(work->K));
    work->rows = taken(&scratch, TILE * wide);
    work->normal = taken(&scratch, across * wide);
    work->by_normal = taken(&scratch, across * wide);
    work->shift = taken(&scratch, across);
    work->length = taken(&scratch, across);
    work->by_length = taken(&scratch, across);
    work->by_shift = taken(&scratch, across * WIDTH);
    work->sines = taken(&scratch, TILE * across);
    work->pull = taken(&scratch, TILE * across);
    work->lengths = (Real *)taken(&scratch, TILE * across);
    return scratch;
}

static void take_planes(const Job *job, Work *work, int is_backward) {
    const int64_t classes = job->classes, width = job->width;
    memset(work->rows, 0, TILE * work->wide * sizeof(double));
    memset(work->normal, 0, work->across * work->wide * sizeof(double));
    memset(work->by_normal, 0, work->across * work->wide * sizeof(double));
    memset(work->square, 0, sizeof work->square); /* rows that a last tile lacks are zero */
    memset(work->by_length, 0, work->across * sizeof(double));
    memset(work->by_shift, 0, work->across * WIDTH * sizeof(double));
    memset(work->shift, 0, work->across * sizeof(double));
    memset(work->pull, 0, TILE * work->across * sizeof(double));
    memset(work->sines, 0, TILE * work->across * sizeof(double));
    memcpy(work->shift, job->shift, classes * sizeof(double));
    memcpy(work->length, job->length, classes * sizeof(double));
    for (int64_t r = 0; r < TILE; r++)
        for (int64_t c = 0; c < classes; c++)
            work->lengths[r * classes + c] = (Real)(job->length[c] / work->rate);
    if (!is_backward)
        turned(job->normal, classes, width, work->normal);
    for (int64_t c = 0; is_backward && c < classes; c++)
        memcpy(work->normal + c * work->wide, job->normal + c * width, width * sizeof(double));
}

/* X = scale * row, T = height, from the square of a row */
static inline void ambient(int64_t model, double K, double square, double *scale, double *height) {
    if (model == STEREOGRAPHIC) {
        *scale = 2 / (1 + K * square);
        *height = *scale - 1;
    } else if (model == HYPERBOLOID) {
        *scale = 1;
        *height = sqrt(1 - K * square);
    } else {
        *scale = square > 0 ? 1 / sqrt(square) : 0;
        *height = 0;
    }
}

/* write numbers in float64; return their squares */
static inline Lanes widened(const Real *from, int64_t left, double *to) {
    const Lanes x = LOAD_REAL(from, left);
    store_double(to, x, WIDTH);
    return x * x;
}

/* the rows in float64 and their ambient coordinates */
static void take_rows(const Job *job, Work *work, int64_t first, int64_t count) {
    for (int64_t r = 0; r < count; r++) {
        const Real *const from = job->space + (first + r) * job->stride;
        double *const row = work->rows + r * work->wide;
        Lanes sum = {0};
        int64_t k = 0;
        for (; k + WIDTH <= job->width; k += WIDTH)
            sum += widened(from + k, WIDTH, row + k);
        if (k < job->width)
            sum += widened(from + k, job->width - k, row + k);
        work->square[r] = across(sum);
    }
    for (int r = 0; r < TILE; r++)
        ambient(job->model, work->K, work->square[r], &work->scale[r], &work->height[r]);
}

/* -- forward ----------------------------------------------------------------------------------- */

static void find_sines(const Work *work, int64_t width) {
    const Lanes *normal = (const Lanes *)work->normal;
    for (int64_t c = 0; c < work->across; c += WIDTH, normal += width) {
        const Lanes shift = load_double(work->shift + c, WIDTH);
        for (int first = 0; first < TILE; first += ROWS) {
            const double *const rows = work->rows + first * work->wide;
            Lanes sums[ROWS] = {{0}};
            for (int64_t k = 0; k < width; k++)
                for (int r = 0; r < ROWS; r++)
                    sums[r] += rows[r * work->wide + k] * normal[k];
            for (int r = 0; r < ROWS; r++) {
                const int row = first + r;
                const Lanes sine = work->scale[row] * sums[r] - work->height[row] * shift;
                memcpy(work->sines + row * work->across + c, &sine, sizeof sine);
            }
        }
    }
}

static void find_logits(const Work *work, int64_t count, const double *sines, Real *logits) {
    const Real *const lengths = work->lengths;
    const double K = work->K, rate = work->rate;
    if (K < 0)
        for (int64_t i = 0; i < count; i++) {
            const Real sine = (Real)(sines[i] * rate), size = hyperbolic((Real)fabs(sine));
            logits[i] = lengths[i] * real_copysign(size, sine);
        }
    else if (K > 0)
        for (int64_t i = 0; i < count; i++) {
            const double sine = sines[i] * rate, cosine2 = larger(1 - sine * sine, 0);
            const Real size = circular((Real)fabs(sine), real_sqrt((Real)cosine2));
            logits[i] = lengths[i] * real_copysign(size, (Real)sine);
        }
    else
        for (int64_t i = 0; i < count; i++)
            logits[i] = lengths[i] * (Real)sines[i];
}

void logits(const int64_t *const table, char *const scratch, int64_t begin, int64_t end) {
    const Job *const job = (const Job *)table;
    Work *const work = (Work *)scratch;
    const int64_t classes = job->classes;
    laid_out(job, scratch, work);
    take_planes(job, work, 0);
    for (int64_t row = begin; row < end; row += TILE) {
        const int64_t rows = end - row < TILE ? end - row : TILE;
        take_rows(job, work, row, rows);
        find_sines(work, job->width);
        double *const packed = work->pull;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < classes; c++)
                packed[r * classes + c] = work->sines[r * work->across + c];
        for (int64_t i = 0; job->sines && i < rows * classes; i++)
            job->sines[row * classes + i] = (Real)packed[i];
        find_logits(work, rows * classes, packed, job->logits + row * classes);
    }
}

/* -- backward ---------------------------------------------------------------------------------- */

/* p = g |z| d(distance)/d(sine), class by class; 0 at the pole of a plane */
static void find_pull(const Job *job, Work *work, int64_t first, int64_t count) {
    const int64_t classes = job->classes;
    const double K = work->K;
    for (int64_t r = 0; r < count; r++)
        for (int64_t c = 0, i = (first + r) * classes; c < classes; c++, i++) {
            work->sines[c * TILE + r] = job->sines[i];
            work->pull[c * TILE + r] = job->g[i] * work->length[c];
            work->by_length[c] += (double)job->g[i] * job->logits[i];
        }
    for (int64_t r = count; r < TILE; r++)
        for (int64_t c = 0; c < classes; c++)
            work->pull[c * TILE + r] = 0;
    for (int64_t i = 0; i < TILE * classes; i++) {
        const double cosine2 = 1 - K * work->sines[i] * work->sines[i];
        const Real slope = 1 / real_sqrt((Real)(cosine2 <= 0 ? 1 : cosine2));
        work->pull[i] = cosine2 <= 0 ? 0 : work->pull[i] * slope;
    }
}

/* the derivative of the arcs by K at fixed sines */
static double arcs_by_curvature(const Job *job, const Work *work, int64_t first, int64_t count) {
    const double K = work->K;
    double sum = 0;
    for (int64_t c = 0; c < job->classes; c++)
        for (int64_t r = 0; r < count; r++) {
            const double sine = work->sines[c * TILE + r], z = K * sine * sine;
            const double back = job->g[(first + r) * job->classes + c] * work->length[c];
            sum += back * sine * sine * sine * asinck_slope(z, 1 - z);
        }
    return sum;
}

/* Turn the pull on sines into that on products, and write the pull on the square of a row through X
   and T, times -2 / K, as `radial`: nothing in it cancels beyond the size of the sine. */
static void add_scalars(const Job *job, Work *work, double radial[TILE]) {
    double drag[TILE] = {0}, along[TILE] = {0};
    Lanes *const by_shift = (Lanes *)work->by_shift;
    for (int64_t c = 0; c < job->classes; c++) {
        double *const pull = work->pull + c * TILE;
        const double *const sines = work->sines + c * TILE, shift = work->shift[c];
        for (int r = 0; r < TILE; r++) {
            drag[r] += pull[r] * shift;
            along[r] += pull[r] * sines[r];
        }
        for (int r = 0; r < TILE; r += WIDTH)
            by_shift[c] -= load_double(pull + r, WIDTH) * load_double(work->height + r, WIDTH);
        for (int r = 0; r < TILE; r++)
            pull[r] *= work->scale[r];
    }
    for (int r = 0; r < TILE; r++)
        switch (job->model) {
        case STEREOGRAPHIC:
            radial[r] = work->scale[r] * (along[r] - drag[r]);
            break;
        case HYPERBOLOID:
            radial[r] = -drag[r] / work->height[r];
            break;
        default:
            radial[r] = work->square[r] > 0 ? along[r] / (work->K * work->square[r]) : 0;
        }
}

static void add_normals(const Job *job, Work *work) {
    for (int64_t k = 0; k < work->wide; k += WIDTH) {
        Lanes rows[TILE];
        for (int r = 0; r < TILE; r++)
            rows[r] = load_double(work->rows + r * work->wide + k, WIDTH);
        for (int64_t c = 0; c < job->classes; c++) {
            const double *const pull = work->pull + c * TILE;
            Lanes *const place = (Lanes *)(work->by_normal + c * work->wide + k);
            Lanes even = pull[0] * rows[0], odd = pull[1] * rows[1];
            for (int r = 2; r < TILE; r += 2) {
                even += pull[r] * rows[r];
                odd += pull[r + 1] * rows[r + 1];
            }
            *place += even + odd;
        }
    }
}

/* eight coordinates of eight rows of the gradient by space */
static inline void give_block(const Job *job, const Work *work, int64_t first, int64_t count,
                              int64_t k, int64_t left, const double *radial, int tile) {
    Lanes sums[ROWS];
    for (int r = 0; r < ROWS; r++) {
        const double *const row = work->rows + (tile + r) * work->wide + k;
        sums[r] = load_double(row, WIDTH) * (-work->K * radial[tile + r]);
    }
    for (int64_t c = 0; c < job->classes; c++) {
        const Lanes normal = load_double(work->normal + c * work->wide + k, WIDTH);
        for (int r = 0; r < ROWS; r++)
            sums[r] += work->pull[c * TILE + tile + r] * normal;
    }
    Real *to = job->by_space + (first + tile) * job->width + k;
    for (int r = 0; r < ROWS && tile + r < count; r++, to += job->width)
        STORE_REAL(to, sums[r], left);
}

static void give_rows(const Job *job, const Work *work, int64_t first, int64_t count,
                      const double radial[TILE]) {
    for (int tile = 0; tile < count; tile += ROWS) {
        int64_t k = 0;
        for (; k + WIDTH <= job->width; k += WIDTH)
            give_block(job, work, first, count, k, WIDTH, radial, tile);
        if (k < job->width)
            give_block(job, work, first, count, k, job->width - k, radial, tile);
    }
}

static void give_planes(const Job *job, const Work *work, double by_curvature) {
    for (int64_t c = 0; c < job->classes; c++) {
        job->by_shift[c] = across(((Lanes *)work->by_shift)[c]);
        job->by_length[c] = work->by_length[c];
        memcpy(job->by_normal + c * job->width, work->by_normal + c * work->wide,
               job->width * sizeof(double));
    }
    if (job->by_curvature)
        *job->by_curvature = by_curvature;
}

void gradients(const int64_t *const table, char *const scratch, int64_t begin, int64_t end) {
    const Job *const job = (const Job *)table;
    Work *const work = (Work *)scratch;
    double by_curvature = 0, radial[TILE];
    laid_out(job, scratch, work);
    take_planes(job, work, 1);
    for (int64_t row = begin; row < end; row += TILE) {
        const int64_t rows = end - row < TILE ? end - row : TILE;
        take_rows(job, work, row, rows);
        find_pull(job, work, row, rows);
        if (job->by_curvature)
            by_curvature += arcs_by_curvature(job, work, row, rows);
        add_scalars(job, work, radial);
        for (int64_t r = 0; job->model != DIRECTION && r < rows; r++)
            by_curvature -= work->square[r] * radial[r] / 2;
        add_normals(job, work);
        if (job->by_space)
            give_rows(job, work, row, rows, radial);
    }
    give_planes(job, work, by_curvature);
}

/* the bytes of scratch that a job needs */
void scratch_of(const int64_t *const table, char *const answer, int64_t begin, int64_t end) {
    (void)begin, (void)end;
    Work unused;
    *(int64_t *)answer = laid_out((const Job *)table, NULL, &unused) - (char *)NULL;
}
