/* Gromov's delta of a graph by pairs of nodes far apart, longest first: see far_pairs.py. Needs
   prelude.h and arc.h. */

typedef struct { /* the table Python hands over */
    int64_t nodes;
    const Real *distances, *centre, *eccentricity;
    const int64_t *pairs;   /* (count, 2), by falling distance */
    int64_t *start, *count; /* of each node: where its mates stand, and how many there are by now */
    int32_t *mates;
    Real *largest; /* twice delta, so far */
} Job;

/* what v must be to improve on the largest excess L together with the pair (x, y) and some w */
HELPER int32_t is_acceptable(Real xy, Real xv, Real yv, Real eccentricity, Real L) {
    const Real difference = xv > yv ? xv - yv : yv - xv;
    return (2 * xv > L) & (2 * yv > L) & (xy - difference > L) &
           (xy + 2 * eccentricity - xv - yv > 2 * L);
}

static void try_mates(const Job *job, int64_t x, int64_t y, int64_t v, const int32_t *acceptable) {
    const Real *X = job->distances + x * job->nodes, *Y = job->distances + y * job->nodes;
    const Real *V = job->distances + v * job->nodes;
    const int32_t *mates = job->mates + job->start[v];
    const Real xy = X[y], rest = xy - X[v] - Y[v];
    for (int64_t k = 0; k < job->count[v]; k++) {
        const int64_t w = mates[k];
        if (rest + 2 * V[w] <= 2 * *job->largest)
            return; /* later mates are nearer */
        if (!acceptable[w])
            continue;
        const Real second = X[v] + Y[w], third = X[w] + Y[v];
        const Real excess = xy + V[w] - (second > third ? second : third);
        if (excess > *job->largest)
            *job->largest = excess;
    }
}

void far_pairs(const int64_t *const table, char *const scratch, int64_t begin, int64_t end) {
    const Job *const job = (const Job *)table;
    int32_t *const acceptable = (int32_t *)scratch;
    for (int64_t pair = begin; pair < end; pair++) {
        const int64_t x = job->pairs[2 * pair], y = job->pairs[2 * pair + 1];
        const Real *X = job->distances + x * job->nodes, *Y = job->distances + y * job->nodes;
        const Real xy = X[y], L = *job->largest;
        if (xy <= L)
            return;
        for (int64_t v = 0; v < job->nodes; v++)
            acceptable[v] = is_acceptable(xy, X[v], Y[v], job->eccentricity[v], L);
        for (int64_t v = 0; v < job->nodes; v++)
            if (acceptable[v] && xy + 2 * job->centre[v] - X[v] - Y[v] > L)
                try_mates(job, x, y, v, acceptable);
        job->mates[job->start[x] + job->count[x]++] = (int32_t)y;
        job->mates[job->start[y] + job->count[y]++] = (int32_t)x;
    }
}

/* the bytes of scratch that a job needs */
void scratch_of(const int64_t *const table, char *const answer, int64_t begin, int64_t end) {
    (void)begin, (void)end;
    *(int64_t *)answer = ((const Job *)table)->nodes * (int64_t)sizeof(int32_t);
}
