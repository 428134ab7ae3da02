// Convolutions at stride 1 by Winograd's minimal filtering F(m x m, 3x3), m = 4 or 2, or F(4x4, 4x4) (Lavin and Gray, arXiv:1509.09308).
//
// The output is cut into tiles of m x m pixels, each of which depends on t x t pixels of the input, t = m+2 or 7. In the transformed domain the
// convolution of a tile is an elementwise product, so that for all tiles together it is t² matrix products, one for each position of the
// transformed tile: 36 multiplications instead of 144 for m = 4, 16 instead of 36 for m = 2, 49 instead of 256 for F(4x4, 4x4). The transforms go over
// vectors of channels.
//
// A task transforms a block of tiles, multiplies, and transforms back, all in scratch memory that stays in the caches. Position i of
// a block's transformed input is a matrix (tiles, channels).

// Filters are transformed from a copy of filter_chunk channels, which the first-level cache holds with room to spare, and fetched filter_ahead channels
// before that.
enum { filter_chunk = 8, filter_ahead = 64 };

enum { max_taps = 4, max_outputs = 4, max_values = max_outputs + max_taps - 1 }; // along one axis

// outputs and filter_taps return how many outputs a tile has along one axis, and how many taps a filter; transform_size how many values a transformed
// filter, and, at stride 1, a transformed tile.
INLINE int outputs(int64_t m) { return m == CNN_FOUR ? 4 : (int)m; }
INLINE int filter_taps(int64_t m) { return m == CNN_FOUR ? 4 : 3; }
INLINE int transform_size(int64_t m) { return m == CNN_STRIDED ? strided_values : outputs(m) + filter_taps(m) - 1; }

// filter_positions returns how many values a transformed filter has.
INLINE int filter_positions(int64_t m) { return transform_size(m) * transform_size(m); }

// minimal applies a one-dimensional transform of m, at stride 2 of whole tiles.
INLINE void minimal(const int m, const int op, const vf *x, const int sx, vf *y, const int sy) {
	if (m == 4)
		minimal4(op, x, sx, y, sy);
	else if (m == 2)
		minimal2(op, x, sx, y, sy);
	else if (m == CNN_FOUR)
		minimal_four(op, x, sx, y, sy);
	else
		minimal_strided(op, strided_m, x, sx, y, sy);
}

// A tiling is the tiles over the windows of an image. Along an axis whose length m does not divide, the last tiles have m-1 outputs, as many as it takes
// for none to overlap and none to stand out: 14 is 4+4+3+3 (only 1, 2 and 5 cannot be had that way). Only the last output of a tile depends on the
// last of its positions, so that F(m-1, r) is F(m, r) without it, and its products need not be computed where a tile has fewer outputs.
//
// Tiles are numbered so that those which need a position have numbers in a row: first, of all images, those with m rows and fewer columns, then
// those with m of both, then fewer rows and m columns, then fewer of both.
typedef struct {
	int64_t down, across; // tiles of an image
	int64_t tall, wide;   // the first of them, which have m rows or m columns
	int64_t end[5];       // end[i+1] is the end of group i
} tiling;

// A place is that of a tile: its image, its first output, and how many outputs it has.
typedef struct { int64_t n, p, q, rows, cols; } place;

// A range is first, ..., last-1.
typedef struct { int64_t first, last; } range;

// whole_tiles returns how many of the tiles along an axis of n outputs have m of them.
INLINE int64_t whole_tiles(int64_t n, int64_t m) {
	const int64_t all = (n + m - 1) / m, missing = all * m - n;
	return all > missing ? all - missing : 0;
}

INLINE tiling tiles_of(const cnn_image *a, int64_t kind) {
	const int64_t m = outputs(kind);
	tiling g = {.down = (a->p + m - 1) / m, .across = (a->q + m - 1) / m, .tall = whole_tiles(a->p, m), .wide = whole_tiles(a->q, m)};
	g.end[1] = a->n * g.tall * (g.across - g.wide);
	g.end[2] = a->n * g.tall * g.across;
	g.end[3] = g.end[2] + a->n * (g.down - g.tall) * g.wide;
	g.end[4] = a->n * g.down * g.across;
	return g;
}

// tile_place returns the place of tile k.
INLINE place tile_place(const tiling *g, const cnn_image *a, int64_t kind, int64_t k) {
	const int64_t m = outputs(kind);
	int group = 0;
	while (k >= g->end[group + 1]) group++;
	k -= g->end[group];
	const int64_t short_p = group >= 2, short_q = group == 0 || group == 3; // 1 or 0
	const int64_t down = short_p ? g->down - g->tall : g->tall, across = short_q ? g->across - g->wide : g->wide;
	const int64_t i = k / across % down, j = k % across;
	place t = {.n = k / across / down, .p = short_p * g->tall * m + i * (m - short_p), .q = short_q * g->wide * m + j * (m - short_q)};
	t.rows = a->p - t.p < m - short_p ? a->p - t.p : m - short_p;
	t.cols = a->q - t.q < m - short_q ? a->q - t.q : m - short_q;
	return t;
}

// tiles_needing returns those of tiles [t0, t1) that need a position; first is the end of the range if there are none.
INLINE range tiles_needing(const tiling *g, int64_t m, int64_t position, int64_t t0, int64_t t1) {
	const int t = transform_size(m), low = position / t == t - 1, right = position % t == t - 1; // the last along either axis
	const int64_t first = right ? g->end[1] : 0, last = low ? g->end[2] : right ? g->end[3] : g->end[4];
	range r = {first > t0 ? first : t0, last < t1 ? last : t1};
	if (r.first > r.last)
		r.first = r.last;
	return r;
}

// position_stride returns how far apart the matrices of two positions of size floats lie: whole lines, an odd number of them, so
// that the positions of one element do not all fall into one set of a cache.
INLINE int64_t position_stride(int64_t size) { return (size + 31) / 32 * 32 + 16; }

INLINE int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// fetch_ahead is how many tiles before its own turn a tile is fetched.
enum { fetch_ahead = 2 };

// transform_tile applies transform op to a tile of size x size pixels at x for channels [0, c), of which rows [r0, r1) and columns [c0, c1) lie
// inside the image; the rest is zero. pixel and row are the distances between pixels. Position i of channel j is stored at
// dst + i·stride + j/NR·panel + j%NR. A later tile, at later, is fetched: the rows of a tile are too short for the processor to see where they lead.
INLINE void transform_tile(const int m, const int op, const int size, const float *x, int64_t row, int64_t pixel, int64_t channels,
	int64_t r0, int64_t r1, int64_t c0, int64_t c1, const float *later, float *dst, int64_t stride, int64_t panel) {
	const int t = transform_size(m), whole = r0 == 0 && r1 == size;
	// Where some rows are outside, those inside are read in their places, and count for nothing there.
	int64_t from[max_values];
	vf inside[max_values];
	for (int i = 0; i < size; i++) {
		from[i] = (i < r0 ? r0 : i < r1 ? i : r1 - 1) * row;
		inside[i] = vset(i >= r0 && i < r1);
	}
	if (r0 >= r1)
		c1 = c0;
	for (int64_t c = 0; c < channels; c += VL) {
		vf half[max_values * max_values], in[max_values], out[max_values];
		const int64_t n = channels - c < VL ? channels - c : VL;
		for (int j = 0; j < size; j++) {
			if (c % cache_line == 0)
				UNROLL for (int i = 0; i < size; i++) fetch(later + i * row + j * pixel + c);
			const float *at = x + j * pixel + c;
			if (j < c0 || j >= c1) {
				UNROLL for (int i = 0; i < t; i++) half[i * size + j] = vset(0);
				continue;
			}
			if (n < VL)
				UNROLL for (int i = 0; i < size; i++) in[i] = vpositive(inside[i], vloadn(at + from[i], n));
			else if (whole)
				UNROLL for (int i = 0; i < size; i++) in[i] = vload(at + i * row);
			else
				UNROLL for (int i = 0; i < size; i++) in[i] = vpositive(inside[i], vload(at + from[i]));
			minimal(m, op, in, 1, half + j, size);
		}
		float *to = dst + c / NR * panel + c % NR;
		for (int i = 0; i < t; i++, to += t * stride) {
			minimal(m, op, half + i * size, 1, out, 1);
			UNROLL for (int j = 0; j < t; j++) vstore(to + j * stride, out[j]);
		}
	}
}

// transform_tiles transforms channels [c0, c1) of what tiles [t0, t1) read of an image, or, where op is that of the
// gradient of the output, the pixels of the outputs themselves. Position i of tile k is stored from dst + i·stride + (k-t0)·step on.
INLINE void transform_tiles(const int m, const int op, const cnn_image *a, int64_t c0, int64_t c1, int64_t t0, int64_t t1, float *dst,
	int64_t stride, int64_t step, int64_t panel) {
	const tiling g = tiles_of(a, m);
	const int size = op == MINIMAL_INPUT ? transform_size(m) : outputs(m);
	const int64_t row = a->w * a->stride;
	for (int64_t k = t0; k < t1; k++, dst += step) {
		const place t = tile_place(&g, a, m, k), later = tile_place(&g, a, m, k + fetch_ahead < t1 ? k + fetch_ahead : k);
		const int64_t h = t.p + a->first_h, w = t.q + a->first_w;
		const int64_t down = op == MINIMAL_INPUT ? a->h - h : t.rows, across = op == MINIMAL_INPUT ? a->w - w : t.cols;
		const float *x = a->x + ((t.n * a->h + h) * a->w + w) * a->stride + c0;
		transform_tile(m, op, size, x, row, a->stride, c1 - c0, h < 0 ? -h : 0, down < size ? down : size, w < 0 ? -w : 0,
			across < size ? across : size, x + ((later.n - t.n) * a->h + later.p - t.p) * row + (later.q - t.q) * a->stride, dst, stride,
			panel);
	}
}

// fetch_taps fetches channels [c, c+filter_chunk) of a panel of filters from column j on.
INLINE void fetch_taps(const cnn_factor *f, int64_t j, int64_t c) {
	const int by_channel = f->step_col == 1;
	const int64_t runs = by_channel ? filter_chunk : NR, step = by_channel ? f->step_j : f->step_col, len = by_channel ? NR : filter_chunk;
	for (int k = 0; k < f->rows * f->cols; k++) {
		const float *w = f->w + k / f->cols * f->step_t + k % f->cols * f->step_u + c * f->step_j + j * f->step_col;
		for (int64_t i = 0; i < runs; i++, w += step)
			for (int64_t v = 0; v < len; v += cache_line) fetch(w + v);
	}
}

// transform_filters transforms columns [j0, j1) and channels [c0, c1) of filters; j0 is a multiple of NR. Position i of u is a packed right factor,
// panels (c1-c0, NR), from u + i·stride on.
INLINE void transform_filters(const int m, const cnn_factor *f, int64_t j0, int64_t j1, int64_t c0, int64_t c1, float *u, int64_t stride,
	int64_t panel) {
	float taps[max_taps * max_taps * filter_chunk * NR];
	const int t = transform_size(m), size = filter_taps(m);
	for (int64_t j = j0; j < j1; j += NR, u += panel)
		for (int64_t c = c0; c < c1; c += filter_chunk) {
			const int64_t count = c1 - c < filter_chunk ? c1 - c : filter_chunk;
			for (int64_t k = 0; k < size * size; k++) pack_block(f, j, k * f->c + c, k * f->c + c + count, taps + k * count * NR);
			if (c + filter_ahead < f->c)
				fetch_taps(f, j, c + filter_ahead);
			float *dst = u + (c - c0) * NR;
			const int64_t columns = j1 - j < NR ? round_up(j1 - j, VL) : NR;
			for (int64_t i = 0; i < count; i++)
				for (int64_t v = 0; v < columns; v += VL) {
					const float *from = taps + i * NR + v;
					vf in[max_taps], half[max_values * max_taps], out[max_values];
					for (int s = 0; s < size; s++) {
						UNROLL for (int r = 0; r < size; r++) in[r] = vload(from + (r * size + s) * count * NR);
						minimal(m, MINIMAL_FILTER, in, 1, half + s, size);
					}
					float *to = dst + i * NR + v;
					for (int r = 0; r < t; r++, to += t * stride) {
						minimal(m, MINIMAL_FILTER, half + r * size, 1, out, 1);
						UNROLL for (int s = 0; s < t; s++) vstore(to + s * stride, out[s]);
					}
				}
		}
}

// winograd_filters transforms panels [panel0, panel1) of filters: position i of u is the packed right factor (panels, f->c, NR).
static void winograd_filters(int64_t m, const cnn_factor *f, int64_t panel0, int64_t panel1, float *u) {
	const int64_t panel = f->c * NR, stride = round_up(f->n, NR) * f->c, j0 = panel0 * NR, j1 = panel1 * NR < f->n ? panel1 * NR : f->n;
	u += panel0 * panel;
	switch (m) {
	case 4: transform_filters(4, f, j0, j1, 0, f->c, u, stride, panel); break;
	case 2: transform_filters(2, f, j0, j1, 0, f->c, u, stride, panel); break;
	case CNN_FOUR: transform_filters(CNN_FOUR, f, j0, j1, 0, f->c, u, stride, panel); break;
	default: transform_filters(CNN_STRIDED, f, j0, j1, 0, f->c, u, stride, panel);
	}
}

// store_output finishes a vector of count elements of the result, to be stored at to.
INLINE void store_output(const cnn_gather *g, float *to, vf v, vf bias, int64_t count) {
	const cnn_epilogue *e = &g->epilogue;
	if (g->accumulate)
		v += vloadn(to, count);
	v += bias;
	if (e->residual)
		v += vloadn(e->residual + (to - g->y), count);
	if (e->act == CNN_RELU)
		v = vmax(vset(0), v);
	else if (e->act)
		v = vact(e->act, v);
	if (count == VL)
		vstore(to, v);
	else
		vstoren(to, v, count);
}

// transform_output transforms the products of tiles [t0, t1) back to columns [j0, j1) of the result. Position i of tile k and column j
// is at x + i·stride + (k-t0)·step + j-j0. Like transform_tile, it fetches the pixels of a later tile.
INLINE void transform_output(const int m, const cnn_gather *g, int64_t t0, int64_t t1, int64_t j0, int64_t j1, const float *x,
	int64_t stride, int64_t step) {
	const tiling grid = tiles_of(&g->a, m);
	const int t = transform_size(m);
	for (int64_t k = t0; k < t1; k++, x += step) {
		const place at = tile_place(&grid, &g->a, m, k), later = tile_place(&grid, &g->a, m, k + fetch_ahead < t1 ? k + fetch_ahead : k);
		float *y = g->y + ((at.n * g->out_h + at.p) * g->out_w + at.q) * g->out_stride;
		const float *ahead = g->y + ((later.n * g->out_h + later.p) * g->out_w + later.q) * g->out_stride;
		for (int64_t j = j0; j < j1; j += VL) {
			vf half[max_values * max_outputs], in[max_values], out[max_outputs];
			for (int c = 0; c < t; c++) {
				UNROLL for (int r = 0; r < t; r++) in[r] = vload(x + (r * t + c) * stride + j - j0);
				minimal(m, MINIMAL_OUTPUT, in, 1, half + c, t);
			}
			const int64_t count = j1 - j < VL ? j1 - j : VL;
			const vf bias = g->epilogue.bias ? vloadn(g->epilogue.bias + j, count) : vset(0);
			for (int64_t r = 0; r < at.rows; r++) {
				minimal(m, MINIMAL_OUTPUT, half + r * t, 1, out, 1);
				float *to = y + r * g->out_w * g->out_stride + j;
				if (j % cache_line == 0)
					UNROLL for (int c = 0; c < outputs(m); c++) fetch(ahead + (r * g->out_w + c) * g->out_stride + j);
				for (int64_t c = 0; c < at.cols; c++, to += g->out_stride) store_output(g, to, out[c], bias, count);
			}
		}
	}
}

// multiply computes product (rows, n) = left (rows, depth)·right, with the right factor in panels; element (i, d) of the left factor is at
// left + i·row + d·step. Long sums are cut into chunks, which keeps their error small and a panel in the caches nearby.
INLINE void multiply(const float *left, int64_t row, int64_t step, int64_t rows, int64_t depth, const float *right, int64_t panel, float *product,
	int64_t ld, int64_t n, int add) {
	enum { longest = 512 };
	const float *a[MR];
	float *c[MR];
	const int64_t parts = (depth + longest - 1) / longest, size = (depth + parts - 1) / parts;
	for (int64_t d = 0; d < depth; d += size) {
		tile t = {.a = a, .runs = 1, .len = depth - d < size ? depth - d : size, .step = step, .c = c, .add = add || d > 0};
		for (int64_t j = 0; j < n; j += NR) {
			t.b = right + j / NR * panel + d * NR;
			t.n = n - j < NR ? n - j : NR;
			for (int64_t i = 0; i < rows; i += MR) {
				const int64_t count = rows - i < MR ? rows - i : MR;
				for (int64_t r = 0; r < count; r++) {
					a[r] = left + (i + r) * row + d * step;
					c[r] = product + (i + r) * ld + j;
				}
				tile_run(&t, count);
			}
		}
	}
}

// A winograd_layout says where the parts of a block lie in scratch memory.
typedef struct { int64_t ld, left, ldp, product; } winograd_layout;

INLINE winograd_layout winograd_forward_layout(int64_t channels, int64_t tiles, int64_t cols) {
	winograd_layout l = {.ld = round_up(channels, VL), .ldp = round_up(cols, VL)};
	l.left = position_stride(l.ld * tiles), l.product = position_stride(l.ldp * tiles);
	return l;
}

enum { winograd_cols = 64 }; // columns that are multiplied before they are transformed back

INLINE int64_t winograd_forward_scratch(const cnn_gather *g, int64_t m, int64_t tiles) {
	const winograd_layout l = winograd_forward_layout(g->a.c, tiles, g->b.n < winograd_cols ? g->b.n : winograd_cols);
	return filter_positions(m) * (l.left + l.product);
}

// winograd_forward computes the windows of tiles [t0, t1) of a convolution at stride 1. g->packed holds the transformed filters.
INLINE void winograd_forward(const int m, const cnn_gather *g, int64_t t0, int64_t t1, float *scratch) {
	const int positions = filter_positions(m);
	const int64_t channels = g->a.c, n = g->b.n, panel = channels * NR, tiles = t1 - t0;
	const winograd_layout l = winograd_forward_layout(channels, tiles, n < winograd_cols ? n : winograd_cols);
	const tiling grid = tiles_of(&g->a, m);
	float *product = scratch + positions * l.left;
	transform_tiles(m, MINIMAL_INPUT, &g->a, 0, channels, t0, t1, scratch, l.left, l.ld, NR);
	for (int64_t j = 0; j < n; j += winograd_cols) {
		const int64_t cols = n - j < winograd_cols ? n - j : winograd_cols;
		for (int64_t i = 0; i < positions; i++) {
			const range k = tiles_needing(&grid, m, i, t0, t1);
			multiply(scratch + i * l.left + (k.first - t0) * l.ld, l.ld, 1, k.last - k.first, channels,
				g->packed + i * round_up(n, NR) * channels + j / NR * panel, panel, product + i * l.product + (k.first - t0) * l.ldp,
				l.ldp, cols, 0);
		}
		transform_output(m, g, t0, t1, j, j + cols, product, l.product, l.ldp);
	}
}
