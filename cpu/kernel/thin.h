// Convolution of images of one channel, such as the first layer of LeNet-5, with few filters. A register tile would be mostly empty: so the
// lanes of a vector are neighbouring windows here, which is possible because the pixels of one channel are adjacent, and the filters' taps
// are broadcast. Windows are one column apart.

enum { thin_filters = 8, thin_span = 32, thin_vectors = thin_span / VL }; // a block: filters, and windows of one grid row

static int64_t thin_width(const cnn_image *m) { return (m->q + thin_span - 1) / thin_span * thin_span; }
static int64_t thin_columns(const cnn_image *m) { return thin_width(m) + (m->cols - 1) * m->dil_w; }
static int64_t thin_rows(const cnn_image *m) { return (m->p - 1) * m->step_h + (m->rows - 1) * m->dil_h + 1; }

// thin_scratch returns the floats of scratch that a task needs: a padded image, and the gradient of one image as planes.
static int64_t thin_scratch(const cnn_image *m, int64_t filters) {
	return thin_rows(m) * thin_columns(m) + (filters + 2) / 3 * 3 * m->p * thin_width(m) + VL;
}

// thin_pad copies image n with the padding that the windows reach, so that no window needs a test.
static void thin_pad(const cnn_image *m, int64_t n, float *dst) {
	const int64_t rows = thin_rows(m), cols = thin_columns(m);
	const int64_t lo = m->first_w < 0 ? -m->first_w : 0;
	const int64_t room = cols - lo, have = m->w - (m->first_w > 0 ? m->first_w : 0), len = have < 0 ? 0 : have < room ? have : room;
	memset(dst, 0, 4 * (size_t)(rows * cols));
	for (int64_t r = 0; r < rows; r++) {
		const int64_t h = r + m->first_h;
		if (h >= 0 && h < m->h && len > 0)
			memcpy(dst + r * cols + lo, m->x + (n * m->h + h) * m->w + (m->first_w > 0 ? m->first_w : 0), 4 * (size_t)len);
	}
}

// thin_block computes f filters of one span of windows; x is the padded image at the first of them. out is (f, span).
INLINE void thin_block(const cnn_image *m, const float *x, const float *weights, float *out, const int f) {
	vf acc[thin_filters][thin_vectors < 2 ? thin_vectors : 2];
	const int64_t taps = m->rows * m->cols, cols = thin_columns(m);
	const int pair = thin_vectors < 2 ? thin_vectors : 2;
	for (int part = 0; part < thin_vectors; part += pair) {
		UNROLL for (int k = 0; k < f; k++)
			UNROLL for (int v = 0; v < pair; v++) acc[k][v] = vset(0);
		const float *w = weights;
		for (int64_t t = 0; t < m->rows; t++)
			for (int64_t u = 0; u < m->cols; u++, w++) {
				const float *in = x + t * m->dil_h * cols + u * m->dil_w + part * VL;
				vf a[2];
				UNROLL for (int v = 0; v < pair; v++) a[v] = vload(in + v * VL);
				UNROLL for (int k = 0; k < f; k++) {
					const vf b = vset(w[k * taps]);
					UNROLL for (int v = 0; v < pair; v++) acc[k][v] = vfma(b, a[v], acc[k][v]);
				}
			}
		UNROLL for (int k = 0; k < f; k++)
			UNROLL for (int v = 0; v < pair; v++) vstore(out + k * thin_span + (part + v) * VL, acc[k][v]);
	}
}

// thin_forward computes images [n0, n1) of y, (n, p, q, filters).
static void thin_forward(const cnn_image *m, const float *weights, int64_t filters, float *y, const cnn_epilogue *e, int64_t n0, int64_t n1,
	float *scratch) {
	const int64_t taps = m->rows * m->cols, cols = thin_columns(m);
	float out[thin_filters * thin_span];
	for (int64_t n = n0; n < n1; n++) {
		thin_pad(m, n, scratch);
		for (int64_t p = 0; p < m->p; p++)
			for (int64_t q = 0; q < m->q; q += thin_span)
				for (int64_t k = 0; k < filters; k += thin_filters) {
					const float *x = scratch + p * m->step_h * cols + q, *w = weights + k * taps;
					const int64_t f = filters - k < thin_filters ? filters - k : thin_filters;
					switch (f) {
					case 1: thin_block(m, x, w, out, 1); break;
					case 2: thin_block(m, x, w, out, 2); break;
					case 3: thin_block(m, x, w, out, 3); break;
					case 4: thin_block(m, x, w, out, 4); break;
					case 5: thin_block(m, x, w, out, 5); break;
					case 6: thin_block(m, x, w, out, 6); break;
					case 7: thin_block(m, x, w, out, 7); break;
					default: thin_block(m, x, w, out, 8);
					}
					const int64_t span = m->q - q < thin_span ? m->q - q : thin_span;
					float *to = y + ((n * m->p + p) * m->q + q) * filters + k;
					for (int64_t j = 0; j < f; j++)
						for (int64_t i = 0; i < span; i++) to[i * filters + j] = out[j * thin_span + i];
				}
		float *image = y + n * m->p * m->q * filters;
		finish_rows(e, y, image, m->p * m->q, filters);
	}
}

enum { thin_pair = 3, thin_taps = 5 }; // accumulators of a block of the gradient: filters, taps of one filter row

// thin_products returns the sums over an image of dy planes [0, 3) times the image, for c taps from x on, in sum: (3, 5) vectors.
INLINE void thin_products(const cnn_image *m, const float *x, const float *dy, vf *sum, const int c) {
	const int64_t width = thin_width(m), cols = thin_columns(m), plane = m->p * width;
	vf acc[thin_pair][thin_taps];
	UNROLL for (int k = 0; k < thin_pair; k++)
		UNROLL for (int u = 0; u < c; u++) acc[k][u] = sum[k * thin_taps + u];
	for (int64_t p = 0; p < m->p; p++, x += m->step_h * cols, dy += width)
		for (int64_t q = 0; q < width; q += VL) {
			vf d[thin_pair];
			UNROLL for (int k = 0; k < thin_pair; k++) d[k] = vload(dy + k * plane + q);
			UNROLL for (int u = 0; u < c; u++) {
				const vf a = vload(x + q + u * m->dil_w);
				UNROLL for (int k = 0; k < thin_pair; k++) acc[k][u] = vfma(d[k], a, acc[k][u]);
			}
		}
	UNROLL for (int k = 0; k < thin_pair; k++)
		UNROLL for (int u = 0; u < c; u++) sum[k * thin_taps + u] = acc[k][u];
}

// thin_filter writes the gradient of the filters over images [n0, n1) to dw, (filters, rows, cols).
static void thin_filter(const cnn_image *m, const float *dy, int64_t filters, float *dw, int64_t n0, int64_t n1, float *scratch) {
	const int64_t width = thin_width(m), cols = thin_columns(m), plane = m->p * width, taps = m->rows * m->cols;
	float *planes = scratch + (thin_rows(m) * cols + VL - 1) / VL * VL;
	memset(planes, 0, 4 * (size_t)((filters + thin_pair - 1) / thin_pair * thin_pair * plane));
	memset(dw, 0, 4 * (size_t)(filters * taps));
	for (int64_t n = n0; n < n1; n++) {
		thin_pad(m, n, scratch);
		const float *d = dy + n * m->p * m->q * filters;
		for (int64_t p = 0; p < m->p; p++)
			for (int64_t k = 0; k < filters; k++)
				for (int64_t q = 0; q < m->q; q++) planes[k * plane + p * width + q] = d[(p * m->q + q) * filters + k];
		for (int64_t k = 0; k < filters; k += thin_pair)
			for (int64_t t = 0; t < m->rows; t++)
				for (int64_t u = 0; u < m->cols; u += thin_taps) {
					const float *x = scratch + t * m->dil_h * cols + u * m->dil_w, *g = planes + k * plane;
					const int64_t c = m->cols - u < thin_taps ? m->cols - u : thin_taps;
					vf sum[thin_pair * thin_taps];
					for (int i = 0; i < thin_pair * thin_taps; i++) sum[i] = vset(0);
					switch (c) {
					case 1: thin_products(m, x, g, sum, 1); break;
					case 2: thin_products(m, x, g, sum, 2); break;
					case 3: thin_products(m, x, g, sum, 3); break;
					case 4: thin_products(m, x, g, sum, 4); break;
					default: thin_products(m, x, g, sum, 5);
					}
					for (int64_t i = 0; i < thin_pair && k + i < filters; i++)
						for (int64_t j = 0; j < c; j++) dw[(k + i) * taps + t * m->cols + u + j] += vsum(sum[i * thin_taps + j]);
				}
	}
}
