// The gradient of filters at stride 1 by Winograd's minimal filtering: the transpose of winograd.h. In the transformed domain the gradient is
// the sum over tiles of the outer products of the transformed input and output gradient, so each position is one matrix product that
// sums over tiles. It is F(rxr, mxm) with the points of F(mxm, rxr).

enum { outer_block_tiles = 48 }; // of a block, at most

typedef struct { int64_t left, right, panel, sum, ld; } outer_layout;

INLINE outer_layout winograd_outer_layout(int64_t rows, int64_t cols) {
	outer_layout l = {.panel = outer_block_tiles * NR, .ld = round_up(cols, VL)};
	l.left = position_stride(outer_block_tiles * round_up(rows, VL));
	l.right = position_stride((cols + NR - 1) / NR * l.panel);
	l.sum = position_stride(rows * l.ld);
	return l;
}

INLINE int64_t outer_tiles_scratch(int64_t m, int64_t rows, int64_t cols) {
	const outer_layout l = winograd_outer_layout(rows, cols);
	return filter_positions(m) * (l.left + l.right + l.sum);
}

// gradient_image returns the gradient of the output as an image, of which each window is a pixel.
INLINE cnn_image gradient_image(const cnn_outer *o) {
	return (cnn_image){.x = o->a, .h = o->b.p, .w = o->b.q, .stride = o->lda, .n = o->b.n, .p = o->b.p, .q = o->b.q, .c = o->m};
}

// transform_gradient transforms the sums of products of filters [m0, m1) and channels [j0, j1) back to taps. Position i of filter k and channel j is at
// sum + i·stride + (k-m0)·ld + j-j0; the tap is written to c + k·ldc + tap·channels + j, or added there.
INLINE void transform_gradient(const int m, int64_t m0, int64_t m1, int64_t j0, int64_t j1, const float *sum, int64_t stride, int64_t ld, float *c,
	int64_t ldc, int64_t channels, int64_t accumulate) {
	const int t = transform_size(m), size = filter_taps(m);
	for (int64_t i = m0; i < m1; i++)
		for (int64_t j = j0; j < j1; j += VL) {
			vf half[max_taps * max_values], in[max_values], out[max_taps];
			const float *from = sum + (i - m0) * ld + j - j0;
			float *to = c + i * ldc + j;
			for (int s = 0; s < size * size; s++) __builtin_prefetch(to + ldc + s * channels, 1); // of the next filter
			for (int s = 0; s < t; s++) {
				UNROLL for (int r = 0; r < t; r++) in[r] = vload(from + (r * t + s) * stride);
				minimal(m, MINIMAL_FILTER_GRADIENT, in, 1, half + s, t);
			}
			const int64_t n = j1 - j < VL ? j1 - j : VL;
			for (int r = 0; r < size; r++) {
				minimal(m, MINIMAL_FILTER_GRADIENT, half + r * t, 1, out, 1);
				for (int s = 0; s < size; s++, to += channels) {
					if (accumulate)
						out[s] += vloadn(to, n);
					vstoren(to, out[s], n);
				}
			}
		}
}

// outer_tiles writes filters [m0, m1) and channels [j0, j1) of the gradient over tiles [t0, t1) to c, or adds it there; element
// (k, tap, j) is at c + k·ldc + tap·channels + j.
INLINE void outer_tiles(const int m, const cnn_outer *o, int64_t m0, int64_t m1, int64_t j0, int64_t j1, int64_t t0, int64_t t1, float *c,
	int64_t ldc, int64_t accumulate, float *scratch) {
	const int positions = filter_positions(m);
	const cnn_image dy = gradient_image(o);
	const tiling g = tiles_of(&dy, m);
	const int64_t rows = m1 - m0, cols = j1 - j0, ldl = round_up(rows, VL);
	const outer_layout l = winograd_outer_layout(rows, cols);
	float *left = scratch, *right = left + positions * l.left, *sum = right + positions * l.right;
	const int64_t blocks = (t1 - t0 + outer_block_tiles - 1) / outer_block_tiles, size = (t1 - t0 + blocks - 1) / blocks;
	for (int64_t k = t0; k < t1; k += size) {
		const int64_t last = t1 - k < size ? t1 : k + size;
		transform_tiles(m, MINIMAL_INPUT_OF_GRADIENT, &dy, m0, m1, k, last, left, l.left, ldl, NR);
		transform_tiles(m, MINIMAL_INPUT, &o->b, j0, j1, k, last, right, l.right, NR, l.panel);
		for (int64_t i = 0; i < positions; i++) {
			const range all = tiles_needing(&g, m, i, t0, t1), now = tiles_needing(&g, m, i, k, last);
			if (now.first < now.last)
				multiply(left + i * l.left + (now.first - k) * ldl, 1, ldl, rows, now.last - now.first,
					right + i * l.right + (now.first - k) * NR, l.panel, sum + i * l.sum, l.ld, cols, now.first > all.first);
			else if (all.first == all.last)
				memset(sum + i * l.sum, 0, sizeof(float) * (size_t)(rows * l.ld));
		}
	}
	transform_gradient(m, m0, m1, j0, j1, sum, l.sum, l.ld, c, ldc, o->b.c, accumulate);
}
