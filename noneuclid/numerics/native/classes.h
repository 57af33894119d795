/* Rows against classes: what logits of planes and of horospheres share. Needs prelude.h, arc.h,
   tiles.h and ambient.h. A class has a normal, a shift and a length; a point (T, X) has the sine
   s = X.normal - shift T for it, and the logit length arc(s). The products are float64 sums: eight
   classes in eight lanes forward, eight coordinates backward. */

enum { TILE = 2 * ROWS };

typedef struct { /* the table Python hands over; gradients that nobody wants are null */
    Reading reading;
    int64_t classes;
    const double *normal, *shift, *length;
    Real *logits, *sines;
    const Real *g;
    Real *by_space;
    double *by_normal, *by_shift, *by_length, *by_curvature;
} Job;

typedef struct {
    Ambient at;
    int64_t wide, across; /* width and classes, filled up to whole lanes */
    double K, rate;       /* sqrt |K|, 1 where K = 0 */
    double *rows, *normal, *by_normal, *shift, *length, *by_length, *sines, *pull;
    double *back, *flat, *arcs, *repeated; /* see find_pull; lengths of all logits of a tile */
    double *by_shift; /* for each class, in lanes over rows */
    Real *lengths; /* the same over rate */
    double *rise; /* T - 1, for horospheres */
} Work;

/* what a kind of surface defines */
static const double *lifts(const Job *job, const Work *work);
static void give_logits(const Job *job, Work *work, int64_t first, int64_t rows, double *sines);
static void find_pull(const Job *job, Work *work, int64_t first, int64_t count);
static double arcs_by_curvature(Work *work, const Real *sines, int64_t count);

static char *laid_out(const Job *job, char *scratch, Work *work) {
    const int64_t wide = whole_lanes(job->reading.width), across = whole_lanes(job->classes);
    double **const at[] = {&work->at.square, &work->at.gap, &work->at.moved, &work->at.scale,
                           &work->at.height};
    taken(&scratch, sizeof(Work) / sizeof(double) + 1);
    work->wide = wide;
    work->across = across;
    work->K = *job->reading.curvature;
    work->rate = work->K == 0 ? 1 : sqrt(fabs(work->K));
    for (size_t k = 0; k < sizeof at / sizeof *at; k++)
        *at[k] = taken(&scratch, TILE);
    work->rows = taken(&scratch, TILE * wide);
    work->normal = taken(&scratch, across * wide);
    work->by_normal = taken(&scratch, across * wide);
    work->shift = taken(&scratch, across);
    work->length = taken(&scratch, across);
    work->by_length = taken(&scratch, across);
    work->by_shift = taken(&scratch, across * WIDTH);
    work->sines = taken(&scratch, TILE * across);
    work->pull = taken(&scratch, TILE * across);
    work->back = taken(&scratch, TILE * across);
    work->arcs = taken(&scratch, TILE * across);
    work->flat = taken(&scratch, TILE * across);
    work->repeated = taken(&scratch, TILE * across);
    work->lengths = (Real *)taken(&scratch, TILE * across);
    work->rise = taken(&scratch, TILE);
    return scratch;
}

static void take_classes(const Job *job, Work *work, int is_backward) {
    const int64_t classes = job->classes, width = job->reading.width;
    memset(work->rows, 0, TILE * work->wide * sizeof(double));
    memset(work->normal, 0, work->across * work->wide * sizeof(double));
    memset(work->by_normal, 0, work->across * work->wide * sizeof(double));
    memset(work->by_length, 0, work->across * sizeof(double));
    memset(work->by_shift, 0, work->across * WIDTH * sizeof(double));
    memset(work->shift, 0, work->across * sizeof(double));
    memset(work->pull, 0, TILE * work->across * sizeof(double));
    memset(work->sines, 0, TILE * work->across * sizeof(double));
    memcpy(work->shift, job->shift, classes * sizeof(double));
    memcpy(work->length, job->length, classes * sizeof(double));
    for (int64_t r = 0; r < TILE; r++)
        for (int64_t c = 0; c < classes; c++) {
            work->repeated[r * classes + c] = job->length[c];
            work->lengths[r * classes + c] = (Real)(job->length[c] / work->rate);
        }
    if (!is_backward)
        turned(job->normal, classes, width, work->normal);
    for (int64_t c = 0; is_backward && c < classes; c++)
        memcpy(work->normal + c * work->wide, job->normal + c * width, width * sizeof(double));
}

static void take_rows(const Job *job, Work *work, int64_t first, int64_t count) {
    const Reading *const reading = &job->reading;
    const Real *const from = reading->rows + first * reading->stride;
    read_rows(reading, from, count, work->wide, work->rows, &work->at);
    for (int64_t r = whole_lanes(count); r < TILE; r++) /* rows that a last tile lacks */
        work->at.square[r] = work->at.scale[r] = 0, work->at.height[r] = 1;
}

/* -- forward ----------------------------------------------------------------------------------- */

/* s = X.normal - shift T, T as `lifts` has it */
static void find_sines(const Job *job, const Work *work) {
    const int64_t width = job->reading.width;
    const double *const lift = lifts(job, work);
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
                const Lanes sine = work->at.scale[row] * sums[r] - lift[row] * shift;
                memcpy(work->sines + row * work->across + c, &sine, sizeof sine);
            }
        }
    }
}

void logits(const int64_t *const table, char *const scratch, int64_t begin, int64_t end) {
    const Job *const job = (const Job *)table;
    Work *const work = (Work *)scratch;
    const int64_t classes = job->classes;
    laid_out(job, scratch, work);
    take_classes(job, work, 0);
    for (int64_t row = begin; row < end; row += TILE) {
        const int64_t rows = end - row < TILE ? end - row : TILE;
        take_rows(job, work, row, rows);
        find_sines(job, work);
        double *const packed = work->pull;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < classes; c++)
                packed[r * classes + c] = work->sines[r * work->across + c];
        give_logits(job, work, row, rows, packed);
    }
}

/* -- backward ---------------------------------------------------------------------------------- */

/* sines and the pull on them once more, class by class, and the pull on lengths */
static void turn_classes(Work *work, int64_t classes, int64_t count, const Real *sines) {
    for (int64_t r = 0, i = 0; r < count; r++)
        for (int64_t c = 0; c < classes; c++, i++) {
            work->sines[c * TILE + r] = sines[i];
            work->pull[c * TILE + r] = work->flat[i];
            work->by_length[c] += work->arcs[i];
        }
    for (int64_t r = count; r < TILE; r++)
        for (int64_t c = 0; c < classes; c++)
            work->pull[c * TILE + r] = 0;
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
            by_shift[c] -= load_double(pull + r, WIDTH) * load_double(work->at.height + r, WIDTH);
        for (int r = 0; r < TILE; r++)
            pull[r] *= work->at.scale[r];
    }
    for (int r = 0; r < TILE; r++)
        switch (job->reading.model) {
        case STEREOGRAPHIC:
            radial[r] = work->at.scale[r] * (along[r] - drag[r]);
            break;
        case HYPERBOLOID:
            radial[r] = -drag[r] / work->at.height[r];
            break;
        default:
            radial[r] = work->at.square[r] > 0 ? along[r] / (work->K * work->at.square[r]) : 0;
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
    Real *to = job->by_space + (first + tile) * job->reading.width + k;
    for (int r = 0; r < ROWS && tile + r < count; r++, to += job->reading.width)
        STORE_REAL(to, sums[r], left);
}

static void give_rows(const Job *job, const Work *work, int64_t first, int64_t count,
                      const double radial[TILE]) {
    for (int tile = 0; tile < count; tile += ROWS) {
        int64_t k = 0;
        for (; k + WIDTH <= job->reading.width; k += WIDTH)
            give_block(job, work, first, count, k, WIDTH, radial, tile);
        if (k < job->reading.width)
            give_block(job, work, first, count, k, job->reading.width - k, radial, tile);
    }
}

static void give_classes(const Job *job, const Work *work, double by_curvature) {
    for (int64_t c = 0; c < job->classes; c++) {
        job->by_shift[c] = across(((Lanes *)work->by_shift)[c]);
        job->by_length[c] = work->by_length[c];
        memcpy(job->by_normal + c * job->reading.width, work->by_normal + c * work->wide,
               job->reading.width * sizeof(double));
    }
    if (job->by_curvature)
        *job->by_curvature = by_curvature;
}

void gradients(const int64_t *const table, char *const scratch, int64_t begin, int64_t end) {
    const Job *const job = (const Job *)table;
    Work *const work = (Work *)scratch;
    const int64_t width = job->reading.width;
    double by_curvature = 0, radial[TILE];
    laid_out(job, scratch, work);
    take_classes(job, work, 1);
    for (int64_t row = begin; row < end; row += TILE) {
        const int64_t rows = end - row < TILE ? end - row : TILE;
        take_rows(job, work, row, rows);
        find_pull(job, work, row, rows);
        if (job->by_curvature)
            by_curvature +=
                arcs_by_curvature(work, job->sines + row * job->classes, rows * job->classes);
        add_scalars(job, work, radial);
        for (int64_t r = 0; job->reading.model != DIRECTION && r < rows; r++)
            by_curvature -= work->at.square[r] * radial[r] / 2;
        add_normals(job, work);
        if (!job->by_space)
            continue;
        give_rows(job, work, row, rows, radial);
        for (int64_t r = 0; job->reading.moves && r < rows; r++)
            if (work->at.moved[r] != 1)
                by_curvature += move_back(work->K, work->at.moved[r], work->rows + r * work->wide,
                                          work->at.square[r], width,
                                          job->by_space + (row + r) * width);
    }
    give_classes(job, work, by_curvature);
}

/* the bytes of scratch that a job needs */
void scratch_of(const int64_t *const table, char *const answer, int64_t begin, int64_t end) {
    (void)begin, (void)end;
    Work unused;
    *(int64_t *)answer = laid_out((const Job *)table, NULL, &unused) - (char *)NULL;
}
