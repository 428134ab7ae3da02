// The gradient of 3x3 filters at stride 2 by minimal filtering: the transpose of winogradstrided.h. Each of the 36 products sums over all values that
// meet one transformed filter, of all tiles.

enum { strided_tiles = 32 }; // of a block

INLINE int64_t strided_outer_scratch(int64_t rows, int64_t cols) {
	return strided_size(strided_tiles, rows, 0) + strided_size(strided_tiles, cols, 1) + strided_filters * position_stride(rows * round_up(cols, VL));
}

// strided_outer writes filters [m0, m1) and channels [j0, j1) of the gradient over tiles [t0, t1) to c, or adds it there; element
// (k, tap, j) is at c + k·ldc + tap·channels + j.
static void strided_outer(const cnn_outer *o, int64_t m0, int64_t m1, int64_t j0, int64_t j1, int64_t t0, int64_t t1, float *c, int64_t ldc,
	int64_t accumulate, float *scratch) {
	const cnn_image *b = &o->b;
	// The gradient of the output is an image of its own, each pixel an output.
	const cnn_image dy = {.x = o->a, .h = b->p, .w = b->q, .stride = o->lda, .n = b->n, .p = b->p, .q = b->q, .step_h = 1, .step_w = 1};
	const int64_t rows = m1 - m0, cols = j1 - j0, ld = round_up(cols, VL), stride = position_stride(rows * ld);
	strided_factor left, right;
	float *sum = strided_lay(&right, strided_lay(&left, scratch, strided_tiles, rows, 0), strided_tiles, cols, 1);
	for (int64_t k = t0; k < t1; k += strided_tiles) {
		const int64_t last = t1 - k < strided_tiles ? t1 : k + strided_tiles;
		const strided_factor end = strided_transform(STRIDED_GRADIENT, &dy, 0, 0, m0, m1, k, last, left);
		strided_transform(STRIDED_IMAGE, b, 0, 0, j0, j1, k, last, right);
		for (int p = 0; p < strided_filters; p++) {
			const int64_t values = (end.at[p] - left.at[p]) / left.step;
			if (values)
				multiply(left.at[p], 1, left.step, rows, values, right.at[p], right.panel[p], sum + p * stride, ld, cols, k > t0);
			else if (k == t0) // no tile of these has so many outputs
				memset(sum + p * stride, 0, sizeof(float) * rows * ld);
		}
	}
	transform_gradient(CNN_STRIDED, m0, m1, j0, j1, sum, stride, ld, c, ldc, b->c, accumulate);
}

// winograd_outer_scratch returns the floats of scratch that a task over rows filters and cols channels needs.
static int64_t winograd_outer_scratch(int64_t m, int64_t rows, int64_t cols) {
	return m == CNN_STRIDED ? strided_outer_scratch(rows, cols) : outer_tiles_scratch(m, rows, cols);
}

// winograd_outer computes a part of the gradient of filters: see outer_tiles and strided_outer.
static void winograd_outer(int64_t m, const cnn_outer *o, int64_t m0, int64_t m1, int64_t j0, int64_t j1, int64_t t0, int64_t t1, float *c,
	int64_t ldc, int64_t accumulate, float *scratch) {
	switch (m) {
	case 4: outer_tiles(4, o, m0, m1, j0, j1, t0, t1, c, ldc, accumulate, scratch); break;
	case 2: outer_tiles(2, o, m0, m1, j0, j1, t0, t1, c, ldc, accumulate, scratch); break;
	case CNN_FOUR: outer_tiles(CNN_FOUR, o, m0, m1, j0, j1, t0, t1, c, ldc, accumulate, scratch); break;
	default: strided_outer(o, m0, m1, j0, j1, t0, t1, c, ldc, accumulate, scratch);
	}
}
