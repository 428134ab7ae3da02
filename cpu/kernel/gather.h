// Products whose left factor is gathered from an image, or is a row-major matrix: see cnn_gather.
//
// The sum is cut into chunks so that a chunk of MR rows of A stays in the first-level cache (MR·640 floats are 30 KB at most, and
// neighbouring windows overlap) and a chunk of all columns of B in the second-level cache. For each MR rows, all panels of B pass by.

enum { max_depth = 640, max_runs = 64, panel_floats = 160 << 10 };

// runs describes a row of the lowered image as runs of adjacent floats.
typedef struct {
	int64_t count, len;
	int joined; // a run is all taps of one window row rather than one tap
} runs;

INLINE runs image_runs(const cnn_image *a) {
	if (a->cols > 1 && a->stride == a->c && a->dil_w == 1)
		return (runs){a->rows, a->cols * a->c, 1};
	return (runs){a->rows * a->cols, a->c, 0};
}

// depth_of returns how many steps of the sum a chunk has at most, for a number of columns.
INLINE int64_t depth_of(int64_t cols) {
	const int64_t fit = panel_floats / ((cols + NR - 1) / NR * NR);
	return fit > max_depth ? max_depth : fit < 192 ? 192 : fit;
}

// A chunk is count whole runs from run first on, or a part [off, off+len) of a single one.
typedef struct { int64_t first, count, off, len; } chunk;

// next_chunk moves on to the following chunk and reports whether there is one. It starts from {0}. Parts of a long run are of even length.
INLINE int next_chunk(runs r, int64_t depth, chunk *c) {
	if (r.len > depth) {
		const int64_t parts = (r.len + depth - 1) / depth, size = (r.len + parts - 1) / parts;
		if (c->count) {
			c->off += c->len;
			if (c->off == r.len)
				c->off = 0, c->first++;
		}
		c->count = 1;
		c->len = r.len - c->off < size ? r.len - c->off : size;
		return c->first < r.count;
	}
	int64_t most = depth / r.len < max_runs ? depth / r.len : max_runs;
	const int64_t parts = (r.count + most - 1) / most;
	most = (r.count + parts - 1) / parts;
	c->first += c->count;
	c->count = r.count - c->first < most ? r.count - c->first : most;
	c->len = r.len;
	return c->count > 0;
}

static const float zeros[max_depth] __attribute__((aligned(64)));

// copy_run copies n floats and touches no others.
INLINE void copy_run(float *dst, const float *src, int64_t n) {
	for (; n >= VL; n -= VL, dst += VL, src += VL) vstore(dst, vload(src));
	if (n > 0)
		vstoren(dst, vloadn(src, n), n);
}

// A window is a position of the grid.
typedef struct { int64_t n, p, q; } window;

INLINE window window_at(const cnn_image *a, int64_t i) { return (window){i / a->q / a->p, i / a->q % a->p, i % a->q}; }

INLINE void window_next(const cnn_image *a, window *at) {
	if (++at->q == a->q) {
		at->q = 0;
		if (++at->p == a->p)
			at->p = 0, at->n++;
	}
}

// border returns where the floats of a run are that does not lie inside its image row: zeros if it lies outside altogether, else a copy
// in patch. from is where it begins, in floats from the row's first; size is the row's length.
static const float *border(const float *row, int64_t from, int64_t len, int64_t size, float *patch) {
	if (from + len <= 0 || from >= size)
		return zeros;
	const int64_t lo = from < 0 ? -from : 0, hi = from + len > size ? size - from : len;
	for (int64_t k = 0; k < lo; k += VL) vstore(patch + k, vset(0));
	copy_run(patch + lo, row + from + lo, hi - lo);
	for (int64_t k = hi; k < len; k++) patch[k] = 0;
	return patch;
}

// run_offsets lists where the runs of chunk c begin, in floats from a window's first pixel.
INLINE void run_offsets(const cnn_image *m, runs r, const chunk *c, int64_t *offsets) {
	const int64_t cols = r.joined ? 1 : m->cols; // runs of a window row
	for (int64_t i = 0; i < c->count; i++) {
		const int64_t t = (c->first + i) / cols, u = (c->first + i) % cols;
		offsets[i] = (t * m->dil_h * m->w + u * m->dil_w) * m->stride + c->off;
	}
}

// point finds the runs of chunk c for one window: a[i·MR] is where run i begins.
INLINE void point(const cnn_image *m, runs r, const chunk *c, window at, const float **a, float *patch) {
	const int64_t h0 = at.p * m->step_h + m->first_h, w0 = at.q * m->step_w + m->first_w, size = m->w * m->stride;
	const float *image = m->x + at.n * m->h * size;
	if (r.joined) {
		const int64_t from = w0 * m->stride + c->off;
		const int inside = from >= 0 && from + c->len <= size;
		for (int64_t i = 0; i < c->count; i++, a += MR) {
			const int64_t h = h0 + (c->first + i) * m->dil_h;
			if ((uint64_t)h >= (uint64_t)m->h)
				*a = zeros;
			else if (inside)
				*a = image + h * size + from;
			else
				*a = border(image + h * size, from, c->len, size, patch + i * c->len);
		}
		return;
	}
	int64_t t = c->first / m->cols, u = c->first % m->cols;
	for (int64_t i = 0; i < c->count; i++, a += MR) {
		const int64_t h = h0 + t * m->dil_h, w = w0 + u * m->dil_w;
		*a = (uint64_t)h < (uint64_t)m->h && (uint64_t)w < (uint64_t)m->w ? image + h * size + w * m->stride + c->off : zeros;
		if (++u == m->cols)
			u = 0, t++;
	}
}

// gather_scratch returns the floats of scratch that a task over cols columns needs.
static int64_t gather_scratch(const cnn_gather *g, int64_t cols) {
	const int64_t depth = depth_of(cols), panels = (cols + NR - 1) / NR;
	return MR * max_depth + VL + (g->packed ? 0 : panels * NR * depth);
}

// gather computes rows [i0, i1) and columns [j0, j1) of the result; j0 is a multiple of NR.
static void gather(const cnn_gather *g, int64_t i0, int64_t i1, int64_t j0, int64_t j1, float *scratch) {
	const cnn_image *m = &g->a;
	const runs r = image_runs(m);
	const int64_t total = r.count * r.len, limit = depth_of(j1 - j0);
	const int finishes = g->epilogue.bias || g->epilogue.residual || g->epilogue.act;
	float *patch = scratch, *own = scratch + MR * max_depth + VL;
	const float *a[max_runs * MR], *pixel[MR] = {0}; // where runs begin, and windows
	int64_t offsets[max_runs];
	float *c[MR], *cj[MR];
	// Along a row of the grid both the image and the result go by in even steps.
	const int64_t step = m->step_w * m->stride, out_step = g->out_step_w * g->out_stride;
	const int64_t end_h = m->h - (m->rows - 1) * m->dil_h, end_w = m->w - (m->cols - 1) * m->dil_w;
	const float *line = NULL;
	float *out = NULL;
	int high = 0; // whether no window of the row has taps above or below the image
	chunk k = {0};
	for (int64_t d = 0; next_chunk(r, limit, &k); d += k.count * k.len) {
		const int64_t depth = k.count * k.len;
		const float *panel = own;
		int64_t size = depth * NR; // of a panel
		if (g->packed) {
			panel = g->packed + j0 * total + d * NR;
			size = total * NR;
		} else {
			for (int64_t j = j0; j < j1; j += NR) pack_block(&g->b, j, d, d + depth, own + (j - j0) * depth);
		}
		run_offsets(m, r, &k, offsets);
		window at = window_at(m, i0);
		tile t = {.a = a, .runs = k.count, .len = k.len, .step = 1, .c = cj, .add = d > 0 || g->accumulate};
		for (int64_t i = i0; i < i1; i += MR) {
			const int64_t rows = i1 - i < MR ? i1 - i : MR;
			window begin = at;
			int inside = 1; // whether no tap of these windows lies outside the image
			for (int64_t s = 0; s < rows; s++, window_next(m, &at)) {
				if (s == 0 || at.q == 0) {
					const int64_t h = at.p * m->step_h + m->first_h;
					high = h >= 0 && h < end_h;
					line = m->x + ((at.n * m->h + h) * m->w + m->first_w) * m->stride;
					out = g->y + ((at.n * g->out_h + at.p * g->out_step_h + g->out_first_h) * g->out_w + g->out_first_w) * g->out_stride;
				}
				const int64_t w = at.q * m->step_w + m->first_w;
				inside &= high && w >= 0 && w < end_w;
				pixel[s] = line + at.q * step;
				c[s] = out + at.q * out_step;
			}
			if (inside) {
				for (int64_t j = 0; j < k.count; j++)
					UNROLL for (int s = 0; s < MR; s++) a[j * MR + s] = pixel[s] + offsets[j];
			} else {
				for (int64_t s = 0; s < rows; s++, window_next(m, &begin)) point(m, r, &k, begin, a + s, patch + s * depth);
			}
			for (int64_t j = j0; j < j1; j += NR) {
				t.b = panel + (j - j0) / NR * size;
				t.n = j1 - j < NR ? j1 - j : NR;
				for (int64_t s = 0; s < rows; s++) cj[s] = c[s] + j;
				tile_run(&t, rows);
				if (finishes && d + depth == total)
					finish(&g->epilogue, g->y, cj, rows, j, t.n);
			}
		}
	}
}
