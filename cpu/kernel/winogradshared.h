// Minimal filtering at stride 1 with few tiles and many channels, whose transformed filters are many times what the caches hold while the transformed
// tiles are not. The tiles are transformed once, for all tasks. A task then does all tiles for some columns: it transforms the filters of one block of
// channels after another and adds up their products while they are in its cache. The gradient of the filters takes both of its factors from such
// tiles, which it would otherwise transform again for each block of filters or channels.
//
// Shared tiles have a matrix (tiles, width) for each position of each block of width channels: (blocks, positions, tiles, width).

typedef struct { int64_t stride, block; } shared_layout; // floats from a position to the next, from a block to the next

INLINE shared_layout shared_tiles_layout(int64_t m, int64_t tiles, int64_t width) {
	const int64_t stride = position_stride(tiles * width);
	return (shared_layout){stride, filter_positions(m) * stride};
}

// winograd_tiles_size returns the floats of the shared tiles of an image.
static int64_t winograd_tiles_size(const cnn_image *a, int64_t m, int64_t width) {
	const tiling g = tiles_of(a, m);
	return (a->c + width - 1) / width * shared_tiles_layout(m, g.end[4], width).block;
}

INLINE void share_tiles(const int m, const cnn_image *a, int64_t gradient, int64_t width, int64_t c0, int64_t c1, int64_t t0, int64_t t1,
	float *shared) {
	const tiling g = tiles_of(a, m);
	const shared_layout l = shared_tiles_layout(m, g.end[4], width);
	for (int64_t c = c0; c < c1; c += width) {
		float *dst = shared + c / width * l.block + t0 * width;
		const int64_t end = c1 - c < width ? c1 : c + width;
		if (gradient)
			transform_tiles(m, MINIMAL_INPUT_OF_GRADIENT, a, c, end, t0, t1, dst, l.stride, width, NR);
		else
			transform_tiles(m, MINIMAL_INPUT, a, c, end, t0, t1, dst, l.stride, width, NR);
	}
}

// winograd_tiles transforms channels [c0, c1) of tiles [t0, t1) of an image, or of a gradient of the output; c0 is a multiple of width, and that of a
// vector.
static void winograd_tiles(int64_t m, const cnn_image *a, int64_t gradient, int64_t width, int64_t c0, int64_t c1, int64_t t0, int64_t t1,
	float *shared) {
	if (m == 4)
		share_tiles(4, a, gradient, width, c0, c1, t0, t1, shared);
	else
		share_tiles(2, a, gradient, width, c0, c1, t0, t1, shared);
}

// winograd_columns_scratch returns the floats of scratch that a task of a number of columns needs.
static int64_t winograd_columns_scratch(const cnn_gather *g, int64_t m, int64_t width, int64_t cols) {
	const tiling grid = tiles_of(&g->a, m);
	return filter_positions(m) * (position_stride(round_up(cols, NR) * width) + position_stride(grid.end[4] * round_up(cols, VL)));
}

INLINE void columns_of_tiles(const int m, const cnn_gather *g, const float *shared, int64_t width, int64_t j0, int64_t j1, float *scratch) {
	const int positions = filter_positions(m);
	const tiling grid = tiles_of(&g->a, m);
	const int64_t tiles = grid.end[4], cols = j1 - j0, ld = round_up(cols, VL), channels = g->a.c;
	const int64_t filters = position_stride(round_up(cols, NR) * width), products = position_stride(tiles * ld);
	const shared_layout l = shared_tiles_layout(m, tiles, width);
	float *product = scratch + positions * filters;
	for (int64_t c = 0; c < channels; c += width, shared += l.block) {
		const int64_t depth = channels - c < width ? channels - c : width;
		transform_filters(m, &g->b, j0, j1, c, c + depth, scratch, filters, depth * NR);
		for (int64_t i = 0; i < positions; i++) {
			const range k = tiles_needing(&grid, m, i, 0, tiles);
			multiply(shared + i * l.stride + k.first * width, width, 1, k.last - k.first, depth, scratch + i * filters, depth * NR,
				product + i * products + k.first * ld, ld, cols, c > 0);
		}
	}
	transform_output(m, g, 0, tiles, j0, j1, product, products, ld);
}

// winograd_columns computes columns [j0, j1) of all windows of a convolution of 3x3 filters at stride 1, from shared tiles; j0 is a multiple of NR.
static void winograd_columns(int64_t m, const cnn_gather *g, const float *shared, int64_t width, int64_t j0, int64_t j1, float *scratch) {
	if (m == 4)
		columns_of_tiles(4, g, shared, width, j0, j1, scratch);
	else
		columns_of_tiles(2, g, shared, width, j0, j1, scratch);
}

// winograd_outer_columns_scratch returns the floats of scratch that a task over rows filters and cols channels needs.
static int64_t winograd_outer_columns_scratch(int64_t m, int64_t rows, int64_t cols) {
	return filter_positions(m) * position_stride(rows * round_up(cols, VL));
}

INLINE void outer_columns(const int m, const cnn_outer *o, const float *dy, int64_t width, const float *x, int64_t m0, int64_t m1, int64_t j0,
	int64_t j1, float *c, int64_t ldc, int64_t accumulate, float *scratch) {
	const tiling g = tiles_of(&o->b, m);
	const int64_t tiles = g.end[4], rows = m1 - m0, cols = j1 - j0, ld = round_up(cols, VL), sum = position_stride(rows * ld);
	const shared_layout left = shared_tiles_layout(m, tiles, width), right = shared_tiles_layout(m, tiles, NR);
	dy += m0 / width * left.block + m0 % width;
	x += j0 / NR * right.block;
	for (int64_t i = 0; i < filter_positions(m); i++) {
		const range k = tiles_needing(&g, m, i, 0, tiles);
		if (k.first < k.last)
			multiply(dy + i * left.stride + k.first * width, 1, width, rows, k.last - k.first, x + i * right.stride + k.first * NR,
				right.block, scratch + i * sum, ld, cols, 0);
		else
			memset(scratch + i * sum, 0, sizeof(float) * (size_t)(rows * ld));
	}
	transform_gradient(m, m0, m1, j0, j1, scratch, sum, ld, c, ldc, o->b.c, accumulate);
}

// winograd_outer_columns writes filters [m0, m1) and channels [j0, j1) of the gradient of 3x3 filters at stride 1 to c, or adds it there, from shared
// tiles of the gradient of the output, of which [m0, m1) is in one block, and of the input, whose width is NR; j0 is a multiple of NR.
static void winograd_outer_columns(int64_t m, const cnn_outer *o, const float *dy, int64_t width, const float *x, int64_t m0, int64_t m1, int64_t j0,
	int64_t j1, float *c, int64_t ldc, int64_t accumulate, float *scratch) {
	if (m == 4)
		outer_columns(4, o, dy, width, x, m0, m1, j0, j1, c, ldc, accumulate, scratch);
	else
		outer_columns(2, o, dy, width, x, m0, m1, j0, j1, c, ldc, accumulate, scratch);
}
