// The gradient of an image with few channels: a register tile whose columns were the channels alone would be mostly empty. So the columns
// are the taps of one filter row with their channels, which are adjacent in the image too: a tile gives what MR windows of each of the grid
// rows that reach an image row add to it, and each window's share is then added at its place.

enum { spread_row = NR + 2 * VL }; // floats of a window's share: zeros, the columns of a panel, zeros

// spread_add adds the shares of count windows from column q on, of which panel columns [from, from+n) are given, to an image row of size floats. It
// collects what all windows add to a vector of the row before it touches that: windows overlap.
INLINE void spread_add(const cnn_image *m, float *out, int64_t size, const float *share, int64_t q, int64_t count, int64_t from, int64_t n) {
	const int64_t step = m->step_w * m->c, last = (count - 1) * step + n;
	int64_t at = (q * m->step_w + m->first_w) * m->c + from; // of the first window that matters, in the row
	const int64_t lo = at < 0 ? 0 : at, hi = at + last > size ? size : at + last;
	for (int64_t o = lo, r = 0; o < hi; o += VL) {
		for (; r < count && at + n <= o; r++, at += step) share += spread_row;
		const float *s = share + VL + o - at;
		vf sum = vset(0);
		for (int64_t i = r, begin = at; i < count && begin < o + VL; i++, begin += step, s += spread_row - step) sum += vload(s);
		const int64_t k = hi - o < VL ? hi - o : VL;
		vstoren(out + o, vloadn(out + o, k) + sum, k);
	}
}

// spread_clear zeroes the shares of MR windows.
INLINE void spread_clear(float *share) {
	for (int64_t i = 0; i < MR * spread_row; i += VL) vstore(share + i, vset(0));
}

// spread computes images [n0, n1) of dx, (h, w, c), from dy, (n, p, q, filters). order lists the filter rows so that
// those that reach the same image rows follow one another; packed holds, in this order, their factors of filters rows and cols·c columns:
// (panels, rows, filters, NR). The windows' columns are not dilated.
static void spread(const cnn_image *m, const float *packed, const int64_t *order, const float *dy, int64_t filters, float *dx, int64_t n0,
	int64_t n1, int64_t accumulate) {
	const int64_t len = m->cols * m->c, panels = (len + NR - 1) / NR, size = m->w * m->c, grid = m->q * filters;
	float share[MR * spread_row];
	const float *a[max_runs * MR], *above[max_runs];
	float *rows[MR];
	for (int64_t r = 0; r < MR; r++) rows[r] = share + r * spread_row + VL;
	spread_clear(share);
	tile t = {.a = a, .len = filters, .step = 1, .c = rows};
	if (!accumulate)
		memset(dx + n0 * m->h * size, 0, 4 * (size_t)((n1 - n0) * m->h * size));
	for (int64_t n = n0; n < n1; n++)
		for (int64_t row = 0; row < m->h; row++) {
			float *out = dx + (n * m->h + row) * size;
			for (int64_t i = 0; i < m->rows;) {
				// A run of packed filter rows whose grid rows exist: filter row order[i] reaches this image row from grid row p.
				t.runs = 0;
				int64_t first = i;
				for (; i < m->rows && t.runs < max_runs; i++) {
					const int64_t h = row - m->first_h - order[i] * m->dil_h, p = m->step_h == 1 ? h : h / m->step_h;
					if (h >= 0 && p * m->step_h == h && p < m->p)
						above[t.runs++] = dy + (n * m->p + p) * grid;
					else if (t.runs)
						break;
					else
						first = i + 1;
				}
				if (!t.runs)
					continue;
				for (int64_t q = 0; q < m->q; q += MR) {
					const int64_t count = m->q - q < MR ? m->q - q : MR;
					for (int64_t j = 0; j < t.runs; j++)
						UNROLL for (int r = 0; r < MR; r++) a[j * MR + r] = above[j] + (q + r) * filters;
					for (int64_t j = 0; j < panels; j++) {
						t.b = packed + (j * m->rows + first) * filters * NR;
						t.n = len - j * NR < NR ? len - j * NR : NR;
						if (j > 0 && t.n < NR)
							spread_clear(share); // of the panel before
						tile_run(&t, count);
						spread_add(m, out, size, share, q, count, j * NR, t.n);
					}
				}
			}
		}
}
