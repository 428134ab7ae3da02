// Batch normalisation with its activation and a max-pooling, without the normalised images in memory: see device.BatchNormMaxPoolForward. Where windows
// overlap, an element is normalised again for each: that is less work than to write it and to read it back.

// affine_max_rows is affine_max for one activation. With a finite scale all of a channel is NaN, or nothing, since its mean is: so the first tap decides, and
// no comparison takes a NaN.
INLINE void affine_max_rows(const int64_t act, const cnn_image *m, const float *scale, const float *center, const float *shift, float *y, float *arg,
	float *largest, int64_t row0, int64_t row1) {
	for (int64_t row = row0; row < row1; row++) {
		const float *image = m->x + row / m->p * m->h * m->w * m->c;
		const int64_t h0 = row % m->p * m->step_h + m->first_h;
		const range rows = taps_inside(h0, m->rows, m->dil_h, m->h);
		for (int64_t q = 0; q < m->q; q++) {
			const int64_t w0 = q * m->step_w + m->first_w, o = (row * m->q + q) * m->c;
			const range cols = taps_inside(w0, m->cols, m->dil_w, m->w);
			const float *corner = image + ((h0 + rows.first * m->dil_h) * m->w + w0 + cols.first * m->dil_w) * m->c;
			for (int64_t c = 0; c < m->c; c += VL, corner += VL) {
				const int64_t k = m->c - c < VL ? m->c - c : VL;
				const vf a = bn_load(scale + c, k), b = bn_load(center + c, k), d = bn_load(shift + c, k);
				const float *line = corner;
				vf of = bn_load(line, k), best = vact(act, vfma(a, of - b, d)), at = vset((float)(rows.first * m->cols + cols.first));
				for (int64_t t = rows.first; t < rows.last; t++, line += m->dil_h * m->w * m->c) {
					const float *in = line;
					vf tap = vset((float)(t * m->cols + cols.first));
					for (int64_t u = cols.first; u < cols.last; u++, in += m->dil_w * m->c, tap += vset(1)) {
						const vf x = bn_load(in, k);
						vf v = vfma(a, x - b, d);
						if (act != CNN_RELU) // what ReLU makes 0 is not larger than what it has made of the first
							v = vact(act, v);
						at = vlarger(v, best, tap, at);
						of = vlarger(v, best, x, of);
						best = vmax(v, best);
					}
				}
				// What the next grid row reads besides: as many rows and columns as it is away.
				for (int64_t t = 0; t < m->step_h; t++)
					for (int64_t u = 0; u < m->step_w; u++)
						fetch(image + ((h0 + (m->rows - 1) * m->dil_h + 1 + t) * m->w + w0 + u) * m->c + c);
				bn_store(y + o + c, best, k);
				bn_store(arg + o + c, at, k);
				bn_store(largest + o + c, of, k);
			}
		}
	}
}

// affine_max writes grid rows [row0, row1) of all images: the largest of the elements act(scale·(x-center) + shift) of each window to y, its tap's number to
// arg, and the x of which it was made to largest.
static void affine_max(const cnn_image *m, const float *scale, const float *center, const float *shift, int64_t act, float *y, float *arg,
	float *largest, int64_t row0, int64_t row1) {
	BN_ACT(act, affine_max_rows, m, scale, center, shift, y, arg, largest, row0, row1)
}

// tap_at returns the tap of a window that lies so many pixels behind its first one, or -1.
INLINE int64_t tap_at(int64_t distance, int64_t dilation) {
	return dilation == 1 ? distance : distance % dilation ? -1 : distance / dilation;
}

// A cover is a window that reaches a pixel: its first element and the number of its tap there. So many of them are worked on together.
typedef struct { int64_t at; float tap; } cover;
enum { max_covers = 16, pixels_ahead = 64 };

// A pooled_gradient is the operands of affine_max_backward.
typedef struct {
	const float *dy, *y, *arg, *x;
	float *dx;
	const float *scale, *slope, *mean, *shift;
	int64_t c, accumulate;
} pooled_gradient;

// cover_vector adds what n windows contribute to vector c of a pixel, after the rest of its gradient if they are the first.
INLINE void cover_vector(const int64_t act, const pooled_gradient *p, const cover *w, int64_t n, int64_t first, int64_t pixel, int64_t c, const int64_t k) {
	vf g = vset(0);
	for (int64_t i = 0; i < n; i++) {
		const int64_t o = w[i].at + c;
		g += vequal(bn_load(p->arg + o, k), vset(w[i].tap), vslope(act, bn_load(p->dy + o, k), bn_load(p->y + o, k)));
	}
	fetch(p->x + pixel + pixels_ahead * p->c + c);
	float *dx = p->dx + pixel + c;
	vf rest = vset(0);
	if (first)
		rest = vfma(bn_load(p->slope + c, k), bn_load(p->x + pixel + c, k) - bn_load(p->mean + c, k), bn_load(p->shift + c, k));
	if (!first || p->accumulate)
		rest += bn_load(dx, k);
	bn_store(dx, vfma(bn_load(p->scale + c, k), g, rest), k);
}

INLINE void cover_pixel(const int64_t act, const pooled_gradient *p, const cover *w, int64_t n, int64_t first, int64_t pixel) {
	int64_t c = 0;
	for (; c + VL <= p->c; c += VL) cover_vector(act, p, w, n, first, pixel, c, VL);
	if (c < p->c)
		cover_vector(act, p, w, n, first, pixel, c, p->c - c);
}

INLINE void affine_max_slope_rows(const int64_t act, const cnn_image *m, const pooled_gradient *g, int64_t row0, int64_t row1) {
	const int64_t last_h = (m->rows - 1) * m->dil_h, last_w = (m->cols - 1) * m->dil_w; // from the first tap to the last
	for (int64_t row = row0; row < row1; row++) {
		// Windows [p0, p1) and [q0, q1) reach a pixel that lies h rows and w columns behind the first tap of window (0, 0).
		const int64_t image = row / m->h, h = row % m->h - m->first_h;
		const int64_t p0 = h > last_h ? (h - last_h + m->step_h - 1) / m->step_h : 0, end = h < 0 ? 0 : h / m->step_h + 1;
		const int64_t p1 = end < m->p ? end : m->p;
		int64_t q0 = 0, q1 = 0;
		for (int64_t i = 0; i < m->w; i++) {
			const int64_t w = i - m->first_w, pixel = (row * m->w + i) * m->c;
			while (q1 < m->q && q1 * m->step_w <= w) q1++;
			while (q0 < q1 && q0 * m->step_w + last_w < w) q0++;
			cover list[max_covers];
			int64_t n = 0, first = 1;
			for (int64_t p = p0; p < p1; p++) {
				const int64_t t = tap_at(h - p * m->step_h, m->dil_h);
				for (int64_t q = q0; q < q1 && t >= 0; q++) {
					const int64_t u = tap_at(w - q * m->step_w, m->dil_w);
					if (u < 0)
						continue;
					if (n == max_covers) {
						cover_pixel(act, g, list, n, first, pixel);
						n = 0, first = 0;
					}
					list[n++] = (cover){((image * m->p + p) * m->q + q) * m->c, (float)(t * m->cols + u)};
				}
			}
			cover_pixel(act, g, list, n, first, pixel);
		}
	}
}

// affine_max_backward computes rows [row0, row1) of all images of dx (+)= scale·g + slope·(x-mean) + shift, where g is the sum of dy·act'(y) over the windows
// in which the element was the largest. dx may be m->x, and y NULL if there is no activation.
static void affine_max_backward(const cnn_image *m, const float *dy, const float *y, int64_t act, const float *arg, float *dx, const float *scale,
	const float *slope, const float *mean, const float *shift, int64_t accumulate, int64_t row0, int64_t row1) {
	const pooled_gradient g = {dy, act ? y : dy, arg, m->x, dx, scale, slope, mean, shift, m->c, accumulate};
	BN_ACT(act, affine_max_slope_rows, m, &g, row0, row1)
}
