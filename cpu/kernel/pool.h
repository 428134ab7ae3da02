// Pooling. The loops run over channels innermost, where image and result are contiguous.

// taps_inside returns which taps of a window lie in an image along one axis of n pixels, where the first tap is at pixel `first`. One of them does.
INLINE range taps_inside(int64_t first, int64_t taps, int64_t dilation, int64_t n) {
	range t = {0, taps};
	while (first + t.first * dilation < 0) t.first++;
	while (first + (t.last - 1) * dilation >= n) t.last--;
	return t;
}

// max_forward writes grid rows [row0, row1) of all images: the largest element of each window to y and its tap's number to arg, which may
// be NULL. Every window touches the image.
static void max_forward(const cnn_image *m, float *y, float *arg, int64_t row0, int64_t row1) {
	for (int64_t row = row0; row < row1; row++) {
		const float *image = m->x + row / m->p * m->h * m->w * m->c;
		const int64_t h0 = row % m->p * m->step_h + m->first_h;
		const range rows = taps_inside(h0, m->rows, m->dil_h, m->h);
		for (int64_t q = 0; q < m->q; q++) {
			const int64_t w0 = q * m->step_w + m->first_w, o = (row * m->q + q) * m->c;
			const range cols = taps_inside(w0, m->cols, m->dil_w, m->w);
			for (int64_t c = 0; c < m->c; c += VL) {
				const int64_t k = m->c - c < VL ? m->c - c : VL;
				vf best = vset(-__builtin_inff()), at = vset((float)(rows.first * m->cols + cols.first));
				for (int64_t t = rows.first; t < rows.last; t++) {
					const float *in = image + ((h0 + t * m->dil_h) * m->w + w0 + cols.first * m->dil_w) * m->c + c;
					vf tap = vset((float)(t * m->cols + cols.first));
					for (int64_t u = cols.first; u < cols.last; u++, in += m->dil_w * m->c, tap += vset(1)) {
						const vf v = vloadn(in, k);
						at = vtake(v, best, tap, at);
						best = vtake(v, best, v, best);
					}
				}
				vstoren(y + o + c, best, k);
				if (arg)
					vstoren(arg + o + c, at, k);
			}
		}
	}
}

// max_backward adds dy to the elements of image n of dx that were largest. Windows overlap: one task does an image, in order.
static void max_backward(const cnn_image *m, const float *dy, const float *arg, float *dx, int64_t n, int64_t accumulate) {
	const int64_t size = m->h * m->w * m->c;
	// Windows that do not overlap write where others would add.
	const int disjoint = !accumulate && m->step_h >= m->rows && m->step_w >= m->cols && m->dil_h == 1 && m->dil_w == 1;
	dx += n * size;
	if (!accumulate)
		memset(dx, 0, 4 * (size_t)size);
	for (int64_t p = 0; p < m->p; p++)
		for (int64_t q = 0; q < m->q; q++) {
			const int64_t h0 = p * m->step_h + m->first_h, w0 = q * m->step_w + m->first_w, o = ((n * m->p + p) * m->q + q) * m->c;
			for (int64_t c = 0; c < m->c; c += VL) {
				const int64_t k = m->c - c < VL ? m->c - c : VL;
				const vf largest = vloadn(arg + o + c, k), d = vloadn(dy + o + c, k);
				for (int64_t t = 0; t < m->rows; t++) {
					const int64_t h = h0 + t * m->dil_h;
					if ((uint64_t)h >= (uint64_t)m->h)
						continue;
					for (int64_t u = 0; u < m->cols; u++) {
						const int64_t w = w0 + u * m->dil_w;
						if ((uint64_t)w >= (uint64_t)m->w)
							continue;
						float *out = dx + (h * m->w + w) * m->c + c;
						vf g = vequal(largest, vset((float)(t * m->cols + u)), d);
						if (!disjoint)
							g += vloadn(out, k);
						vstoren(out, g, k);
					}
				}
			}
		}
}

// Pixels of fewer channels than a vector has lanes are stored with whole vectors, one after another: what a vector has beyond its pixel, the
// next one overwrites. Only the last pixels of a row need care. So rows are worked on in a buffer.
enum { mean_floats = 2048 };

// mean_row writes a row of means: q pixels from the sums of the taps' rows, which have room for a vector behind them.
static void mean_row(const float *sums, float *y, int64_t c, int64_t rows_divisor, const cnn_taps *cols, int64_t q) {
	int64_t divisor = 0;
	vf scale = vset(0);
	for (int64_t j = 0; j < q; j++, y += c) {
		const cnn_taps *u = cols + j;
		if (u->divisor != divisor)
			divisor = u->divisor, scale = vset(1 / (float)(rows_divisor * divisor));
		const float *in = sums + u->first * c;
		vf sum = vset(0);
		for (int64_t b = 0; b < u->count; b++) sum += vload(in + b * u->step * c);
		if ((q - j) * c >= VL)
			vstore(y, sum * scale);
		else
			vstoren(y, sum * scale, c);
	}
}

// mean_tiles reports whether the taps of an axis of n pixels follow one another without gaps.
static int mean_tiles(const cnn_taps *t, int64_t count, int64_t n) {
	int64_t end = 0;
	for (int64_t i = 0; i < count; i++) {
		if (t[i].first != end || t[i].step != 1)
			return 0;
		end += t[i].count;
	}
	return end == n;
}

// mean_forward writes rows [row0, row1) of all images' means. rows and cols are the taps of the output's rows and columns.
static void mean_forward(const float *x, float *y, int64_t h, int64_t w, int64_t c, const cnn_taps *rows, int64_t p, const cnn_taps *cols,
	int64_t q, int64_t row0, int64_t row1) {
	float sums[mean_floats + VL];
	for (int64_t row = row0; row < row1; row++) {
		const cnn_taps *t = rows + row % p;
		const float *image = x + (row / p * h + t->first) * w * c;
		if (c < VL && w * c <= mean_floats) {
			if (t->count)
				copy_run(sums, image, w * c);
			else
				memset(sums, 0, 4 * (size_t)(w * c)); // a window of padding alone
			for (int64_t a = 1; a < t->count; a++) add(sums, sums, image + a * t->step * w * c, w * c);
			mean_row(sums, y + row * q * c, c, t->divisor, cols, q);
			continue;
		}
		for (int64_t j = 0; j < q; j++) {
			const cnn_taps *u = cols + j;
			const vf scale = vset(1 / (float)(t->divisor * u->divisor));
			for (int64_t i = 0; i < c; i += VL) {
				const int64_t k = c - i < VL ? c - i : VL;
				vf sum = vset(0);
				for (int64_t a = 0; a < t->count; a++) {
					const float *in = image + (a * t->step * w + u->first) * c + i;
					for (int64_t b = 0; b < u->count; b++, in += u->step * c) sum += vloadn(in, k);
				}
				vstoren(y + (row * q + j) * c + i, sum * scale, k);
			}
		}
	}
}

// mean_spread writes dx, an image whose pixels are each in one window.
static void mean_spread(const float *dy, float *dx, int64_t w, int64_t c, const cnn_taps *rows, int64_t p, const cnn_taps *cols, int64_t q) {
	float line[mean_floats + VL];
	for (int64_t i = 0; i < p; i++) {
		float *out = line;
		for (int64_t j = 0; j < q; j++, dy += c) {
			const vf scale = vset(1 / (float)(rows[i].divisor * cols[j].divisor));
			const vf g = scale * ((p - i) * q * c - j * c >= VL ? vload(dy) : vloadn(dy, c));
			for (int64_t b = 0; b < cols[j].count; b++, out += c) vstore(out, g);
		}
		for (int64_t a = 0; a < rows[i].count; a++, dx += w * c) copy_run(dx, line, w * c);
	}
}

// mean_backward spreads dy over image n of dx. Windows may overlap: one task does an image, in order.
static void mean_backward(const float *dy, float *dx, int64_t h, int64_t w, int64_t c, const cnn_taps *rows, int64_t p, const cnn_taps *cols,
	int64_t q, int64_t n, int64_t accumulate) {
	// Windows that do not overlap write where others would add.
	int disjoint = !accumulate;
	for (int64_t i = 1; i < p; i++) disjoint &= rows[i - 1].first + rows[i - 1].count * rows[i - 1].step <= rows[i].first;
	for (int64_t j = 1; j < q; j++) disjoint &= cols[j - 1].first + cols[j - 1].count * cols[j - 1].step <= cols[j].first;
	dx += n * h * w * c;
	dy += n * p * q * c;
	if (!accumulate && c < VL && w * c <= mean_floats && q * c >= VL && mean_tiles(rows, p, h) && mean_tiles(cols, q, w)) {
		mean_spread(dy, dx, w, c, rows, p, cols, q);
		return;
	}
	if (!accumulate)
		memset(dx, 0, 4 * (size_t)(h * w * c));
	for (int64_t i = 0; i < p; i++)
		for (int64_t j = 0; j < q; j++, dy += c) {
			const cnn_taps *t = rows + i, *u = cols + j;
			const vf scale = vset(1 / (float)(t->divisor * u->divisor));
			for (int64_t l = 0; l < c; l += VL) {
				const int64_t k = c - l < VL ? c - l : VL;
				const vf g = scale * vloadn(dy + l, k);
				for (int64_t a = 0; a < t->count; a++) {
					float *out = dx + ((t->first + a * t->step) * w + u->first) * c + l;
					if (disjoint)
						for (int64_t b = 0; b < u->count; b++, out += u->step * c) vstoren(out, g, k);
					else
						for (int64_t b = 0; b < u->count; b++, out += u->step * c) vstoren(out, vloadn(out, k) + g, k);
				}
			}
		}
}
