// Depthwise convolution: every channel has a filter of its own. There is no matrix product in it; the loops run over channels innermost.
// taps is the filter as (rows·cols, c).

// depthwise_forward computes grid rows [row0, row1) of all images; y is (n, p, q, c).
static void depthwise_forward(const cnn_image *m, const float *taps, float *y, const cnn_epilogue *e, int64_t row0, int64_t row1) {
	for (int64_t row = row0; row < row1; row++) {
		const float *image = m->x + row / m->p * m->h * m->w * m->c;
		const int64_t h0 = row % m->p * m->step_h + m->first_h;
		for (int64_t q = 0; q < m->q; q++) {
			const int64_t w0 = q * m->step_w + m->first_w;
			float *out = y + (row * m->q + q) * m->c;
			for (int64_t c = 0; c < m->c; c += VL) {
				const int64_t k = m->c - c < VL ? m->c - c : VL;
				vf sum = vset(0);
				for (int64_t t = 0; t < m->rows; t++) {
					const int64_t h = h0 + t * m->dil_h;
					if ((uint64_t)h >= (uint64_t)m->h)
						continue;
					for (int64_t u = 0; u < m->cols; u++) {
						const int64_t w = w0 + u * m->dil_w;
						if ((uint64_t)w < (uint64_t)m->w)
							sum = vfma(vloadn(image + (h * m->w + w) * m->c + c, k),
								vloadn(taps + (t * m->cols + u) * m->c + c, k), sum);
					}
				}
				vstoren(out + c, sum, k);
			}
			finish(e, y, &out, 1, 0, m->c);
		}
	}
}

// divide returns a / b, or -1 if that is no integer or negative. unit says that b is 1, which saves the division.
INLINE int64_t divide(int64_t a, int64_t b, const int unit) { return unit ? a : a < 0 || a % b ? -1 : a / b; }

INLINE void depthwise_data_rows(const cnn_image *m, const float *taps, const float *dy, float *dx, int64_t row0, int64_t row1,
	int64_t accumulate, const int unit) {
	for (int64_t row = row0; row < row1; row++) {
		const float *from = dy + row / m->h * m->p * m->q * m->c;
		for (int64_t w = 0; w < m->w; w++) {
			float *out = dx + (row * m->w + w) * m->c;
			for (int64_t c = 0; c < m->c; c += VL) {
				const int64_t k = m->c - c < VL ? m->c - c : VL;
				vf sum = vset(0);
				for (int64_t t = 0; t < m->rows; t++) {
					const int64_t p = divide(row % m->h - m->first_h - t * m->dil_h, m->step_h, unit);
					if ((uint64_t)p >= (uint64_t)m->p)
						continue;
					for (int64_t u = 0; u < m->cols; u++) {
						const int64_t q = divide(w - m->first_w - u * m->dil_w, m->step_w, unit);
						if ((uint64_t)q < (uint64_t)m->q)
							sum = vfma(vloadn(from + (p * m->q + q) * m->c + c, k),
								vloadn(taps + (t * m->cols + u) * m->c + c, k), sum);
					}
				}
				if (accumulate)
					sum += vloadn(out + c, k);
				vstoren(out + c, sum, k);
			}
		}
	}
}

// depthwise_data computes rows [row0, row1) of all images of the gradient dx of the input: each element gathers from the windows that
// hold it, so that rows are independent.
static void depthwise_data(const cnn_image *m, const float *taps, const float *dy, float *dx, int64_t row0, int64_t row1, int64_t accumulate) {
	if (m->step_h == 1 && m->step_w == 1)
		depthwise_data_rows(m, taps, dy, dx, row0, row1, accumulate, 1);
	else
		depthwise_data_rows(m, taps, dy, dx, row0, row1, accumulate, 0);
}

// depthwise_filter writes the gradient of the taps over grid rows [row0, row1) of all images to sum, (rows·cols, c). For each grid row the sum
// over its pixels stays in a register.
static void depthwise_filter(const cnn_image *m, const float *dy, float *sum, int64_t row0, int64_t row1) {
	memset(sum, 0, 4 * (size_t)(m->rows * m->cols * m->c));
	for (int64_t row = row0; row < row1; row++) {
		const float *image = m->x + row / m->p * m->h * m->w * m->c, *d = dy + row * m->q * m->c;
		for (int64_t t = 0; t < m->rows; t++) {
			const int64_t h = row % m->p * m->step_h + m->first_h + t * m->dil_h;
			if ((uint64_t)h >= (uint64_t)m->h)
				continue;
			for (int64_t u = 0; u < m->cols; u++) {
				float *out = sum + (t * m->cols + u) * m->c;
				const int64_t w0 = m->first_w + u * m->dil_w;
				for (int64_t c = 0; c < m->c; c += VL) {
					const int64_t k = m->c - c < VL ? m->c - c : VL;
					vf total = vset(0);
					for (int64_t q = 0; q < m->q; q++) {
						const int64_t w = w0 + q * m->step_w;
						if ((uint64_t)w < (uint64_t)m->w)
							total = vfma(vloadn(image + (h * m->w + w) * m->c + c, k), vloadn(d + q * m->c + c, k), total);
					}
					vstoren(out + c, vloadn(out + c, k) + total, k);
				}
			}
		}
	}
}
