// Space to depth: an image whose pixels are the step x step pixels of another, one after another. A convolution of it at stride 1 is one of the other
// at stride step.

// space_to_depth writes rows [r0, r1) of all images of y, each of p + ⌈rows/step⌉ - 1 rows and q + ⌈cols/step⌉ - 1 columns, so that their windows of
// ⌈rows/step⌉ x ⌈cols/step⌉ pixels, one apart, hold those of m, step_h = step_w apart. Pixels outside of the image are zero. All channels are taken.
static void space_to_depth(const cnn_image *m, int64_t r0, int64_t r1, float *y) {
	const int64_t step = m->step_h, rows = m->p + (m->rows + step - 1) / step - 1, cols = m->q + (m->cols + step - 1) / step - 1;
	const int64_t run = step * m->c, size = m->w * m->c; // of a pixel of y, and of a row of the image
	for (int64_t r = r0; r < r1; r++)
		for (int64_t d = 0; d < step; d++) {
			const int64_t h = r % rows * step + m->first_h + d;
			const float *row = m->x + (r / rows * m->h + h) * size;
			float *to = y + (r * cols * step + d) * run;
			int64_t at = m->first_w * m->c;
			for (int64_t q = 0; q < cols; q++, at += run, to += step * run) {
				if (h >= 0 && h < m->h && at >= 0 && at + run <= size) {
					copy_run(to, row + at, run);
					continue;
				}
				clear_run(to, run);
				const int64_t lo = at < 0 ? -at : 0, hi = size - at < run ? size - at : run;
				if (h >= 0 && h < m->h && lo < hi)
					copy_run(to + lo, row + at + lo, hi - lo);
			}
		}
}
