/* Signed distances to hyperplanes and their gradients: see logits.py. Needs classes.h. The sine of a
   plane is that of the distance from it. */

static const double *lifts(const Job *job, const Work *work) {
    (void)job;
    return work->at.height;
}

static void give_logits(const Job *job, Work *work, int64_t first, int64_t rows, double *sines) {
    const int64_t count = rows * job->classes;
    Real *const logits = job->logits + first * job->classes;
    for (int64_t i = 0; i < count; i++)
        job->sines[first * job->classes + i] = (Real)sines[i];
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

/* the gradients by the arcs, p = g |z| d(distance)/d(sine), 0 at the pole of a plane, and g times
   the logits */
static void find_pull(const Job *job, Work *work, int64_t first, int64_t count) {
    const int64_t classes = job->classes, all = count * classes;
    const Real *const sines = job->sines + first * classes, *const g = job->g + first * classes;
    const Real *const logits = job->logits + first * classes;
    const double K = work->K;
    for (int64_t i = 0; i < all; i++) {
        const double sine = sines[i], cosine2 = 1 - K * sine * sine;
        const Real slope = 1 / real_sqrt((Real)(cosine2 <= 0 ? 1 : cosine2));
        work->back[i] = g[i] * work->repeated[i];
        work->flat[i] = cosine2 <= 0 ? 0 : work->back[i] * slope;
        work->arcs[i] = (double)g[i] * logits[i];
    }
    turn_classes(work, classes, count, sines);
}

/* The gradient by K of the arcs d at fixed sines s, (s / cos - d) / 2K, by what find_pull found.
   Near 0, where that cancels, by the series of its slope. */
static double arcs_by_curvature(Work *work, const Real *sines, int64_t count) {
    const double K = work->K, inverse = K == 0 ? 0 : 0.5 / K;
    Lanes sum = {0};
    for (int64_t i = 0; i < count; i += WIDTH) {
        const int64_t left = count - i < WIDTH ? count - i : WIDTH;
        const Lanes sine = LOAD_REAL(sines + i, left), z = K * sine * sine;
        Lanes bend = load_double(work->back + i, left) * sine * sine * sine * slope_near_0(z);
        for (int l = 0; l < left; l++) {
            const double far = (work->flat[i + l] * sine[l] - work->arcs[i + l]) * inverse;
            bend[l] = fabs(z[l]) < NEAR ? bend[l] : far;
        }
        sum += bend;
    }
    return across(sum);
}
