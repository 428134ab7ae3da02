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
