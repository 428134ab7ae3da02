// The gradient of an image with few channels: a register tile whose columns were the channels alone would be mostly empty. So the columns
// are the taps of one filter row with their channels, which are adjacent in the image too: a tile gives what MR windows add to
// one image row, and each window's share is then added at its place.

// spread computes images [n0, n1) of dx, (h, w, c), from dy, (n, p, q, filters). packed holds, for each filter row, its factor of
// filters rows and cols·c columns in panels. The windows' columns are not dilated.
static void spread(const cnn_image *m, const float *packed, const float *dy, int64_t filters, float *dx, int64_t n0, int64_t n1,
	int64_t accumulate) {
	const int64_t len = m->cols * m->c, panels = (len + NR - 1) / NR, size = m->w * m->c;
	float share[MR * NR];
	const float *a[MR];
	float *rows[MR];
	for (int64_t r = 0; r < MR; r++) rows[r] = share + r * NR;
	tile t = {.a = a, .runs = 1, .len = filters, .step = 1, .c = rows};
	if (!accumulate)
		memset(dx + n0 * m->h * size, 0, 4 * (size_t)((n1 - n0) * m->h * size));
	for (int64_t row = n0 * m->p; row < n1 * m->p; row++)
		for (int64_t q = 0; q < m->q; q += MR) {
			const int64_t count = m->q - q < MR ? m->q - q : MR;
			for (int64_t r = 0; r < count; r++) a[r] = dy + (row * m->q + q + r) * filters;
			for (int64_t i = 0; i < m->rows; i++) {
				const int64_t h = row % m->p * m->step_h + m->first_h + i * m->dil_h;
				if ((uint64_t)h >= (uint64_t)m->h)
					continue;
				float *out = dx + (row / m->p * m->h + h) * size;
				for (int64_t j = 0; j < panels; j++) {
					t.b = packed + (i * panels + j) * filters * NR;
					t.n = len - j * NR < NR ? len - j * NR : NR;
					tile_run(&t, count);
					int64_t at = ((q * m->step_w) + m->first_w) * m->c + j * NR;
					for (int64_t r = 0; r < count; r++, at += m->step_w * m->c) {
						const int64_t lo = at < 0 ? -at : 0, hi = at + t.n > size ? size - at : t.n;
						if (lo < hi)
							add(out + at + lo, out + at + lo, rows[r] + lo, hi - lo);
					}
				}
			}
		}
}
