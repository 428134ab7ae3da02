// Depthwise convolution: every channel has a filter of its own. There is no matrix product in it; the loops run over channels innermost.
// taps is the filter as (rows·cols, c).

// Three taps by three, one apart, is what networks use: the nine taps of a vector of channels stay in registers for a whole row, and of
// neighbouring pixels each image pixel is loaded once for all that read it.

enum { dw_pixels = 4 }; // of a row, taken together

// dw_row computes one row of q pixels: out (+)= the sum over r rows and three columns of in[t] and taps w, (3, 3). Window column u of pixel j
// is image column j·step + first + u, of width. k channels are computed; cs is the number of floats between pixels.
INLINE void dw_row(const float *const *in, const vf w[3][3], float *out, int64_t q, int64_t width, int64_t first, int64_t cs, int64_t k, const int r,
	const int step, const int add) {
	int64_t lo = 0, hi = q; // pixels whose three columns all lie in the image
	while (lo < q && lo * step + first < 0) lo++;
	while (hi > lo && (hi - 1) * step + first + 2 >= width) hi--;
	for (int64_t j = 0; j < q;) {
		if (j >= lo && j + dw_pixels <= hi && k == VL) {
			vf sum[dw_pixels];
			UNROLL for (int i = 0; i < dw_pixels; i++) sum[i] = add ? vload(out + (j + i) * cs) : vset(0);
			UNROLL for (int t = 0; t < r; t++) {
				const float *x = in[t] + (j * step + first) * cs;
				UNROLL for (int i = 0; i < (dw_pixels - 1) * step + 3; i++, x += cs) {
					vf v = vload(x);
					VKEEP(v);
					UNROLL for (int p = 0; p < dw_pixels; p++)
						if (i - p * step >= 0 && i - p * step < 3)
							sum[p] = vfma(v, w[t][i - p * step], sum[p]);
				}
			}
			UNROLL for (int i = 0; i < dw_pixels; i++) vstore(out + (j + i) * cs, sum[i]);
			j += dw_pixels;
			continue;
		}
		vf sum = add ? vloadn(out + j * cs, k) : vset(0);
		for (int t = 0; t < r; t++)
			for (int u = 0; u < 3; u++) {
				const int64_t at = j * step + first + u;
				if ((uint64_t)at < (uint64_t)width)
					sum = vfma(vloadn(in[t] + at * cs, k), w[t][u], sum);
			}
		vstoren(out + j * cs, sum, k);
		j++;
	}
}

// dw_rows computes rows [row0, row1) of all images: each is a window of three rows at step·row + first of an image of h rows and w columns. flip
// turns the taps around.
static void dw_rows(const float *x, int64_t h, int64_t w, int64_t c, const float *taps, int flip, float *y, int64_t p, int64_t q, int64_t step,
	int64_t first_h, int64_t first_w, int64_t row0, int64_t row1, int64_t add) {
	for (int64_t row = row0; row < row1; row++)
		for (int64_t i = 0; i < c; i += VL) {
			const int64_t k = c - i < VL ? c - i : VL;
			const float *in[3];
			vf t[3][3];
			int r = 0;
			for (int64_t a = 0; a < 3; a++) {
				const int64_t at = row % p * step + first_h + a;
				if ((uint64_t)at >= (uint64_t)h)
					continue;
				in[r] = x + (row / p * h + at) * w * c + i;
				for (int64_t b = 0; b < 3; b++) {
					const int64_t tap = a * 3 + b;
					t[r][b] = vloadn(taps + (flip ? 8 - tap : tap) * c + i, k);
				}
				r++;
			}
			float *out = y + row * q * c + i;
#define DW_ROW(S, A)                                                                                                                    \
	switch (r) {                                                                                                                       \
	case 3: dw_row(in, t, out, q, w, first_w, c, k, 3, S, A); break;                                                                   \
	case 2: dw_row(in, t, out, q, w, first_w, c, k, 2, S, A); break;                                                                   \
	case 1: dw_row(in, t, out, q, w, first_w, c, k, 1, S, A); break;                                                                   \
	default: dw_row(in, t, out, q, w, first_w, c, k, 0, S, A);                                                                         \
	}
			if (add) {
				DW_ROW(1, 1)
			} else if (step == 1) {
				DW_ROW(1, 0)
			} else {
				DW_ROW(2, 0)
			}
#undef DW_ROW
		}
}

// dw_three reports whether windows are three taps by three, one apart, at the same stride of one or two both ways.
static int dw_three(const cnn_image *m) {
	return m->rows == 3 && m->cols == 3 && m->dil_h == 1 && m->dil_w == 1 && m->step_h == m->step_w && m->step_h <= 2;
}

// dw_filter adds the gradient of nine taps over grid rows [row0, row1) to sum, (3·3, c).
static void dw_filter(const cnn_image *m, const float *dy, float *sum, int64_t row0, int64_t row1) {
	const int64_t c = m->c, step = m->step_w, first = m->first_w;
	int64_t lo = 0, hi = m->q;
	while (lo < m->q && lo * step + first < 0) lo++;
	while (hi > lo && (hi - 1) * step + first + 2 >= m->w) hi--;
	for (int64_t row = row0; row < row1; row++)
		for (int64_t i = 0; i < c; i += VL) {
			const int64_t k = c - i < VL ? c - i : VL;
			const float *d = dy + row * m->q * c + i;
			const float *in[3];
			int64_t tap[3];
			int r = 0;
			for (int64_t a = 0; a < 3; a++) {
				const int64_t h = row % m->p * m->step_h + m->first_h + a;
				if ((uint64_t)h < (uint64_t)m->h)
					in[r] = m->x + (row / m->p * m->h + h) * m->w * c + i, tap[r++] = a * 3;
			}
			vf acc[3][3];
			UNROLL for (int t = 0; t < 3; t++)
				UNROLL for (int u = 0; u < 3; u++) acc[t][u] = vset(0);
			for (int64_t j = 0; j < m->q; j++) {
				const vf g = vloadn(d + j * c, k);
				if (j >= lo && j < hi && r == 3 && k == VL) {
					const int64_t at = (j * step + first) * c;
					UNROLL for (int t = 0; t < 3; t++)
						UNROLL for (int u = 0; u < 3; u++) acc[t][u] = vfma(vload(in[t] + at + u * c), g, acc[t][u]);
					continue;
				}
				UNROLL for (int t = 0; t < 3; t++)
					UNROLL for (int u = 0; u < 3; u++) {
						const int64_t at = j * step + first + u;
						if (t < r && (uint64_t)at < (uint64_t)m->w)
							acc[t][u] = vfma(vloadn(in[t] + at * c, k), g, acc[t][u]);
					}
			}
			for (int t = 0; t < r; t++)
				for (int u = 0; u < 3; u++) {
					float *out = sum + (tap[t] + u) * c + i;
					vstoren(out, vloadn(out, k) + acc[t][u], k);
				}
		}
}

// depthwise_forward computes grid rows [row0, row1) of all images; y is (n, p, q, c).
static void depthwise_forward(const cnn_image *m, const float *taps, float *y, const cnn_epilogue *e, int64_t row0, int64_t row1) {
	if (dw_three(m)) {
		dw_rows(m->x, m->h, m->w, m->c, taps, 0, y, m->p, m->q, m->step_h, m->first_h, m->first_w, row0, row1, 0);
		if (e->bias || e->residual || e->act)
			for (int64_t i = row0 * m->q; i < row1 * m->q; i++) {
				float *out = y + i * m->c;
				finish(e, y, &out, 1, 0, m->c);
			}
		return;
	}
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
	// With a stride of one it is the convolution of dy with the taps turned around.
	if (dw_three(m) && m->step_h == 1)
		dw_rows(dy, m->p, m->q, m->c, taps, 1, dx, m->h, m->w, 1, -2 - m->first_h, -2 - m->first_w, row0, row1, accumulate);
	else if (m->step_h == 1 && m->step_w == 1)
		depthwise_data_rows(m, taps, dy, dx, row0, row1, accumulate, 1);
	else
		depthwise_data_rows(m, taps, dy, dx, row0, row1, accumulate, 0);
}

// depthwise_filter writes the gradient of the taps over grid rows [row0, row1) of all images to sum, (rows·cols, c). For each grid row the sum
// over its pixels stays in a register.
static void depthwise_filter(const cnn_image *m, const float *dy, float *sum, int64_t row0, int64_t row1) {
	memset(sum, 0, 4 * (size_t)(m->rows * m->cols * m->c));
	if (dw_three(m)) {
		dw_filter(m, dy, sum, row0, row1);
		return;
	}
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
