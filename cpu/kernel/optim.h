// The optimisers' updates of a range of parameters; device.SGD and its neighbours document them. The gradient is multiplied by clip first.

static void sgd(float *restrict w, const float *restrict g, float *restrict v, int64_t n, float clip, float lr, float decay, float mu,
	int64_t nesterov) {
	if (!v) {
		for (int64_t i = 0; i < n; i++) w[i] -= lr * (clip * g[i] + decay * w[i]);
	} else if (nesterov) {
		for (int64_t i = 0; i < n; i++) {
			const float d = clip * g[i] + decay * w[i];
			v[i] = mu * v[i] + d;
			w[i] -= lr * (d + mu * v[i]);
		}
	} else {
		for (int64_t i = 0; i < n; i++) {
			v[i] = mu * v[i] + (clip * g[i] + decay * w[i]);
			w[i] -= lr * v[i];
		}
	}
}

static void adamw(float *w, const float *g, float *m, float *v, int64_t n, float clip, float lr, float decay, float beta1, float beta2,
	float eps, float inv1, float inv2) {
	for (int64_t i = 0; i < n; i += VL) {
		const int64_t k = n - i < VL ? n - i : VL;
		const vf d = vset(clip) * vloadn(g + i, k), u = vloadn(w + i, k);
		const vf first = vset(beta1) * vloadn(m + i, k) + vset(1 - beta1) * d;
		const vf second = vset(beta2) * vloadn(v + i, k) + vset(1 - beta2) * d * d;
		vstoren(m + i, first, k);
		vstoren(v + i, second, k);
		const vf step = first * vset(inv1) / (vsqrt(second * vset(inv2)) + vset(eps));
		vstoren(w + i, u - (vset(lr * decay) * u + vset(lr) * step), k);
	}
}

static void rmsprop(float *w, const float *g, float *s, float *v, int64_t n, float clip, float lr, float decay, float alpha, float eps,
	float mu) {
	for (int64_t i = 0; i < n; i += VL) {
		const int64_t k = n - i < VL ? n - i : VL;
		const vf u = vloadn(w + i, k);
		vf d = vset(clip) * vloadn(g + i, k) + vset(decay) * u;
		const vf square = vset(alpha) * vloadn(s + i, k) + vset(1 - alpha) * d * d;
		vstoren(s + i, square, k);
		d = d / (vsqrt(square) + vset(eps));
		if (v) {
			d = vset(mu) * vloadn(v + i, k) + d;
			vstoren(v + i, d, k);
		}
		vstoren(w + i, u - vset(lr) * d, k);
	}
}

static void ema(float *restrict e, const float *restrict w, int64_t n, float d) {
	for (int64_t i = 0; i < n; i++) e[i] = d * e[i] + (1 - d) * w[i];
}
