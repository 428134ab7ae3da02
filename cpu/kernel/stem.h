// A stem: a convolution of images of one channel, as in thin.h, with its activation and the means of its 2x2 windows, 2 apart. If nothing but its own
// backward pass reads the result before the means, that may be laid out as the kernels like it: in planes, (n, filters, p, q), so that
// nothing is transposed but the means, a quarter of it, and every vector is full. p and q are even.

// stem_means writes the means of a plane of rows of q floats, (p/2, q/2).
static void stem_means(const float *y, int64_t p, int64_t q, float *means) {
	for (int64_t i = 0; i < p; i += 2, y += 2 * q, means += q / 2)
		for (int64_t j = 0; j < q; j += 2 * VL) {
			const float *above = y + j, *below = above + q;
			const int64_t n = q - j;
			vf a, b = vset(0);
			if (n >= VL) {
				a = vload(above) + vload(below);
				const int64_t rest = n < 2 * VL ? n - VL : VL;
				if (rest > 0)
					b = vloadn(above + VL, rest) + vloadn(below + VL, rest);
			} else {
				a = vloadn(above, n) + vloadn(below, n);
			}
			vstoren(means + j / 2, vpairs(a, b) * vset(0.25f), n < 2 * VL ? n / 2 : VL);
		}
}

// stem_forward computes images [n0, n1): planes, (n, filters, p, q), and their means y, (n, p/2, q/2, filters).
static void stem_forward(const cnn_image *m, const float *weights, int64_t filters, const float *bias, int64_t kind, float *planes, float *y,
	int64_t n0, int64_t n1, float *scratch) {
	const int64_t taps = m->rows * m->cols, cols = thin_columns(m), plane = m->p * m->q, pixels = plane / 4;
	float *means = scratch + thin_scratch(m, filters);
	for (int64_t n = n0; n < n1; n++) {
		float *image = planes + n * filters * plane;
		thin_pad(m, n, scratch);
		for (int64_t k = 0; k < filters; k += thin_filters)
			for (int64_t p = 0; p < m->p; p++)
				for (int64_t q = 0; q < m->q; q += thin_span)
					thin_convolve(m, scratch + p * m->step_h * cols + q, weights + k * taps, bias ? bias + k : zeros,
						image + k * plane + p * m->q + q, plane, m->q - q, filters - k);
		if (kind)
			act(kind, image, image, filters * plane);
		for (int64_t k = 0; k < filters; k++) stem_means(image + k * plane, m->p, m->q, means + k * pixels);
		for (int64_t k = 0; k < filters; k += thin_filters)
			thin_interleave(y + n * pixels * filters + k, means + k * pixels, pixels, pixels, filters - k < thin_filters ? filters - k : thin_filters,
				filters);
	}
}

// stem_slopes writes the gradient before the activation of one plane, rows of width floats of which q matter, and returns the sums of its lanes.
INLINE vf stem_slopes(const int64_t kind, const cnn_image *m, const float *means, const float *y, float *to, int64_t width) {
	vf total = vset(0);
	for (int64_t p = 0; p < m->p; p += 2, means += m->q / 2, y += 2 * m->q, to += 2 * width)
		for (int64_t q = 0; q < m->q; q += 2 * VL) {
			const int64_t rest = m->q - q;
			const vf d = vset(0.25f) * vloadn(means + q / 2, rest / 2 < VL ? rest / 2 : VL);
			UNROLL for (int h = 0; h < 2; h++) {
				const int64_t n = rest - h * VL < VL ? rest - h * VL : VL;
				if (n <= 0)
					break;
				UNROLL for (int r = 0; r < 2; r++) {
					// Beyond the row both factors are zero.
					const vf g = vslope(kind, vtwice(d, h), vloadn(y + r * m->q + q + h * VL, n));
					vstore(to + r * width + q + h * VL, g);
					total += g;
				}
			}
		}
	return total;
}

// stem_backward writes the gradients of the filters and of the bias over images [n0, n1) to dw, (filters, rows, cols), and db, or adds them there. dy is
// the gradient of the means.
static void stem_backward(const cnn_image *m, const float *dy, const float *planes, int64_t kind, int64_t filters, float *dw, double *db,
	int64_t n0, int64_t n1, int64_t accumulate, float *scratch) {
	const int64_t width = thin_width(m), size = thin_padded(filters) * m->p * width, sums = thin_sums(m, filters), pixels = m->p / 2 * (m->q / 2);
	float *g = scratch + thin_image(m), *sum = g + size, *means = sum + sums;
	memset(g, 0, 4 * (size_t)(size + sums));
	if (!accumulate)
		memset(db, 0, sizeof *db * (size_t)filters);
	for (int64_t n = n0; n < n1; n++) {
		thin_pad(m, n, scratch);
		thin_planes(means, pixels, dy + n * pixels * filters, pixels, filters);
		for (int64_t k = 0; k < filters; k++) {
			const float *d = means + k * pixels, *y = planes + (n * filters + k) * m->p * m->q;
			float *to = g + k * m->p * width;
			vf total;
			switch (kind) {
			case CNN_RELU: total = stem_slopes(CNN_RELU, m, d, y, to, width); break;
			case CNN_RELU6: total = stem_slopes(CNN_RELU6, m, d, y, to, width); break;
			case CNN_TANH: total = stem_slopes(CNN_TANH, m, d, y, to, width); break;
			case CNN_SIGMOID: total = stem_slopes(CNN_SIGMOID, m, d, y, to, width); break;
			default: total = stem_slopes(CNN_IDENTITY, m, d, y, to, width);
			}
			db[k] += (double)vsum(total);
		}
		thin_add(m, scratch, g, filters, sum);
	}
	thin_total(m, sum, filters, dw, accumulate);
}

// stem_scratch returns the floats of scratch that a task needs: beside that of thin.h, the means of one image as planes, of which thin_interleave reads
// four at a time.
static int64_t stem_scratch(const cnn_image *m, int64_t filters) {
	return thin_scratch(m, filters) + (filters + 3) / 4 * 4 * (m->p / 2) * (m->q / 2);
}
