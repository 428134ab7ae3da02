// Products that sum over windows of an image, or over rows of two matrices: see cnn_outer.
//
// Both factors are packed: their rows lie far apart in memory, at strides that may map to few sets of a cache. A chunk of the left one,
// all panels, is packed once for a task and stays in the second-level cache, while one panel of the right one after another is
// packed and used.

enum { outer_depth = 384 };

// pack_left packs rows [k0, k1) and columns [m0, m1) of the left factor to panels (k1-k0, MR).
static void pack_left(const cnn_outer *o, int64_t m0, int64_t m1, int64_t k0, int64_t k1, float *dst) {
	for (int64_t m = m0; m < m1; m += MR) {
		const float *src = o->a + k0 * o->lda + m;
		if (m + MR <= m1)
			for (int64_t k = k0; k < k1; k++, src += o->lda, dst += MR) memcpy(dst, src, 4 * MR);
		else
			for (int64_t k = k0; k < k1; k++, src += o->lda, dst += MR) memcpy(dst, src, 4 * (size_t)(m1 - m));
	}
}

INLINE void clear_run(float *dst, int64_t n) { memset(dst, 0, 4 * (size_t)n); }

// pack_segment writes floats [off, off+n) of a run of windows [q0, q1) of one grid row to dst, rows NR apart. h and w0 are the image row
// and the column of the run's first tap in window 0.
INLINE void pack_segment(const cnn_image *m, int64_t image, int64_t h, int64_t w0, int64_t off, int64_t n, int joined, int64_t q0,
	int64_t q1, float *dst) {
	if ((uint64_t)h >= (uint64_t)m->h) {
		for (int64_t q = q0; q < q1; q++, dst += NR) clear_run(dst, n);
		return;
	}
	const int64_t size = m->w * m->stride, step = m->step_w * m->stride;
	const float *row = m->x + (image * m->h + h) * size;
	// The floats that are taken lie in a span of adjacent channels, or of a single pixel.
	int64_t from = w0 * m->stride + off + q0 * step;
	for (int64_t q = q0; q < q1; q++, from += step, dst += NR) {
		if (from >= 0 && from + n <= size)
			copy_run(dst, row + from, n);
		else if (!joined || from + n <= 0 || from >= size)
			clear_run(dst, n);
		else
			for (int64_t k = 0; k < n; k++) dst[k] = from + k >= 0 && from + k < size ? row[from + k] : 0;
	}
}

// pack_windows packs windows [k0, k1) and columns [j, j+n) of the lowered image to (k1-k0, NR).
static void pack_windows(const cnn_image *m, int64_t j, int64_t n, int64_t k0, int64_t k1, float *dst) {
	const runs r = image_runs(m);
	window at = window_at(m, k0);
	for (int64_t k = k0; k < k1;) {
		const int64_t q1 = at.q + (k1 - k) < m->q ? at.q + (k1 - k) : m->q;
		for (int64_t col = 0; col < n;) {
			const int64_t run = (j + col) / r.len, off = (j + col) % r.len;
			const int64_t len = r.len - off < n - col ? r.len - off : n - col;
			const int64_t t = r.joined ? run : run / m->cols, u = r.joined ? 0 : run % m->cols;
			pack_segment(m, at.n, at.p * m->step_h + m->first_h + t * m->dil_h, m->first_w + u * m->dil_w, off, len, r.joined,
				at.q, q1, dst + col);
			col += len;
		}
		dst += (q1 - at.q) * NR;
		k += q1 - at.q;
		at.q = q1 - 1;
		window_next(m, &at);
	}
}

// outer_scratch returns the floats of scratch that a task over rows rows needs.
static int64_t outer_scratch(int64_t rows) {
	return (rows + MR - 1) / MR * MR * outer_depth + NR * outer_depth;
}

// outer computes rows [m0, m1) and columns [j0, j1) of the product over windows [k0, k1), and writes it to c or adds it there; element
// (m, j) is at c + m·ldc + j. j0 is a multiple of NR.
static void outer(const cnn_outer *o, int64_t m0, int64_t m1, int64_t j0, int64_t j1, int64_t k0, int64_t k1, float *c, int64_t ldc,
	int64_t accumulate, float *scratch) {
	float *right = scratch, *left = scratch + NR * outer_depth;
	const int64_t parts = (k1 - k0 + outer_depth - 1) / outer_depth, size = (k1 - k0 + parts - 1) / parts;
	const cnn_factor plain = {.w = o->bt, .rows = 1, .cols = 1, .c = k1, .step_j = 1, .step_col = o->ldbt, .n = o->n};
	const float *a[MR];
	float *rows[MR];
	tile t = {.a = a, .runs = 1, .step = MR, .b = right, .c = rows};
	for (int64_t k = k0; k < k1; k += size) {
		t.len = k1 - k < size ? k1 - k : size;
		t.add = accumulate || k > k0;
		pack_left(o, m0, m1, k, k + t.len, left);
		for (int64_t j = j0; j < j1; j += NR) {
			t.n = j1 - j < NR ? j1 - j : NR;
			if (o->bt)
				pack_block(&plain, j, k, k + t.len, right);
			else
				pack_windows(&o->b, j, t.n, k, k + t.len, right);
			for (int64_t m = m0; m < m1; m += MR) {
				const int64_t count = m1 - m < MR ? m1 - m : MR;
				for (int64_t r = 0; r < count; r++) {
					a[r] = left + (m - m0) * t.len + r;
					rows[r] = c + (m + r) * ldc + j;
				}
				tile_run(&t, count);
			}
		}
	}
}
