// The gradient of filters by an image with few channels. The taps of a filter row are a few adjacent floats of the image; each is broadcast
// against the gradient of one pixel, whose filters fill the lanes. Nothing is packed, and the sums stay in registers for many pixels.

#if defined(ISA_AVX512)
enum { narrow_taps = 30 }; // accumulators: these, a vector of the gradient, and a broadcast that is part of the instruction
#else
enum { narrow_taps = 12 };
#endif

// narrow_block adds to sum, rows of ld floats, the products of taps floats of the image with v vectors of the gradient over the pixels of rows
// grid rows. x and dy are at the first pixel.
INLINE void narrow_block(const float *x, int64_t step, int64_t row, const float *dy, int64_t filters, int64_t rows, int64_t q, float *sum,
	int64_t ld, const int taps, const int v) {
	vf acc[narrow_taps];
	UNROLL for (int i = 0; i < taps * v; i++) acc[i] = vset(0);
	for (int64_t p = 0; p < rows; p++) {
		const float *in = x + p * row;
		for (int64_t j = 0; j < q; j++, in += step, dy += filters) {
			vf d[2];
			UNROLL for (int k = 0; k < v; k++) d[k] = vload(dy + k * VL);
			UNROLL for (int i = 0; i < taps; i++)
				UNROLL for (int k = 0; k < v; k++) acc[i * v + k] = vfma(d[k], vset(in[i]), acc[i * v + k]);
		}
	}
	UNROLL for (int i = 0; i < taps; i++)
		UNROLL for (int k = 0; k < v; k++) vstore(sum + i * ld + k * VL, vload(sum + i * ld + k * VL) + acc[i * v + k]);
}

typedef void (*narrow_func)(const float *, int64_t, int64_t, const float *, int64_t, int64_t, int64_t, float *, int64_t);

#define NARROW(T, V)                                                                                                                    \
	static void narrow_##T##_##V(const float *x, int64_t step, int64_t row, const float *dy, int64_t filters, int64_t rows, int64_t q,     \
		float *sum, int64_t ld) {                                                                                                      \
		narrow_block(x, step, row, dy, filters, rows, q, sum, ld, T, V);                                                               \
	}
#define NARROW_NAME(T, V) narrow_##T##_##V,
#define NARROW_6(X, V) X(1, V) X(2, V) X(3, V) X(4, V) X(5, V) X(6, V)
#define NARROW_12(X, V) NARROW_6(X, V) X(7, V) X(8, V) X(9, V) X(10, V) X(11, V) X(12, V)
#if defined(ISA_AVX512)
#define NARROW_2(X) NARROW_12(X, 2) X(13, 2) X(14, 2) X(15, 2)
#define NARROW_1(X)                                                                                                                     \
	NARROW_12(X, 1) X(13, 1) X(14, 1) X(15, 1) X(16, 1) X(17, 1) X(18, 1) X(19, 1) X(20, 1) X(21, 1) X(22, 1) X(23, 1) X(24, 1)      \
		X(25, 1) X(26, 1) X(27, 1) X(28, 1) X(29, 1) X(30, 1)
#else
#define NARROW_2(X) NARROW_6(X, 2)
#define NARROW_1(X) NARROW_12(X, 1)
#endif
NARROW_1(NARROW)
NARROW_2(NARROW)

static const narrow_func narrow_one[narrow_taps] = {NARROW_1(NARROW_NAME)}, narrow_two[narrow_taps / 2] = {NARROW_2(NARROW_NAME)};

// narrow_grid is the rows of a grid that are taken together, so that their gradients stay in the first-level cache.
static int64_t narrow_grid(const cnn_image *m, int64_t filters) {
	const int64_t rows = 4096 / (m->q * filters);
	return rows < 1 ? 1 : rows > m->p ? m->p : rows;
}

static int64_t narrow_height(const cnn_image *m, int64_t rows) { return (rows - 1) * m->step_h + (m->rows - 1) * m->dil_h + 1; }
static int64_t narrow_width(const cnn_image *m) { return ((m->q - 1) * m->step_w + m->cols) * m->c; }

// narrow_scratch returns the floats of scratch that a task needs: a part of an image with its padding.
static int64_t narrow_scratch(const cnn_image *m, int64_t filters) {
	return narrow_height(m, narrow_grid(m, filters)) * narrow_width(m) + VL;
}

// narrow_pad copies the rows of image that grid rows [p, p+rows) reach, with their padding.
static void narrow_pad(const cnn_image *m, const float *image, int64_t p, int64_t rows, float *dst) {
	const int64_t height = narrow_height(m, rows), width = narrow_width(m), size = m->w * m->c, from = m->first_w * m->c;
	const int64_t lo = from < 0 ? (-from < width ? -from : width) : 0, hi = from + width > size ? (size - from > lo ? size - from : lo) : width;
	for (int64_t r = 0; r < height; r++, dst += width) {
		const int64_t h = p * m->step_h + m->first_h + r;
		if ((uint64_t)h >= (uint64_t)m->h) {
			memset(dst, 0, 4 * (size_t)width);
			continue;
		}
		memset(dst, 0, 4 * (size_t)lo);
		copy_run(dst + lo, image + h * size + from + lo, hi - lo);
		memset(dst + hi, 0, 4 * (size_t)(width - hi));
	}
}

// narrow_filter writes the gradient of the filters over grid rows [row0, row1) of all images to sum, (rows·cols·c, filters), or adds it there.
// filters is a multiple of VL, and the windows' columns are not dilated.
static void narrow_filter(const cnn_image *m, const float *dy, int64_t filters, float *sum, int64_t row0, int64_t row1, int64_t accumulate,
	float *scratch) {
	const int64_t len = m->cols * m->c, grid = narrow_grid(m, filters), size = m->h * m->w * m->c;
	const int64_t last_h = (m->p - 1) * m->step_h + m->first_h + (m->rows - 1) * m->dil_h;
	const int64_t last_w = (m->q - 1) * m->step_w + m->first_w + m->cols - 1;
	const int padded = m->first_h < 0 || m->first_w < 0 || last_h >= m->h || last_w >= m->w;
	const int64_t row = padded ? narrow_width(m) : m->w * m->c;
	if (!accumulate)
		memset(sum, 0, 4 * (size_t)(m->rows * len * filters));
	for (int64_t i = row0, rows; i < row1; i += rows) {
		const int64_t p = i % m->p;
		rows = row1 - i < grid ? row1 - i : grid;
		if (rows > m->p - p)
			rows = m->p - p;
		const float *x = m->x + i / m->p * size;
		if (padded) {
			narrow_pad(m, x, p, rows, scratch);
			x = scratch;
		} else {
			x += (p * m->step_h + m->first_h) * row + m->first_w * m->c;
		}
		for (int64_t t = 0; t < m->rows; t++)
			for (int64_t k = 0; k < filters;) {
				const int v = filters - k >= 2 * VL ? 2 : 1;
				const int64_t most = narrow_taps / v, blocks = (len + most - 1) / most, taps = (len + blocks - 1) / blocks;
				for (int64_t u = 0; u < len; u += taps) {
					const int64_t n = len - u < taps ? len - u : taps;
					(v == 2 ? narrow_two : narrow_one)[n - 1](x + t * m->dil_h * row + u, m->step_w * m->c, m->step_h * row,
						dy + i * m->q * filters + k, filters, rows, m->q, sum + (t * len + u) * filters + k, filters);
				}
				k += v * VL;
			}
	}
}
