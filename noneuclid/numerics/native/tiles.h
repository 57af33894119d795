/* Tiles of rows, eight of which lie in eight lanes, and the memory they are laid out in. */

enum { ROWS = WIDTH };

/* rows (count, width) -> (count / 8, width, 8), filled up with zeros */
static void turned(const double *from, int64_t count, int64_t width, double *to) {
    for (int64_t panel = 0; panel < count; panel += WIDTH, to += width * WIDTH)
        for (int64_t l = 0; l < WIDTH; l++)
            for (int64_t k = 0; k < width; k++)
                to[k * WIDTH + l] = panel + l < count ? from[(panel + l) * width + k] : 0;
}

/* `count` float64 of the scratch, from a multiple of 64 bytes on */
static double *taken(char **scratch, int64_t count) {
    double *const start = (double *)*scratch;
    *scratch += ((count * (int64_t)sizeof(double)) + 63) & ~(int64_t)63;
    return start;
}
