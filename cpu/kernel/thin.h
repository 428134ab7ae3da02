// Convolution of images of one channel, such as the first layer of LeNet-5, with few filters. A register tile would be mostly empty: so the
// lanes of a vector are neighbouring windows here, which is possible because the pixels of one channel are adjacent, and the filters' taps
// are broadcast. Windows are one column apart.

enum { thin_filters = 8, thin_span = 32, thin_vectors = thin_span / VL }; // a block: filters, and windows of one grid row
enum { thin_pair = 3, thin_taps = 5 }; // accumulators of a block of the gradient: filters, taps of one filter row

static int64_t thin_width(const cnn_image *m) { return (m->q + thin_span - 1) / thin_span * thin_span; }
static int64_t thin_columns(const cnn_image *m) { return thin_width(m) + (m->cols - 1) * m->dil_w; }
static int64_t thin_rows(const cnn_image *m) { return (m->p - 1) * m->step_h + (m->rows - 1) * m->dil_h + 1; }

// thin_image is the number of floats of a padded image, in whole vectors.
static int64_t thin_image(const cnn_image *m) { return (thin_rows(m) * thin_columns(m) + VL - 1) / VL * VL; }

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

// thin_interleave writes span windows of f planes, plane floats apart, as pixels of filters channels. Four planes of four windows at a time
// are transposed; what that writes beyond the last plane, the next pixel overwrites, if all filters are there.
INLINE void thin_interleave(float *to, const float *from, int64_t plane, int64_t span, int64_t f, int64_t filters) {
	int64_t whole = f == filters && f > 1 ? (f + 3) / 4 * 4 : f / 4 * 4;
	int64_t i = 0;
	if (whole > thin_filters)
		whole = thin_filters;
	// The last pixels would write beyond the row.
	for (; whole && i + 4 < span; i += 4)
		for (int64_t j = whole - 4; j >= 0; j -= 4) {
			const float *s = from + j * plane + i;
			const v4 a = *(const v4u *)s, b = *(const v4u *)(s + plane), c = *(const v4u *)(s + 2 * plane), d = *(const v4u *)(s + 3 * plane);
			const v4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), AB = __builtin_shufflevector(a, b, 2, 6, 3, 7);
			const v4 cd = __builtin_shufflevector(c, d, 0, 4, 1, 5), CD = __builtin_shufflevector(c, d, 2, 6, 3, 7);
			float *t = to + i * filters + j;
			*(v4u *)t = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
			*(v4u *)(t + filters) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
			*(v4u *)(t + 2 * filters) = __builtin_shufflevector(AB, CD, 0, 1, 4, 5);
			*(v4u *)(t + 3 * filters) = __builtin_shufflevector(AB, CD, 2, 3, 6, 7);
		}
	const int64_t done = i;
	for (; i < span; i++)
		for (int64_t j = 0; j < f; j++) to[i * filters + j] = from[j * plane + i];
	for (int64_t j = whole; j < f; j++)
		for (i = 0; i < done; i++) to[i * filters + j] = from[j * plane + i];
}

// thin_planes is the inverse: it writes a row of n pixels of filters channels to planes, plane floats apart.
static void thin_planes(float *to, int64_t plane, const float *from, int64_t n, int64_t filters) {
	int64_t i = 0;
	// The last pixels would be read beyond the image.
	for (; filters > 1 && i + 8 < n; i += 4)
		for (int64_t j = 0; j < filters; j += 4) {
			const float *s = from + i * filters + j;
			const v4 a = *(const v4u *)s, b = *(const v4u *)(s + filters), c = *(const v4u *)(s + 2 * filters), d = *(const v4u *)(s + 3 * filters);
			const v4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), AB = __builtin_shufflevector(a, b, 2, 6, 3, 7);
			const v4 cd = __builtin_shufflevector(c, d, 0, 4, 1, 5), CD = __builtin_shufflevector(c, d, 2, 6, 3, 7);
			float *t = to + j * plane + i;
			*(v4u *)t = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
			if (j + 1 < filters)
				*(v4u *)(t + plane) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
			if (j + 2 < filters)
				*(v4u *)(t + 2 * plane) = __builtin_shufflevector(AB, CD, 0, 1, 4, 5);
			if (j + 3 < filters)
				*(v4u *)(t + 3 * plane) = __builtin_shufflevector(AB, CD, 2, 3, 6, 7);
		}
	for (int64_t j = 0; j < filters; j++)
		for (int64_t k = i; k < n; k++) to[j * plane + k] = from[k * filters + j];
}

// thin_block computes f filters of one span of windows; x is the padded image at the first of them. The first n results of each
// filter are written, the filters plane floats apart.
INLINE void thin_block(const cnn_image *m, const float *x, const float *weights, const float *bias, float *out, int64_t plane, int64_t n,
	const int f) {
	vf acc[thin_filters][thin_vectors < 2 ? thin_vectors : 2];
	const int64_t taps = m->rows * m->cols, cols = thin_columns(m);
	const int pair = thin_vectors < 2 ? thin_vectors : 2;
	for (int part = 0; part < thin_vectors; part += pair) {
		UNROLL for (int k = 0; k < f; k++)
			UNROLL for (int v = 0; v < pair; v++) acc[k][v] = vset(bias[k]);
		const float *w = weights;
		for (int64_t t = 0; t < m->rows; t++)
			for (int64_t u = 0; u < m->cols; u++, w++) {
				const float *in = x + t * m->dil_h * cols + u * m->dil_w + part * VL;
				vf a[2];
				UNROLL for (int v = 0; v < pair; v++) {
					a[v] = vload(in + v * VL);
					VKEEP(a[v]);
				}
				UNROLL for (int k = 0; k < f; k++) {
					const vf b = vset(w[k * taps]);
					UNROLL for (int v = 0; v < pair; v++) acc[k][v] = vfma(b, a[v], acc[k][v]);
				}
			}
		UNROLL for (int v = 0; v < pair; v++) {
			const int64_t from = (part + v) * VL, rest = n - from;
			if (rest >= VL)
				UNROLL for (int k = 0; k < f; k++) vstore(out + k * plane + from, acc[k][v]);
			else if (rest > 0)
				UNROLL for (int k = 0; k < f; k++) vstoren(out + k * plane + from, acc[k][v], rest);
		}
	}
}

// thin_convolve is thin_block for any number of filters, of which it computes no more than thin_filters.
INLINE void thin_convolve(const cnn_image *m, const float *x, const float *weights, const float *bias, float *out, int64_t plane, int64_t n,
	int64_t filters) {
	switch (filters) {
	case 1: thin_block(m, x, weights, bias, out, plane, n, 1); break;
	case 2: thin_block(m, x, weights, bias, out, plane, n, 2); break;
	case 3: thin_block(m, x, weights, bias, out, plane, n, 3); break;
	case 4: thin_block(m, x, weights, bias, out, plane, n, 4); break;
	case 5: thin_block(m, x, weights, bias, out, plane, n, 5); break;
	case 6: thin_block(m, x, weights, bias, out, plane, n, 6); break;
	case 7: thin_block(m, x, weights, bias, out, plane, n, 7); break;
	default: thin_block(m, x, weights, bias, out, plane, n, 8);
	}
}

// thin_forward computes images [n0, n1) of y, (n, p, q, filters).
static void thin_forward(const cnn_image *m, const float *weights, int64_t filters, float *y, const cnn_epilogue *e, int64_t n0, int64_t n1,
	float *scratch) {
	const int64_t taps = m->rows * m->cols, cols = thin_columns(m);
	const cnn_epilogue rest = {.residual = e->residual, .act = e->act}; // the sums begin with the bias
	float out[thin_filters * thin_span];
	for (int64_t n = n0; n < n1; n++) {
		thin_pad(m, n, scratch);
		for (int64_t p = 0; p < m->p; p++)
			for (int64_t q = 0; q < m->q; q += thin_span)
				for (int64_t k = 0; k < filters; k += thin_filters) {
					const float *x = scratch + p * m->step_h * cols + q, *bias = e->bias ? e->bias + k : zeros;
					const int64_t f = filters - k < thin_filters ? filters - k : thin_filters;
					const int64_t span = m->q - q < thin_span ? m->q - q : thin_span;
					thin_convolve(m, x, weights + k * taps, bias, out, thin_span, thin_span, f);
					thin_interleave(y + ((n * m->p + p) * m->q + q) * filters + k, out, thin_span, span, f, filters);
				}
		float *image = y + n * m->p * m->q * filters;
		finish_rows(&rest, y, image, m->p * m->q, filters);
	}
}

// thin_products adds the sums over an image of dy planes [0, 3) times the image, for c taps from x on, to sum: (3, 5) vectors.
INLINE void thin_products(const cnn_image *m, const float *x, const float *dy, float *sum, const int c) {
	const int64_t width = thin_width(m), cols = thin_columns(m), plane = m->p * width;
	vf acc[thin_pair][thin_taps];
	UNROLL for (int k = 0; k < thin_pair; k++)
		UNROLL for (int u = 0; u < c; u++) acc[k][u] = vset(0);
	for (int64_t p = 0; p < m->p; p++, x += m->step_h * cols, dy += width)
		for (int64_t q = 0; q < width; q += VL) {
			vf d[thin_pair];
			UNROLL for (int k = 0; k < thin_pair; k++) d[k] = vload(dy + k * plane + q);
			UNROLL for (int u = 0; u < c; u++) {
				vf a = vload(x + q + u * m->dil_w);
				VKEEP(a);
				UNROLL for (int k = 0; k < thin_pair; k++) acc[k][u] = vfma(d[k], a, acc[k][u]);
			}
		}
	UNROLL for (int k = 0; k < thin_pair; k++)
		UNROLL for (int u = 0; u < c; u++) {
			float *s = sum + (k * thin_taps + u) * VL;
			vstore(s, vload(s) + acc[k][u]);
		}
}

static int64_t thin_padded(int64_t filters) { return (filters + thin_pair - 1) / thin_pair * thin_pair; }
static int64_t thin_blocks(const cnn_image *m) { return (m->cols + thin_taps - 1) / thin_taps; }

// thin_sums is the number of floats of the sums: a vector for each tap of each filter.
static int64_t thin_sums(const cnn_image *m, int64_t filters) { return thin_padded(filters) * m->rows * thin_blocks(m) * thin_taps * VL; }

// thin_add adds what one image contributes to the sums: x is the padded image, planes is the gradient of the result.
static void thin_add(const cnn_image *m, const float *x, const float *planes, int64_t filters, float *sum) {
	const int64_t cols = thin_columns(m), plane = m->p * thin_width(m);
	for (int64_t k = 0; k < filters; k += thin_pair)
		for (int64_t t = 0; t < m->rows; t++)
			for (int64_t u = 0; u < m->cols; u += thin_taps, sum += thin_pair * thin_taps * VL) {
				const float *first = x + t * m->dil_h * cols + u * m->dil_w, *g = planes + k * plane;
				switch (m->cols - u) {
				case 1: thin_products(m, first, g, sum, 1); break;
				case 2: thin_products(m, first, g, sum, 2); break;
				case 3: thin_products(m, first, g, sum, 3); break;
				case 4: thin_products(m, first, g, sum, 4); break;
				default: thin_products(m, first, g, sum, 5);
				}
			}
}

// thin_total writes the totals of the sums to dw, (filters, rows, cols), or adds them there.
static void thin_total(const cnn_image *m, const float *sum, int64_t filters, float *dw, int64_t accumulate) {
	const int64_t taps = m->rows * m->cols, blocks = thin_blocks(m);
	if (!accumulate)
		memset(dw, 0, 4 * (size_t)(filters * taps));
	for (int64_t k = 0; k < filters; k++)
		for (int64_t t = 0; t < m->rows; t++)
			for (int64_t u = 0; u < m->cols; u++) {
				const int64_t block = (k / thin_pair * m->rows + t) * blocks + u / thin_taps;
				dw[k * taps + t * m->cols + u] += vsum(vload(sum + ((block * thin_pair + k % thin_pair) * thin_taps + u % thin_taps) * VL));
			}
}

// thin_scratch returns the floats of scratch that a task needs: a padded image, the gradient of one image as planes, and the sums.
static int64_t thin_scratch(const cnn_image *m, int64_t filters) {
	return thin_image(m) + thin_padded(filters) * m->p * thin_width(m) + thin_sums(m, filters);
}

// thin_filter writes the gradient of the filters over images [n0, n1) to dw, (filters, rows, cols), or adds it there.
static void thin_filter(const cnn_image *m, const float *dy, int64_t filters, float *dw, int64_t n0, int64_t n1, int64_t accumulate,
	float *scratch) {
	const int64_t width = thin_width(m), plane = m->p * width, planes = thin_padded(filters) * plane, sums = thin_sums(m, filters);
	float *g = scratch + thin_image(m), *sum = g + planes;
	memset(g, 0, 4 * (size_t)(planes + sums));
	for (int64_t n = n0; n < n1; n++) {
		thin_pad(m, n, scratch);
		for (int64_t p = 0; p < m->p; p++)
			thin_planes(g + p * width, plane, dy + (n * m->p + p) * m->q * filters, m->q, filters);
		thin_add(m, scratch, g, filters, sum);
	}
	thin_total(m, sum, filters, dw, accumulate);
}
