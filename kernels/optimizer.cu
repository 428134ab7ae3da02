// The optimisers: one launch updates the parameter slab. A block takes one piece of it.

#include "cuda.cuh"

constexpr int threads = 256;

// A piece is a run of elements that are updated alike, as gpu/optimizer.go writes it.
struct Piece {
	index_t first;
	int length;
	float lr_scale; // multiplies the learning rate
	float decay;    // weight decay
	int unused;
};

// What all optimisers have in common: see device.Update.
struct Common {
	float clip; // factor of the gradient
	float lr;
	float decay;
};

// begin reads what a piece needs. It reports false if the gradient's norm is no finite number: then nothing may change.
DEVICE bool begin(const Piece &piece, const float *norm, const float *hyper, float max_norm, Common &common) {
	const float n = norm[0];
	if (!isfinite(n)) return false;
	common.clip = max_norm > 0 ? fminf(1.0f, max_norm / (n + 1e-6f)) : 1.0f;
	common.lr = hyper[1] * piece.lr_scale;
	common.decay = piece.decay;
	return true;
}

// update calls step(w, g, a, b) for each element of a piece, where w, a and b are changed in place. A and B are slabs of the optimiser's state;
// States of them exist. Vector says that all slabs begin at a multiple of 16 bytes.
template <int States, class Step>
DEVICE void update(const Piece &piece, float *w, const float *g, float *a, float *b, int vector, Step step) {
	int done = 0;
	w += piece.first;
	g += piece.first;
	if (States > 0) a += piece.first;
	if (States > 1) b += piece.first;
	if (vector && piece.first % 4 == 0) {
		done = piece.length / 4 * 4;
		for (int i = 4 * threadIdx.x; i < done; i += 4 * threads) {
			float4 vw = load4(w + i), va = vw, vb = vw;
			const float4 vg = load4(g + i);
			if (States > 0) va = load4(a + i);
			if (States > 1) vb = load4(b + i);
			step(vw.x, vg.x, va.x, vb.x);
			step(vw.y, vg.y, va.y, vb.y);
			step(vw.z, vg.z, va.z, vb.z);
			step(vw.w, vg.w, va.w, vb.w);
			store4(w + i, vw);
			if (States > 0) store4(a + i, va);
			if (States > 1) store4(b + i, vb);
		}
	}
	for (int i = done + threadIdx.x; i < piece.length; i += threads) {
		float va = States > 0 ? a[i] : 0.0f, vb = States > 1 ? b[i] : 0.0f;
		step(w[i], g[i], va, vb);
		if (States > 0) a[i] = va;
		if (States > 1) b[i] = vb;
	}
}

// The parameters that every update kernel begins with.
#define UPDATE float *w, const float *g, const Piece *__restrict__ pieces, const float *__restrict__ norm, const float *__restrict__ hyper, float max_norm, int vector

// w -= lr·(clip·g + decay·w).
EXPORT_KERNEL(sgd_f32, threads, 4, (UPDATE)) {
	const Piece piece = pieces[blockIdx.x];
	Common c;
	if (!begin(piece, norm, hyper, max_norm, c)) return;
	update<0>(piece, w, g, nullptr, nullptr, vector, [&](float &w, float g, float &, float &) { w -= c.lr * (c.clip * g + c.decay * w); });
}

// v = mu·v + d with d = clip·g + decay·w; w -= lr·v, or with Nesterov w -= lr·(d + mu·v).
EXPORT_KERNEL(sgd_momentum_f32, threads, 4, (UPDATE, float *v, int nesterov)) {
	const Piece piece = pieces[blockIdx.x];
	Common c;
	if (!begin(piece, norm, hyper, max_norm, c)) return;
	const float mu = hyper[2];
	update<1>(piece, w, g, v, nullptr, vector, [&](float &w, float g, float &v, float &) {
		const float d = c.clip * g + c.decay * w;
		v = mu * v + d;
		w -= c.lr * (nesterov ? d + mu * v : v);
	});
}

// AdamW (Loshchilov and Hutter, arXiv:1711.05101); hyper holds beta1 and the two bias corrections.
EXPORT_KERNEL(adamw_f32, threads, 4, (UPDATE, float *m, float *v, float beta2, float epsilon)) {
	const Piece piece = pieces[blockIdx.x];
	Common c;
	if (!begin(piece, norm, hyper, max_norm, c)) return;
	const float beta1 = hyper[2], inverse1 = 1 / hyper[3], inverse2 = 1 / hyper[4];
	update<2>(piece, w, g, m, v, vector, [&](float &w, float g, float &m, float &v) {
		const float d = c.clip * g;
		m = beta1 * m + (1 - beta1) * d;
		v = beta2 * v + (1 - beta2) * d * d;
		w -= c.lr * c.decay * w + c.lr * (m * inverse1) / (sqrtf(v * inverse2) + epsilon);
	});
}

// s = alpha·s + (1-alpha)·d², with d = clip·g + decay·w; w -= lr·d/(sqrt(s)+epsilon) (Tieleman and Hinton 2012).
EXPORT_KERNEL(rmsprop_f32, threads, 4, (UPDATE, float *s, float alpha, float epsilon)) {
	const Piece piece = pieces[blockIdx.x];
	Common c;
	if (!begin(piece, norm, hyper, max_norm, c)) return;
	update<1>(piece, w, g, s, nullptr, vector, [&](float &w, float g, float &s, float &) {
		const float d = c.clip * g + c.decay * w;
		s = alpha * s + (1 - alpha) * d * d;
		w -= c.lr * (d / (sqrtf(s) + epsilon));
	});
}

// RMSprop with momentum: v = mu·v + d/(sqrt(s)+epsilon); w -= lr·v.
EXPORT_KERNEL(rmsprop_momentum_f32, threads, 4, (UPDATE, float *s, float *v, float alpha, float epsilon)) {
	const Piece piece = pieces[blockIdx.x];
	Common c;
	if (!begin(piece, norm, hyper, max_norm, c)) return;
	const float mu = hyper[2];
	update<2>(piece, w, g, s, v, vector, [&](float &w, float g, float &s, float &v) {
		const float d = c.clip * g + c.decay * w;
		s = alpha * s + (1 - alpha) * d * d;
		v = mu * v + d / (sqrtf(s) + epsilon);
		w -= c.lr * v;
	});
}

// e = d·e + (1-d)·w for n elements, with d = hyper[5].
EXPORT_KERNEL(ema_f32, threads, 4, (float *e, const float *__restrict__ w, index_t n, const float *__restrict__ hyper, int vector)) {
	const float keep = hyper[5];
	index_t done = 0;
	if (vector) {
		done = n / 4 * 4;
		for (index_t i = 4 * grid_thread(); i < done; i += 4 * grid_threads()) {
			const float4 a = load4(e + i), b = load4(w + i);
			store4(e + i, make_float4(keep * a.x + (1 - keep) * b.x, keep * a.y + (1 - keep) * b.y, keep * a.z + (1 - keep) * b.z,
									  keep * a.w + (1 - keep) * b.w));
		}
	}
	for (index_t i = done + grid_thread(); i < n; i += grid_threads()) e[i] = keep * e[i] + (1 - keep) * w[i];
}

// Row hyper[0] % slots of log (slots, 5) = {stats[0..4), norm[0]}; then norm[0] is NaN if the loss or the norm is not finite, or ever was: see
// device.Record. One thread works: there are five words.
EXPORT_KERNEL(record, 32, 1, (float *log, float *halt, float *norm, const float *__restrict__ stats, const uint32_t *__restrict__ hyper, int slots)) {
	if (threadIdx.x > 0) return;
	float *const row = log + hyper[0] % slots * 5;
	for (int i = 0; i < 4; i++) row[i] = stats[i];
	const float length = norm[0];
	row[4] = length;
	if (!isfinite(stats[0]) || !isfinite(length)) halt[0] = 1;
	if (halt[0] != 0) norm[0] = nanf("");
}
