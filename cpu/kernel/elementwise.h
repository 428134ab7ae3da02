// Calls that compute each element from the elements at its place. They move more bytes than they compute, so what counts is that every
// vector is loaded and stored once.

// act computes y = act(x); y may be x.
static void act(int64_t a, float *y, const float *x, int64_t n) {
#define EACH(A)                                                                                                                            \
	for (; i + VL <= n; i += VL) vstore(y + i, vact(A, vload(x + i)));                                                                 \
	if (i < n)                                                                                                                         \
		vstoren(y + i, vact(A, vloadn(x + i, n - i)), n - i);                                                                      \
	break;
	int64_t i = 0;
	switch (a) {
	case CNN_RELU: EACH(CNN_RELU)
	case CNN_RELU6: EACH(CNN_RELU6)
	case CNN_TANH: EACH(CNN_TANH)
	case CNN_SIGMOID: EACH(CNN_SIGMOID)
	default: EACH(CNN_IDENTITY)
	}
#undef EACH
}

// vslope returns dy·act'(x), with the derivative expressed in the output y.
INLINE vf vslope(const int64_t a, vf dy, vf y) {
	switch (a) {
	case CNN_RELU: return vpositive(y, dy);
	case CNN_RELU6: return vpositive(y, vpositive(vset(6) - y, dy));
	case CNN_TANH: return dy * (vset(1) - y * y);
	case CNN_SIGMOID: return dy * (y * (vset(1) - y));
	}
	return dy;
}

INLINE void act_slope(const int64_t a, float *dx, const float *dy, const float *y, int64_t n, int64_t add) {
	int64_t i = 0;
	for (; i + VL <= n; i += VL) {
		vf v = vslope(a, vload(dy + i), vload(y + i));
		if (add)
			v += vload(dx + i);
		vstore(dx + i, v);
	}
	if (i < n) {
		vf v = vslope(a, vloadn(dy + i, n - i), vloadn(y + i, n - i));
		if (add)
			v += vloadn(dx + i, n - i);
		vstoren(dx + i, v, n - i);
	}
}

// act_backward computes dx (+)= dy·act'(x) from the output y; dx may be dy.
static void act_backward(int64_t a, float *dx, const float *dy, const float *y, int64_t n, int64_t add) {
	switch (a) {
	case CNN_RELU: act_slope(CNN_RELU, dx, dy, y, n, add); break;
	case CNN_RELU6: act_slope(CNN_RELU6, dx, dy, y, n, add); break;
	case CNN_TANH: act_slope(CNN_TANH, dx, dy, y, n, add); break;
	case CNN_SIGMOID: act_slope(CNN_SIGMOID, dx, dy, y, n, add); break;
	default: act_slope(CNN_IDENTITY, dx, dy, y, n, add);
	}
}

// add computes y = a + b; y may be either.
static void add(float *y, const float *a, const float *b, int64_t n) {
	int64_t i = 0;
	for (; i + VL <= n; i += VL) vstore(y + i, vload(a + i) + vload(b + i));
	if (i < n)
		vstoren(y + i, vloadn(a + i, n - i) + vloadn(b + i, n - i), n - i);
}

enum { philox_lanes = 16 };

// philox computes the Philox4x32-10 blocks with counters (first+i, c1, c2, 0), i < philox_lanes; see package philox. w is (4, lanes).
INLINE void philox(uint32_t k0, uint32_t k1, uint32_t first, uint32_t c1, uint32_t c2, uint32_t w[4][philox_lanes]) {
	for (int i = 0; i < philox_lanes; i++) w[0][i] = first + (uint32_t)i, w[1][i] = c1, w[2][i] = c2, w[3][i] = 0;
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < philox_lanes; i++) {
			const uint64_t p0 = (uint64_t)0xD2511F53 * w[0][i], p1 = (uint64_t)0xCD9E8D57 * w[2][i];
			w[0][i] = (uint32_t)(p1 >> 32) ^ w[1][i] ^ k0;
			w[2][i] = (uint32_t)(p0 >> 32) ^ w[3][i] ^ k1;
			w[1][i] = (uint32_t)p1;
			w[3][i] = (uint32_t)p0;
		}
		k0 += 0x9E3779B9;
		k1 += 0xBB67AE85;
	}
}

// dropout computes elements [4·b0, min(4·b1, n)) of y (+)= x·scale where the element's random word is at least threshold, else 0.
static void dropout(float *y, const float *x, int64_t n, int64_t b0, int64_t b1, const uint32_t *key, uint32_t step, uint32_t layer,
	uint32_t threshold, float scale, int64_t accumulate) {
	uint32_t w[4][philox_lanes];
	for (; b0 < b1; b0 += philox_lanes) {
		philox(key[0], key[1], (uint32_t)b0, step, layer, w);
		const int64_t end = 4 * (b0 + philox_lanes < b1 ? b0 + philox_lanes : b1);
		for (int64_t i = 4 * b0; i < end && i < n; i++) {
			const int64_t at = i - 4 * b0;
			const float v = w[at % 4][at / 4] >= threshold ? x[i] * scale : 0;
			y[i] = accumulate ? y[i] + v : v;
		}
	}
}
