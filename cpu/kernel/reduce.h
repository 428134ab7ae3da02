// Sums over many rows, in float64: 50,000 pixels summed one after another in float32 lose three of its seven digits.

// sum_rows adds rows of a (rows, cols) matrix to sum. Runs of 16 rows are added in float32 first, whose error is that of a few roundings.
static void sum_rows(double *restrict sum, const float *restrict x, int64_t rows, int64_t cols) {
	if (cols < VL) { // VL rows are cols whole vectors, and lane l of vector v always belongs to column (v·VL + l) mod cols
		vf acc[VL];
		float lanes[VL * VL];
		while (rows >= VL) {
			const int64_t blocks = rows / VL < 16 ? rows / VL : 16;
			for (int64_t v = 0; v < cols; v++) acc[v] = vset(0);
			for (int64_t b = 0; b < blocks; b++, x += VL * cols)
				for (int64_t v = 0; v < cols; v++) acc[v] += vload(x + v * VL);
			for (int64_t v = 0; v < cols; v++) vstore(lanes + v * VL, acc[v]);
			for (int64_t i = 0, c = 0; i < VL * cols; i++, c = c + 1 == cols ? 0 : c + 1) sum[c] += (double)lanes[i];
			rows -= blocks * VL;
		}
	}
	for (; rows > 0; rows -= 16) {
		const int64_t n = rows < 16 ? rows : 16;
		for (int64_t c = 0; c < cols; c += VL) {
			const int64_t k = cols - c < VL ? cols - c : VL;
			vf a = vset(0), b = vset(0);
			const float *p = x + c;
			int64_t r = 0;
			for (; r + 2 <= n; r += 2, p += 2 * cols) a += vloadn(p, k), b += vloadn(p + cols, k);
			if (r < n)
				a += vloadn(p, k);
			float lanes[VL];
			vstore(lanes, a + b);
			for (int64_t i = 0; i < k; i++) sum[c + i] += (double)lanes[i];
		}
		x += n * cols;
	}
}

// sum_squares returns the sum of x², in float64 and a fixed order.
static void sum_squares(double *sum, const float *restrict x, int64_t n) {
	double s[16] = {0};
	int64_t i = 0;
	for (; i + 16 <= n; i += 16)
		for (int j = 0; j < 16; j++) s[j] += (double)x[i + j] * (double)x[i + j];
	for (; i < n; i++) s[0] += (double)x[i] * (double)x[i];
	for (int step = 8; step; step /= 2)
		for (int j = 0; j < step; j++) s[j] += s[j + step];
	*sum = s[0];
}

// moments adds the sums of x and x² over rows of a (rows, cols) matrix to sum and squares. In float64 the squares of float32 values are
// exact, and nothing cancels.
static void moments(double *restrict sum, double *restrict squares, const float *restrict x, int64_t rows, int64_t cols) {
	for (int64_t r = 0; r < rows; r++, x += cols)
		for (int64_t c = 0; c < cols; c++) {
			const double u = (double)x[c];
			sum[c] += u;
			squares[c] += u * u;
		}
}

// gradient_sums adds the sums of dy and dy·(x-mean) to sum and product.
static void gradient_sums(double *restrict sum, double *restrict product, const float *restrict x, const float *restrict dy,
	const float *restrict mean, int64_t rows, int64_t cols) {
	for (int64_t r = 0; r < rows; r++, x += cols, dy += cols)
		for (int64_t c = 0; c < cols; c++) {
			const double g = (double)dy[c];
			sum[c] += g;
			product[c] += g * ((double)x[c] - (double)mean[c]);
		}
}

// affine computes y = scale·(x-center) + shift for rows of cols channels; y may be x.
static void affine(float *y, const float *x, const float *scale, const float *center, const float *shift, int64_t rows, int64_t cols) {
	for (int64_t r = 0; r < rows; r++, x += cols, y += cols)
		for (int64_t c = 0; c < cols; c += VL) {
			const int64_t k = cols - c < VL ? cols - c : VL;
			vstoren(y + c, vfma(vloadn(scale + c, k), vloadn(x + c, k) - vloadn(center + c, k), vloadn(shift + c, k)), k);
		}
}

// affine_backward computes dx (+)= scale·dy + slope·(x-mean) + shift; x, and with it slope, mean and shift, may be absent. dx may be dy.
static void affine_backward(float *dx, const float *dy, const float *x, const float *scale, const float *slope, const float *mean,
	const float *shift, int64_t rows, int64_t cols, int64_t accumulate) {
	for (int64_t r = 0; r < rows; r++, dy += cols, dx += cols)
		for (int64_t c = 0; c < cols; c += VL) {
			const int64_t k = cols - c < VL ? cols - c : VL;
			vf v = vloadn(scale + c, k) * vloadn(dy + c, k);
			if (x)
				v += vfma(vloadn(slope + c, k), vloadn(x + r * cols + c, k) - vloadn(mean + c, k), vloadn(shift + c, k));
			if (accumulate)
				v += vloadn(dx + c, k);
			vstoren(dx + c, v, k);
		}
}
