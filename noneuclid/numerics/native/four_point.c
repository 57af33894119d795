/* The four points that are furthest from a tree, for many small sets of points: see four_point.py.
   Needs prelude.h, arc.h and tiles.h. Sets are copied without what is masked, and their rows filled
   up with copies of their first point, which changes no maximum: there are no rests of lanes. */

enum { MANY = 16 };

typedef struct { /* the table Python hands over */
    int64_t points, base;
    const Real *distances;
    const uint8_t *mask;
    int64_t *witness;
} Job;

typedef struct {
    int64_t count, wide; /* points that are there; whole lanes */
    int64_t *index;
    Real *distance, *product, *best;
} Set;

static char *laid_out(const Job *job, char *scratch, Set *set) {
    const int64_t wide = (job->points + MANY - 1) / MANY * MANY;
    set->wide = wide;
    set->index = (int64_t *)taken(&scratch, wide);
    set->distance = (Real *)taken(&scratch, wide * wide);
    set->product = (Real *)taken(&scratch, wide * wide);
    set->best = (Real *)taken(&scratch, wide);
    return scratch;
}

static void take_set(const Job *job, Set *set, int64_t which) {
    const int64_t points = job->points, wide = set->wide;
    const Real *from = job->distances + which * points * points;
    const uint8_t *mask = job->mask ? job->mask + which * points : NULL;
    set->count = 0;
    for (int64_t i = 0; i < points; i++)
        if (!mask || mask[i])
            set->index[set->count++] = i;
    for (int64_t i = set->count; i < wide; i++)
        set->index[i] = set->count ? set->index[0] : 0;
    for (int64_t i = 0; i < set->count; i++)
        for (int64_t j = 0; j < wide; j++)
            set->distance[i * wide + j] = from[set->index[i] * points + set->index[j]];
}

static void give(const Job *job, const Set *set, int64_t which, const int64_t *found) {
    for (int64_t i = 0; i < 4; i++)
        job->witness[4 * which + i] = set->index[found[i]];
}

HELPER Real maximum(Real a, Real b) { return a > b ? a : b; }
HELPER Real minimum(Real a, Real b) { return a < b ? a : b; }

/* -- one base ---------------------------------------------------------------------------------- */

/* best[y] = max_z min(G[x, z], G[z, y]) for the lanes from y on */
static void max_min_row(const Set *set, int64_t x, int64_t first) {
    const int64_t wide = set->wide;
    const Real *row = set->product + x * wide;
    for (int64_t y = first; y < wide; y += MANY) {
        Real best[MANY];
        for (int64_t k = 0; k < MANY; k++)
            best[k] = minimum(row[0], set->product[y + k]);
        for (int64_t z = 1; z < set->count; z++)
            for (int64_t k = 0; k < MANY; k++)
                best[k] = maximum(best[k], minimum(row[z], set->product[z * wide + y + k]));
        memcpy(set->best + y, best, sizeof best);
    }
}

static void from_one_base(const Set *set, int64_t base, int64_t *found) {
    const int64_t wide = set->wide;
    const Real *D = set->distance;
    Real *G = set->product, largest = 0; /* twice the Gromov products */
    found[0] = found[1] = found[2] = found[3] = 0;
    for (int64_t x = 0; x < set->count; x++)
        for (int64_t y = 0; y < wide; y++)
            G[x * wide + y] = D[x * wide + base] + D[base * wide + y] - D[x * wide + y];
    for (int64_t x = 0; x < set->count; x++) {
        max_min_row(set, x, x / MANY * MANY);
        for (int64_t y = x; y < set->count; y++)
            if (set->best[y] - G[x * wide + y] > largest) {
                largest = set->best[y] - G[x * wide + y];
                found[0] = x, found[1] = y;
            }
    }
    for (int64_t z = 0; z < set->count; z++)
        if (minimum(G[found[0] * wide + z], G[z * wide + found[1]]) >
            minimum(G[found[0] * wide + found[2]], G[found[2] * wide + found[1]]))
            found[2] = z;
    found[3] = base;
}

void from_base(const int64_t *const table, char *const scratch, int64_t begin, int64_t end) {
    const Job *const job = (const Job *)table;
    Set set;
    int64_t found[4];
    laid_out(job, scratch, &set);
    for (int64_t which = begin; which < end; which++) {
        int64_t base = 0; /* the first point there is, where the base is not */
        take_set(job, &set, which);
        for (int64_t i = 0; i < set.count; i++)
            if (set.index[i] == job->base)
                base = i;
        from_one_base(&set, base, found);
        give(job, &set, which, found);
    }
}

/* -- all bases --------------------------------------------------------------------------------- */

/* the excess of the largest of three sums over the second */
HELPER Real excess(Real s, Real t, Real u) {
    const Real high = maximum(s, t), low = minimum(s, t);
    return maximum(high, u) - maximum(low, minimum(high, u));
}

/* the largest excess of a, b and any c, d with b <= c, in sixteen lanes of d */
static Real largest_of_pair(const Set *set, int64_t a, int64_t b) {
    const int64_t wide = set->wide;
    const Real *A = set->distance + a * wide, *B = set->distance + b * wide;
    Real best[MANY] = {0}, largest = 0;
    for (int64_t c = b; c < set->count; c++) {
        const Real *C = set->distance + c * wide;
        for (int64_t d = c / MANY * MANY; d < wide; d += MANY)
            for (int64_t k = 0; k < MANY; k++)
                best[k] = maximum(best[k], excess(A[b] + C[d + k], A[c] + B[d + k], B[c] + A[d + k]));
    }
    for (int64_t k = 0; k < MANY; k++)
        largest = maximum(largest, best[k]);
    return largest;
}

static void find_in_pair(const Set *set, int64_t a, int64_t b, Real value, int64_t *found) {
    const int64_t wide = set->wide;
    const Real *A = set->distance + a * wide, *B = set->distance + b * wide;
    for (int64_t c = b; c < set->count; c++)
        for (int64_t d = c / MANY * MANY; d < wide; d++) {
            const Real *C = set->distance + c * wide;
            if (excess(A[b] + C[d], A[c] + B[d], B[c] + A[d]) >= value) {
                found[0] = a, found[1] = b, found[2] = c, found[3] = d;
                return;
            }
        }
}

void from_all(const int64_t *const table, char *const scratch, int64_t begin, int64_t end) {
    const Job *const job = (const Job *)table;
    Set set;
    laid_out(job, scratch, &set);
    for (int64_t which = begin; which < end; which++) {
        int64_t found[4] = {0};
        Real largest = 0;
        take_set(job, &set, which);
        for (int64_t a = 0; a < set.count; a++)
            for (int64_t b = a; b < set.count; b++) {
                const Real value = largest_of_pair(&set, a, b);
                if (value > largest) {
                    largest = value;
                    find_in_pair(&set, a, b, value, found);
                }
            }
        give(job, &set, which, found);
    }
}

/* the bytes of scratch that a job needs */
void scratch_of(const int64_t *const table, char *const answer, int64_t begin, int64_t end) {
    (void)begin, (void)end;
    Set unused;
    *(int64_t *)answer = laid_out((const Job *)table, NULL, &unused) - (char *)NULL;
}
