// Packing of a right factor: panels of NR columns, each (depth, NR), so that the register tile reads them front to back.

typedef float v4 __attribute__((vector_size(16)));
typedef float v4u __attribute__((vector_size(16), aligned(4), may_alias));

// pack_rows copies rows of at most NR floats, step apart, to rows NR apart.
INLINE void pack_rows(float *dst, const float *src, int64_t step, int64_t rows, int64_t n) {
	if (n == NR) {
		for (int64_t k = 0; k < rows; k++, src += step, dst += NR)
			UNROLL for (int v = 0; v < NV; v++) vstore(dst + v * VL, vload(src + v * VL));
		return;
	}
	for (int64_t k = 0; k < rows; k++, src += step, dst += NR)
		for (int64_t i = 0; i < n; i += VL) vstore(dst + i, vloadn(src + i, n - i < VL ? n - i : VL));
}

// pack_columns writes the transpose of n rows of len adjacent floats, step apart: (len, n) with rows NR apart.
INLINE void pack_columns(float *dst, const float *src, int64_t step, int64_t len, int64_t n) {
	int64_t c = 0;
	for (; c + 4 <= n; c += 4) {
		const float *s0 = src + c * step, *s1 = s0 + step, *s2 = s1 + step, *s3 = s2 + step;
		float *d = dst + c;
		int64_t k = 0;
		for (; k + 4 <= len; k += 4, d += 4 * NR) {
			const v4 a = *(const v4u *)(s0 + k), b = *(const v4u *)(s1 + k), e = *(const v4u *)(s2 + k), f = *(const v4u *)(s3 + k);
			const v4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), AB = __builtin_shufflevector(a, b, 2, 6, 3, 7);
			const v4 ef = __builtin_shufflevector(e, f, 0, 4, 1, 5), EF = __builtin_shufflevector(e, f, 2, 6, 3, 7);
			*(v4u *)d = __builtin_shufflevector(ab, ef, 0, 1, 4, 5);
			*(v4u *)(d + NR) = __builtin_shufflevector(ab, ef, 2, 3, 6, 7);
			*(v4u *)(d + 2 * NR) = __builtin_shufflevector(AB, EF, 0, 1, 4, 5);
			*(v4u *)(d + 3 * NR) = __builtin_shufflevector(AB, EF, 2, 3, 6, 7);
		}
		for (; k < len; k++, d += NR) d[0] = s0[k], d[1] = s1[k], d[2] = s2[k], d[3] = s3[k];
	}
	for (; c < n; c++)
		for (int64_t k = 0; k < len; k++) dst[k * NR + c] = src[c * step + k];
}

// pack_block packs rows [d0, d1) of one panel, from column j on. Columns beyond the last are not written: the tile does not store
// what comes of them.
static void pack_block(const cnn_factor *f, int64_t j, int64_t d0, int64_t d1, float *dst) {
	const int64_t n = f->n - j < NR ? f->n - j : NR;
	int64_t c = f->c, cols = f->cols, rows = f->rows, step_u = f->step_u, step_t = f->step_t;
	// Taps that follow one another in memory are one run.
	if (step_u == c * f->step_j || cols == 1) {
		if (cols > 1)
			c *= cols;
		cols = 1;
		if (step_t == c * f->step_j || rows == 1)
			c *= rows, rows = 1;
	}
	for (int64_t d = d0; d < d1;) {
		const int64_t tap = d / c, at = d % c;
		const int64_t len = c - at < d1 - d ? c - at : d1 - d;
		const float *src = f->w + tap / cols * step_t + tap % cols * step_u + at * f->step_j + j * f->step_col;
		if (f->step_col == 1)
			pack_rows(dst, src, f->step_j, len, n);
		else
			pack_columns(dst, src, f->step_col, len, n);
		dst += len * NR;
		d += len;
	}
}

// pack packs panels [panel0, panel1) of the whole factor; packed is (panels, depth, NR).
static void pack(const cnn_factor *f, int64_t panel0, int64_t panel1, float *packed) {
	const int64_t depth = f->rows * f->cols * f->c;
	for (int64_t i = panel0; i < panel1; i++) pack_block(f, i * NR, 0, depth, packed + i * depth * NR);
}
