// The gradient of 3x3 filters at stride 1 by Winograd's minimal filtering: the transpose of winograd.h. In the transformed domain the gradient is
// the sum over tiles of the outer products of the transformed input and output gradient, so each position is one matrix product that
// sums over tiles. It is F(3x3, mxm) with the points of F(mxm, 3x3).

enum { winograd_tiles = 96 }; // of a block

typedef struct { int64_t left, right, panel, sum, ld; } outer_layout;

INLINE outer_layout winograd_outer_layout(int64_t rows, int64_t cols) {
	outer_layout l = {.panel = winograd_tiles * NR, .ld = round_up(cols, VL)};
	l.left = position_stride(winograd_tiles * round_up(rows, VL));
	l.right = position_stride((cols + NR - 1) / NR * l.panel);
	l.sum = position_stride(rows * l.ld);
	return l;
}

// winograd_outer_scratch returns the floats of scratch that a task over rows filters and cols channels needs.
static int64_t winograd_outer_scratch(int64_t m, int64_t rows, int64_t cols) {
	const outer_layout l = winograd_outer_layout(rows, cols);
	return (m + 2) * (m + 2) * (l.left + l.right + l.sum);
}

// outer_tiles writes filters [m0, m1) and channels [j0, j1) of the gradient over tiles [t0, t1) to c, or adds it there; element
// (k, tap, j) is at c + k·ldc + tap·channels + j.
INLINE void outer_tiles(const int m, const cnn_outer *o, int64_t m0, int64_t m1, int64_t j0, int64_t j1, int64_t t0, int64_t t1, float *c,
	int64_t ldc, int64_t accumulate, float *scratch) {
	const cnn_image *b = &o->b;
	const int t = m + 2, positions = t * t;
	const tiling g = tiles_of(b, m);
	const int64_t rows = m1 - m0, cols = j1 - j0, ldl = round_up(rows, VL);
	const outer_layout l = winograd_outer_layout(rows, cols);
	float *left = scratch, *right = left + positions * l.left, *sum = right + positions * l.right;
	for (int64_t k = t0; k < t1; k += winograd_tiles) {
		const int64_t tiles = t1 - k < winograd_tiles ? t1 - k : winograd_tiles;
		for (int64_t i = 0; i < tiles; i++) {
			const place at = tile_place(&g, b, m, k + i);
			transform_tile(m, MINIMAL_INPUT_OF_GRADIENT, m, o->a + ((at.n * b->p + at.p) * b->q + at.q) * o->lda + m0, b->q * o->lda, o->lda,
				rows, 0, at.rows, 0, at.cols, left + i * ldl, l.left, NR);
		}
		transform_input(m, b, j0, j1, k, k + tiles, right, l.right, NR, l.panel);
		for (int64_t i = 0; i < positions; i++) {
			const range all = tiles_needing(&g, m, i, t0, t1), now = tiles_needing(&g, m, i, k, k + tiles);
			if (now.first < now.last)
				multiply(left + i * l.left + (now.first - k) * ldl, 1, ldl, rows, now.last - now.first,
					right + i * l.right + (now.first - k) * NR, l.panel, sum + i * l.sum, l.ld, cols, now.first > all.first);
			else if (all.first == all.last)
				memset(sum + i * l.sum, 0, sizeof(float) * (size_t)(rows * l.ld));
		}
	}
	for (int64_t i = m0; i < m1; i++)
		for (int64_t j = j0; j < j1; j += VL) {
			vf half[3 * 6], in[6], out[3];
			const float *from = sum + (i - m0) * l.ld + j - j0;
			for (int s = 0; s < t; s++) {
				UNROLL for (int r = 0; r < t; r++) in[r] = vload(from + (r * t + s) * l.sum);
				minimal(m, MINIMAL_FILTER_GRADIENT, in, 1, half + s, t);
			}
			const int64_t n = j1 - j < VL ? j1 - j : VL;
			float *to = c + i * ldc + j;
			for (int r = 0; r < 3; r++) {
				minimal(m, MINIMAL_FILTER_GRADIENT, half + r * t, 1, out, 1);
				for (int s = 0; s < 3; s++, to += b->c) {
					if (accumulate)
						out[s] += vloadn(to, n);
					vstoren(to, out[s], n);
				}
			}
		}
}

static void winograd_outer(int64_t m, const cnn_outer *o, int64_t m0, int64_t m1, int64_t j0, int64_t j1, int64_t t0, int64_t t1, float *c,
	int64_t ldc, int64_t accumulate, float *scratch) {
	if (m == 4)
		outer_tiles(4, o, m0, m1, j0, j1, t0, t1, c, ldc, accumulate, scratch);
	else
		outer_tiles(2, o, m0, m1, j0, j1, t0, t1, c, ldc, accumulate, scratch);
}
