// Convolutions of 3x3 filters at stride 2, and their gradients by the input, by minimal filtering: 81 multiplications for 4x4 outputs instead of 144.
//
// A tile of r x s outputs has (2r+1)·(2s+1) values in the transformed domain, a filter 6x6: at five points and for the plain product along either axis
// (minimalstrided.h). Values that meet the same of the 36 transformed filters are rows of one matrix, whichever tile they belong to. So there are 36
// products as for F(4x4, 3x3), with one row of a tile, or 4, or 16; tiles at an edge that have fewer outputs have fewer rows.

enum { strided_filters = strided_values * strided_values };

// A strided_factor is the left or right factor, or the result, of the 36 products over a block of tiles, one row for each value.
typedef struct {
	float *at[strided_filters];     // the next row
	int64_t panel[strided_filters]; // floats from a panel of NR columns to the next
	int64_t step;                   // floats from a row to the next
} strided_factor;

// strided_along returns how many values of a tile of r outputs meet value f of a transformed filter, along one axis.
INLINE int64_t strided_along(int f, int64_t r) { return f < strided_points ? f - r % 2 >= 0 && f - r % 2 <= r : r; }

// strided_rows returns how many rows of product p are of a tile of r x s outputs.
INLINE int64_t strided_rows(int p, int64_t r, int64_t s) { return strided_along(p / strided_values, r) * strided_along(p % strided_values, s); }

// strided_lay lays a factor of a number of columns over all values of tiles out at x and returns where it ends: rows as long as the columns, or panels.
INLINE float *strided_lay(strided_factor *l, float *x, int64_t tiles, int64_t columns, int panels) {
	*l = (strided_factor){.step = panels ? NR : round_up(columns, VL)};
	for (int p = 0; p < strided_filters; p++) {
		const int64_t rows = tiles * strided_rows(p, strided_m, strided_m);
		l->at[p] = x;
		l->panel[p] = panels ? rows * NR : NR;
		x += position_stride(rows * (panels ? round_up(columns, NR) : l->step));
	}
	return x;
}

// strided_size returns the floats of such a factor.
INLINE int64_t strided_size(int64_t tiles, int64_t columns, int panels) {
	int64_t n = 0;
	for (int p = 0; p < strided_filters; p++)
		n += position_stride(tiles * strided_rows(p, strided_m, strided_m) * round_up(columns, panels ? NR : VL));
	return n;
}

// strided_next moves on to the next tile.
INLINE void strided_next(strided_factor *l, int64_t r, int64_t s) {
	for (int p = 0; p < strided_filters; p++) l->at[p] += strided_rows(p, r, s) * l->step;
}

// strided_columns writes where columns from c on begin in the 36 matrices.
INLINE void strided_columns(const strided_factor *l, int64_t c, float **at) {
	for (int p = 0; p < strided_filters; p++) at[p] = l->at[p] + c / NR * l->panel[p] + c % NR;
}

// strided_value returns where value (i, j) of a tile of r x s outputs is, whose rows are the next ones of the matrices, at at.
INLINE float *strided_value(float *const *at, int64_t step, int i, int j, int r, int s) {
	const int f = i <= r ? i + r % 2 : strided_points, g = j <= s ? j + s % 2 : strided_points;
	return at[f * strided_values + g] + ((i <= r ? 0 : i - r - 1) * (j <= s ? 1 : s) + (j <= s ? 0 : j - s - 1)) * step;
}

// A strided_side is what a pass reads of a tile of r outputs along one axis: an image forward (2r+1), and of the gradient of the output what
// spreads (r+1) or what the filters' gradient sums over (r).
enum { STRIDED_IMAGE, STRIDED_SPREAD, STRIDED_GRADIENT };

INLINE int strided_extent(const int side, int r) { return side == STRIDED_IMAGE ? 2 * r + 1 : side == STRIDED_SPREAD ? r + 1 : r; }

// strided_forth transforms what a pass reads of a tile along one axis to 2r+1 values. pair is that of spread_input.
INLINE void strided_forth(const int side, const int r, int pair, const vf *x, const int sx, vf *y, const int sy) {
	if (side == STRIDED_SPREAD)
		spread_input(r, pair, x, sx, y, sy);
	else
		minimal_strided(side == STRIDED_IMAGE ? MINIMAL_INPUT : MINIMAL_INPUT_OF_GRADIENT, r, x, sx, y, sy);
}

// strided_tile transforms channels [0, channels) of the tile of r x s outputs that begins at x, of which rows [r0, r1) and columns [c0, c1) lie
// inside the image; the rest is zero. A later tile, at later, is fetched.
INLINE void strided_tile(const int side, const int r, const int s, int pair_h, int pair_w, const float *x, int64_t row, int64_t pixel,
	int64_t channels, int64_t r0, int64_t r1, int64_t c0, int64_t c1, const float *later, const strided_factor *to) {
	const int down = strided_extent(side, r), across = strided_extent(side, s);
	for (int64_t c = 0; c < channels; c += VL, x += VL, later += VL) {
		vf half[9 * 9], in[9], out[9];
		float *at[strided_filters];
		const int64_t n = channels - c < VL ? channels - c : VL;
		const int whole = n == VL && r0 == 0 && r1 == down;
		for (int j = 0; j < across; j++) {
			const float *column = x + j * pixel;
			if (c % cache_line == 0)
				for (int i = 0; i < down; i++) fetch(later + i * row + j * pixel);
			if (j < c0 || j >= c1)
				for (int i = 0; i < down; i++) in[i] = vset(0);
			else if (whole)
				for (int i = 0; i < down; i++) in[i] = vload(column + i * row);
			else
				for (int i = 0; i < down; i++) in[i] = i >= r0 && i < r1 ? vloadn(column + i * row, n) : vset(0);
			strided_forth(side, r, pair_h, in, 1, half + j, 9);
		}
		strided_columns(to, c, at);
		for (int i = 0; i <= 2 * r; i++) {
			strided_forth(side, s, pair_w, half + i * 9, 1, out, 1);
			for (int j = 0; j <= 2 * s; j++) vstore(strided_value(at, to->step, i, j, r, s), out[j]);
		}
	}
}

// A strided_place is that of a tile: its image, its first output, and how many rows and columns of outputs it has.
typedef struct { int64_t n, p, q, r, s; } strided_place;

// strided_find returns the place of tile k.
INLINE strided_place strided_find(const cnn_image *a, int64_t k) {
	const tiling g = tiles_of(a, strided_m);
	strided_place t = {k / g.across / g.down, k / g.across % g.down * strided_m, k % g.across * strided_m, strided_m, strided_m};
	t.r = a->p - t.p < t.r ? a->p - t.p : t.r, t.s = a->q - t.q < t.s ? a->q - t.q : t.s;
	return t;
}

// strided_transform transforms channels [c0, c1) of what tiles [t0, t1) read of an image, and returns where the rows end.
INLINE strided_factor strided_transform(const int side, const cnn_image *a, int pair_h, int pair_w, int64_t c0, int64_t c1, int64_t t0,
	int64_t t1, strided_factor to) {
	const int64_t row = a->w * a->stride;
	for (int64_t k = t0; k < t1; k++) {
		const strided_place t = strided_find(a, k), later = strided_find(a, k + fetch_ahead < t1 ? k + fetch_ahead : k);
		const int64_t h = t.p * a->step_h + a->first_h, w = t.q * a->step_w + a->first_w;
		const int64_t down = strided_extent(side, t.r), across = strided_extent(side, t.s);
		const float *x = a->x + ((t.n * a->h + h) * a->w + w) * a->stride + c0;
		const float *ahead = x + ((later.n - t.n) * a->h + (later.p - t.p) * a->step_h) * row + (later.q - t.q) * a->step_w * a->stride;
		const int64_t r0 = h < 0 ? -h : 0, r1 = a->h - h < down ? a->h - h : down, s0 = w < 0 ? -w : 0, s1 = a->w - w < across ? a->w - w : across;
		if (t.r == strided_m && t.s == strided_m)
			strided_tile(side, strided_m, strided_m, pair_h, pair_w, x, row, a->stride, c1 - c0, r0, r1, s0, s1, ahead, &to);
		else
			strided_tile(side, t.r, t.s, pair_h, pair_w, x, row, a->stride, c1 - c0, r0, r1, s0, s1, ahead, &to);
		strided_next(&to, t.r, t.s);
	}
	return to;
}

// strided_pixels transforms the products of tile t of r x s outputs back to columns [j0, j1) of the result; those of j0 are at from. A later tile is
// fetched.
INLINE void strided_pixels(const int spread, const int r, const int s, const cnn_gather *g, const strided_place *t, const strided_place *later,
	int64_t j0, int64_t j1, const strided_factor *from) {
	const int step = spread ? 2 : 1;
	const int64_t p = t->p * step, q = t->q * step;
	const int64_t rows = g->out_h - p < step * r ? g->out_h - p : step * r, cols = g->out_w - q < step * s ? g->out_w - q : step * s;
	float *y = g->y + ((t->n * g->out_h + p) * g->out_w + q) * g->out_stride;
	const float *ahead = g->y + ((later->n * g->out_h + later->p * step) * g->out_w + later->q * step) * g->out_stride;
	for (int64_t j = j0; j < j1; j += VL) {
		vf half[8 * 9], in[9], out[8];
		float *at[strided_filters];
		strided_columns(from, j - j0, at);
		for (int c = 0; c <= 2 * s; c++) {
			for (int i = 0; i <= 2 * r; i++) in[i] = vload(strided_value(at, from->step, i, c, r, s));
			if (spread)
				spread_output(r, g->out_first_h, in, 1, half + c, 9);
			else
				minimal_strided(MINIMAL_OUTPUT, r, in, 1, half + c, 9);
		}
		const int64_t count = j1 - j < VL ? j1 - j : VL;
		const vf bias = g->epilogue.bias ? vloadn(g->epilogue.bias + j, count) : vset(0);
		for (int64_t i = 0; i < rows; i++) {
			if (spread)
				spread_output(s, g->out_first_w, half + i * 9, 1, out, 1);
			else
				minimal_strided(MINIMAL_OUTPUT, s, half + i * 9, 1, out, 1);
			float *to = y + i * g->out_w * g->out_stride + j;
			if (j % cache_line == 0)
				for (int c = 0; c < step * s; c++) fetch(ahead + (i * g->out_w + c) * g->out_stride + j);
			for (int64_t c = 0; c < cols; c++, to += g->out_stride) store_output(g, to, out[c], bias, count);
		}
	}
}

enum { strided_cols = 64 }; // columns that are multiplied before they are transformed back

INLINE int64_t strided_scratch(const cnn_gather *g, int64_t tiles) {
	return strided_size(tiles, g->a.c, 0) + strided_size(tiles, g->b.n < strided_cols ? g->b.n : strided_cols, 0);
}

// strided_run computes the windows of tiles [t0, t1), or the pixels that their gradient spreads to. g->packed holds the transformed filters.
INLINE void strided_run(const int spread, const cnn_gather *g, int64_t t0, int64_t t1, float *scratch) {
	const int64_t channels = g->a.c, n = g->b.n, panel = channels * NR, size = (n + NR - 1) / NR * panel;
	strided_factor left, product;
	float *rest = strided_lay(&left, scratch, t1 - t0, channels, 0);
	const strided_factor end = strided_transform(spread ? STRIDED_SPREAD : STRIDED_IMAGE, &g->a, g->out_first_h, g->out_first_w, 0, channels,
		t0, t1, left);
	for (int64_t j = 0; j < n; j += strided_cols) {
		const int64_t cols = n - j < strided_cols ? n - j : strided_cols;
		strided_lay(&product, rest, t1 - t0, cols, 0);
		for (int p = 0; p < strided_filters; p++)
			multiply(left.at[p], left.step, 1, (end.at[p] - left.at[p]) / left.step, channels, g->packed + p * size + j / NR * panel, panel,
				product.at[p], product.step, cols, 0);
		for (int64_t k = t0; k < t1; k++) {
			const strided_place t = strided_find(&g->a, k), later = strided_find(&g->a, k + fetch_ahead < t1 ? k + fetch_ahead : k);
			if (t.r == strided_m && t.s == strided_m)
				strided_pixels(spread, strided_m, strided_m, g, &t, &later, j, j + cols, &product);
			else
				strided_pixels(spread, t.r, t.s, g, &t, &later, j, j + cols, &product);
			strided_next(&product, t.r, t.s);
		}
	}
}

// winograd_scratch returns the floats of scratch that a task of a number of tiles needs.
static int64_t winograd_scratch(const cnn_gather *g, int64_t m, int64_t tiles) {
	return m == CNN_STRIDED ? strided_scratch(g, tiles) : winograd_forward_scratch(g, m, tiles);
}

// winograd computes tiles [t0, t1) of a convolution, or of its gradient by the input. g->packed holds the transformed filters.
static void winograd(int64_t m, const cnn_gather *g, int64_t t0, int64_t t1, float *scratch) {
	switch (m) {
	case 4: winograd_forward(4, g, t0, t1, scratch); break;
	case 2: winograd_forward(2, g, t0, t1, scratch); break;
	case CNN_FOUR: winograd_forward(CNN_FOUR, g, t0, t1, scratch); break;
	default:
		if (g->out_step_h == 1)
			strided_run(0, g, t0, t1, scratch);
		else
			strided_run(1, g, t0, t1, scratch);
	}
}
