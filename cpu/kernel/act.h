// Activation functions on vectors.

// vexp is e^x with an error below 2 ulp for x in [-87.3, 88.7]; outside, the value at the border. x = n·ln 2 + r with |r| <= ln(2)/2, and
// e^r by its Taylor polynomial of degree 7, whose remainder is below 2^-26. ln 2 is split in two so that n·ln 2 is exact enough.
INLINE vf vexp(vf x) {
	x = vmin(vset(88.7f), vmax(vset(-87.3f), x)); // the second operand is kept where it is NaN
	const vf n = vround(x * vset(1.44269504f));
	vf r = vfma(n, vset(-0.693359375f), x);
	r = vfma(n, vset(2.12194440e-4f), r);
	vf p = vset(1.0f / 5040);
	p = vfma(p, r, vset(1.0f / 720));
	p = vfma(p, r, vset(1.0f / 120));
	p = vfma(p, r, vset(1.0f / 24));
	p = vfma(p, r, vset(1.0f / 6));
	p = vfma(p, r, vset(0.5f));
	p = vfma(p, r, vset(1));
	p = vfma(p, r, vset(1));
	const vf half = vround(n * vset(0.5f)); // 2^n in two factors: n reaches 128
	return p * vpow2(half) * vpow2(n - half);
}

// vtanh is tanh x with an error of a few ulp: x·P(x²)/Q(x²), the minimax function of scripts/fit-tanh.py; see tanh.go.
INLINE vf vtanh(vf x) {
	x = vmin(vset(9.02f), vmax(vset(-9.02f), x));
	const vf u = x * x;
	vf p = vset(1.3317634259103749e-08f);
	p = vfma(p, u, vset(2.0582454444908862e-05f));
	p = vfma(p, u, vset(0.003493973594317795f));
	p = vfma(p, u, vset(0.1337966745645841f));
	p = vfma(p, u, vset(0.9999999792070934f));
	vf q = vset(7.761432722227812e-07f);
	q = vfma(q, u, vset(0.0003282991910923212f));
	q = vfma(q, u, vset(0.02587084366783566f));
	q = vfma(q, u, vset(0.46712982772080475f));
	q = vfma(q, u, vset(1));
	return x * p / q;
}

// vact applies activation a; NaN stays NaN.
INLINE vf vact(const int64_t a, vf x) {
	switch (a) {
	case CNN_RELU: return vmax(vset(0), x);
	case CNN_RELU6: return vmin(vset(6), vmax(vset(0), x));
	case CNN_TANH: return vtanh(x);
	case CNN_SIGMOID: return vset(1) / (vset(1) + vexp(vset(0) - x));
	}
	return x;
}

// finish_row computes y = act(y + bias + residual) for n adjacent elements; bias and residual may be NULL.
INLINE void finish_row(float *y, const float *bias, const float *residual, const int64_t act, int64_t n) {
	int64_t i = 0;
	for (; i + VL <= n; i += VL) {
		vf v = vload(y + i);
		if (bias)
			v += vload(bias + i);
		if (residual)
			v += vload(residual + i);
		vstore(y + i, vact(act, v));
	}
	if (i < n) {
		vf v = vloadn(y + i, n - i);
		if (bias)
			v += vloadn(bias + i, n - i);
		if (residual)
			v += vloadn(residual + i, n - i);
		vstoren(y + i, vact(act, v), n - i);
	}
}

// finish finishes n columns, from column j on, of m rows of a result that begins at y. It runs while they are in the first-level cache.
static void finish(const cnn_epilogue *e, const float *y, float *const *rows, int64_t m, int64_t j, int64_t n) {
	const float *bias = e->bias ? e->bias + j : NULL;
	for (int64_t r = 0; r < m; r++) {
		const float *residual = e->residual ? e->residual + (rows[r] - y) : NULL;
		switch (e->act) {
		case CNN_RELU: finish_row(rows[r], bias, residual, CNN_RELU, n); break;
		case CNN_RELU6: finish_row(rows[r], bias, residual, CNN_RELU6, n); break;
		case CNN_TANH: finish_row(rows[r], bias, residual, CNN_TANH, n); break;
		case CNN_SIGMOID: finish_row(rows[r], bias, residual, CNN_SIGMOID, n); break;
		default: finish_row(rows[r], bias, residual, CNN_IDENTITY, n);
		}
	}
}

// finish_rows finishes rows of n columns that lie one after another from first on. Short rows are taken several at a time, with the bias
// repeated, so that vectors are full.
static void finish_rows(const cnn_epilogue *e, const float *y, float *first, int64_t rows, int64_t n) {
	float bias[VL * VL];
	const int64_t together = n < VL ? VL : 1;
	cnn_epilogue wide = *e;
	if (e->bias && n < VL) {
		for (int64_t i = 0; i < VL * n; i++) bias[i] = e->bias[i % n];
		wide.bias = bias;
	}
	if (!e->bias && !e->residual && !e->act)
		return;
	for (; rows > 0; rows -= together, first += together * n) finish(&wide, y, &first, 1, 0, (rows < together ? rows : together) * n);
}
