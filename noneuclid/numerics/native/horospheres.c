/* Depths in horospheres and their gradients: see logits.py. Needs classes.h. With normal = -r v and
   shift = -1 the sine of a point is h = T - r X.v, r = sqrt -K, and its logit -length log h. */

/* T - 1: sines are h - 1 until give_logits. */
static const double *lifts(const Job *job, const Work *work) {
    for (int r = 0; r < TILE; r++) {
        const double bend = -work->K * work->at.square[r];
        work->rise[r] = job->reading.model == STEREOGRAPHIC ? 2 * bend / work->at.gap[r]
                                                            : bend / (1 + work->at.height[r]);
    }
    return work->rise;
}

/* h of one point from the chords between directions, where the terms of T - r X.v cancel */
static void by_chords(const Work *work, int64_t classes, int64_t width, int64_t row,
                      const double *vectors, double lowest, double reach, double *sines) {
    const double *const at = work->rows + row * work->wide;
    const double inverse = 1 / sqrt(work->at.square[row]), rise = work->rise[row];
    for (int64_t c = 0; c < classes; c++) {
        if (sines[c] >= -0.5 && rise <= 1)
            continue;
        double square = 0;
        for (int64_t k = 0; k < width; k++) {
            const double chord = at[k] * inverse + vectors[c * width + k] / work->rate;
            square += chord * chord;
        }
        sines[c] = lowest + reach / 2 * square - 1;
        work->back[row * classes + c] = sines[c] + 1;
    }
}

/* h is never below 1 / (T + r|X|), its value where v points to the point. */
static void give_logits(const Job *job, Work *work, int64_t first, int64_t rows, double *sines) {
    const int64_t classes = job->classes, count = rows * classes;
    double *const heights = work->back;
    for (int64_t i = 0; i < count; i++)
        heights[i] = 1 + sines[i];
    for (int64_t r = 0; r < rows; r++) {
        const double reach = work->rate * work->at.scale[r] * sqrt(work->at.square[r]);
        const double lowest = 1 / (1 + work->rise[r] + reach);
        if (!SINGLE && work->rise[r] > 0.25) /* products of float32 rows are exact */
            by_chords(work, classes, job->reading.width, r, job->normal, lowest, reach,
                      sines + r * classes);
        for (int64_t i = r * classes; i < (r + 1) * classes; i++) {
            const int below = heights[i] < lowest;
            heights[i] = below ? lowest : heights[i];
            sines[i] = below ? lowest - 1 : sines[i];
        }
    }
    for (int64_t i = 0; i < count; i++) {
        const double u = sines[i], size = log1p_double(u < 0 ? -u / heights[i] : u);
        job->logits[first * classes + i] = (Real)(work->repeated[i] * (u < 0 ? size : -size));
        job->sines[first * classes + i] = (Real)heights[i];
    }
}

/* the gradients by h, -g length / h, and g times the logits */
static void find_pull(const Job *job, Work *work, int64_t first, int64_t count) {
    const int64_t classes = job->classes;
    const Real *const heights = job->sines + first * classes, *const g = job->g + first * classes;
    const Real *const logits = job->logits + first * classes;
    for (int64_t i = 0; i < count * classes; i++) {
        work->flat[i] = -g[i] * work->repeated[i] / heights[i];
        work->arcs[i] = (double)g[i] * logits[i];
    }
    turn_classes(work, classes, count, heights);
}

static double arcs_by_curvature(Work *work, const Real *heights, int64_t count) {
    (void)work, (void)heights, (void)count;
    return 0; /* at a fixed h and length there is none */
}
