// Batch normalisation of a (rows, cols) matrix, a column for each channel; see device.BatchNormForward and device.BatchNormBackward. Sums over rows are
// float64.

// moments adds the sums of x and x² to sum and squares. In float64 the squares of float32 values are exact, and nothing cancels.
static void moments(double *restrict sum, double *restrict squares, const float *restrict x, int64_t rows, int64_t cols) {
	for (int64_t r = 0; r < rows; r++, x += cols)
		for (int64_t c = 0; c < cols; c++) {
			const double u = (double)x[c];
			sum[c] += u;
			squares[c] += u * u;
		}
}

// bn_load and bn_store move the first n floats of a vector; n is a constant VL except at the end of a row.
INLINE vf bn_load(const float *p, const int64_t n) { return n == VL ? vload(p) : vloadn(p, n); }
INLINE void bn_store(float *p, vf v, const int64_t n) {
	if (n == VL)
		vstore(p, v);
	else
		vstoren(p, v, n);
}

// BN_ACT expands to a switch that calls f with the activation as a constant.
#define BN_ACT(a, f, ...)                                                                                                                  \
	switch (a) {                                                                                                                       \
	case CNN_RELU: f(CNN_RELU, __VA_ARGS__); break;                                                                                    \
	case CNN_RELU6: f(CNN_RELU6, __VA_ARGS__); break;                                                                                  \
	case CNN_TANH: f(CNN_TANH, __VA_ARGS__); break;                                                                                    \
	case CNN_SIGMOID: f(CNN_SIGMOID, __VA_ARGS__); break;                                                                              \
	default: f(CNN_IDENTITY, __VA_ARGS__);                                                                                             \
	}

// gradient_sums adds runs of bn_run rows in float32, whose error is that of a few roundings. Memory is read in its order: what a run of up to bn_cols columns
// adds up stays in the first-level cache. Where a row is shorter than bn_narrow, several are taken as one, so that no sum waits for the one before it.
enum { bn_run = 16, bn_cols = 512, bn_narrow = 128 };

// bn_wide is the number of rows that are taken as one.
INLINE int64_t bn_wide(int64_t cols) { return cols < bn_narrow ? bn_narrow / cols : 1; }

// BN_RUNS expands RUN(rows, columns, distance of rows, element, column) for all runs.
#define BN_RUNS(RUN)                                                                                                                       \
	for (int64_t r = 0, n, w; r < rows; r += n * w) {                                                                                  \
		w = bn_wide(cols) <= rows - r ? bn_wide(cols) : 1;                                                                         \
		n = bn_run * w <= rows - r ? bn_run : (rows - r) / w;                                                                      \
		for (int64_t c = 0; c < w * cols; c += bn_cols) {                                                                          \
			const int64_t k = w * cols - c < bn_cols ? w * cols - c : bn_cols;                                                 \
			RUN(n, k, w * cols, r * cols + c, c);                                                                              \
		}                                                                                                                          \
	}

INLINE void gradient_vector(const int64_t act, float *sum, float *product, const float *x, const float *dy, const float *y, const float *mean,
	float *residual, int64_t accumulate, const int64_t k) {
	const vf g = vslope(act, bn_load(dy, k), bn_load(y, k));
	if (residual && accumulate)
		bn_store(residual, bn_load(residual, k) + g, k);
	else if (residual)
		bn_store(residual, g, k);
	bn_store(sum, bn_load(sum, k) + g, k);
	bn_store(product, vfma(g, bn_load(x, k) - bn_load(mean, k), bn_load(product, k)), k);
}

INLINE void gradient_run(const int64_t act, double *sum, double *product, const float *x, const float *dy, const float *y, const float *mean,
	float *residual, int64_t accumulate, int64_t cols, int64_t n, int64_t k, int64_t stride) {
	float s[bn_cols] = {0}, p[bn_cols] = {0};
#define VECTOR(k)                                                                                                                          \
	gradient_vector(act, s + i, p + i, x + r * stride + i, dy + r * stride + i, y + r * stride + i, mean + i,                          \
		residual ? residual + r * stride + i : NULL, accumulate, k)
	for (int64_t r = 0; r < n; r++) {
		int64_t i = 0;
		for (; i + VL <= k; i += VL) VECTOR(VL);
		if (i < k)
			VECTOR(k - i);
	}
#undef VECTOR
	const int64_t own = k < cols ? k : cols;
	for (int64_t i = 0; i < k; i += cols)
		for (int64_t c = 0; c < own; c++) {
			sum[c] += (double)s[i + c];
			product[c] += (double)p[i + c];
		}
}

INLINE void gradient_runs(const int64_t act, double *sum, double *product, const float *x, const float *dy, const float *y, const float *mean,
	float *residual, int64_t accumulate, int64_t rows, int64_t cols) {
	float means[bn_narrow]; // of the rows that are taken as one
	if (cols < bn_narrow) {
		for (int64_t i = 0; i < bn_wide(cols) * cols; i++) means[i] = mean[i % cols];
		mean = means;
	}
#define RUN(n, k, stride, i, c)                                                                                                            \
	gradient_run(act, sum + (c), product + (c), x + (i), dy + (i), y + (i), mean + (c), residual ? residual + (i) : NULL, accumulate,  \
		cols, n, k, stride)
	BN_RUNS(RUN)
#undef RUN
}

// gradient_sums adds the sums of g = dy·act'(y) and g·(x-mean) to sum and product, and computes residual (+)= g unless that is NULL; it may be dy. y may be
// NULL if there is no activation.
static void gradient_sums(double *sum, double *product, const float *x, const float *dy, const float *y, int64_t act, const float *mean,
	float *residual, int64_t accumulate, int64_t rows, int64_t cols) {
	BN_ACT(act, gradient_runs, sum, product, x, dy, act ? y : dy, mean, residual, accumulate, rows, cols)
}

// BN_ROWS expands ROW(columns, element, column) for all vectors of all rows.
#define BN_ROWS(ROW)                                                                                                                       \
	for (int64_t r = 0; r < rows; r++) {                                                                                               \
		int64_t c = 0;                                                                                                             \
		for (; c + VL <= cols; c += VL) ROW(VL, r * cols + c, c);                                                                  \
		if (c < cols)                                                                                                              \
			ROW(cols - c, r * cols + c, c);                                                                                    \
	}

INLINE void affine_vector(const int64_t act, float *y, const float *x, const float *scale, const float *center, const float *shift,
	const float *residual, const int64_t k, int64_t i, int64_t c) {
	vf v = vfma(bn_load(scale + c, k), bn_load(x + i, k) - bn_load(center + c, k), bn_load(shift + c, k));
	if (residual)
		v += bn_load(residual + i, k);
	bn_store(y + i, vact(act, v), k);
}

INLINE void affine_rows(const int64_t act, float *y, const float *x, const float *scale, const float *center, const float *shift,
	const float *residual, int64_t rows, int64_t cols) {
#define ROW(k, i, c) affine_vector(act, y, x, scale, center, shift, residual, k, i, c)
	BN_ROWS(ROW)
#undef ROW
}

// affine computes y = act(scale·(x-center) + shift + residual); residual may be NULL. y may be x or residual.
static void affine(float *y, const float *x, const float *scale, const float *center, const float *shift, const float *residual, int64_t act,
	int64_t rows, int64_t cols) {
	BN_ACT(act, affine_rows, y, x, scale, center, shift, residual, rows, cols)
}

INLINE void affine_slope_vector(const int64_t act, float *dx, const float *dy, const float *y, const float *x, const float *scale,
	const float *slope, const float *mean, const float *shift, int64_t accumulate, const int64_t k, int64_t i, int64_t c) {
	vf v = bn_load(scale + c, k) * vslope(act, bn_load(dy + i, k), bn_load(y + i, k));
	if (x)
		v += vfma(bn_load(slope + c, k), bn_load(x + i, k) - bn_load(mean + c, k), bn_load(shift + c, k));
	if (accumulate)
		v += bn_load(dx + i, k);
	bn_store(dx + i, v, k);
}

INLINE void affine_slope_rows(const int64_t act, float *dx, const float *dy, const float *y, const float *x, const float *scale,
	const float *slope, const float *mean, const float *shift, int64_t accumulate, int64_t rows, int64_t cols) {
#define ROW(k, i, c) affine_slope_vector(act, dx, dy, y, x, scale, slope, mean, shift, accumulate, k, i, c)
	BN_ROWS(ROW)
#undef ROW
}

// affine_backward computes dx (+)= scale·g + slope·(x-mean) + shift with g = dy·act'(y); x, and with it slope, mean and shift, may be NULL, and y if
// there is no activation. dx may be dy or x.
static void affine_backward(float *dx, const float *dy, const float *y, int64_t act, const float *x, const float *scale, const float *slope,
	const float *mean, const float *shift, int64_t accumulate, int64_t rows, int64_t cols) {
	BN_ACT(act, affine_slope_rows, dx, dy, act ? y : dy, x, scale, slope, mean, shift, accumulate, rows, cols)
}
