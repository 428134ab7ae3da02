// The one-dimensional transforms of minimal filtering for three taps at stride 2. The odd samples meet the middle tap alone: a plain product for each
// output. The even ones meet the outer taps, a filter of two at stride 1, which F(r, 2) computes with r+1 multiplications (Winograd 1980). So r
// outputs take 2r+1 multiplications in place of 3r.
//
// F(4, 2) has the points ∞, ±5/4 and ±1/2, with which its error is one to two times that of the sum of products. A tile that has fewer outputs,
// r = 3, 2 or 1, takes a part of them: r+1 points, ∞ first if their number is odd, and then pairs. So that all of them multiply by the same transformed
// filters, these are values of the polynomial w0 + w2·x and no more; Lagrange's denominators go with the input, y = Aᵀ[(G·w) ⊙ (Bᵀ·d)].

#define STRIDED_A 1.25f
#define STRIDED_B 0.5f
#define STRIDED_A2 (STRIDED_A * STRIDED_A)
#define STRIDED_B2 (STRIDED_B * STRIDED_B)
// Lagrange's denominator 2(a²-b²), inverted; that of b is its negative.
#define STRIDED_WEIGHT (1 / (2 * (STRIDED_A2 - STRIDED_B2)))

// minimal_pair applies a transform of F(r, 2) to the vectors x[0], x[sx], ... and stores the results at y[0], y[sy], ... Values at points are in
// the order ∞, a, -a, b, -b, of which an odd r has no ∞ and r < 3 no b.
INLINE void minimal_pair(const int op, const int r, const vf *x, const int sx, vf *y, const int sy) {
	const int even = r % 2 == 0;
	switch (op) {
	case MINIMAL_INPUT: { // Bᵀ: r+1 to r+1
		vf *f = y + even * sy;
		if (r < 3) {
			const vf u = vset(0.5f) * x[0], v = vset(0.5f / STRIDED_A) * x[sx];
			f[0] = u + v;
			f[sy] = u - v;
			if (even)
				y[0] = vfma(x[0], vset(-STRIDED_A2), x[2 * sx]);
			break;
		}
		const vf d0 = x[0], d1 = x[sx], d2 = x[2 * sx], d3 = x[3 * sx];
		const vf p = vset(STRIDED_WEIGHT) * vfma(d0, vset(-STRIDED_B2), d2), q = vset(STRIDED_WEIGHT / STRIDED_A) * vfma(d1, vset(-STRIDED_B2), d3);
		const vf s = vset(-STRIDED_WEIGHT) * vfma(d0, vset(-STRIDED_A2), d2), t = vset(-STRIDED_WEIGHT / STRIDED_B) * vfma(d1, vset(-STRIDED_A2), d3);
		f[0] = p + q;
		f[sy] = p - q;
		f[2 * sy] = s + t;
		f[3 * sy] = s - t;
		if (even)
			y[0] = vfma(d2, vset(-(STRIDED_A2 + STRIDED_B2)), vfma(d0, vset(STRIDED_A2 * STRIDED_B2), x[4 * sx]));
		break;
	}
	case MINIMAL_FILTER: // G: 2 to 5, whatever r
		y[0] = x[sx];
		y[sy] = vfma(x[sx], vset(STRIDED_A), x[0]);
		y[2 * sy] = vfma(x[sx], vset(-STRIDED_A), x[0]);
		y[3 * sy] = vfma(x[sx], vset(STRIDED_B), x[0]);
		y[4 * sy] = vfma(x[sx], vset(-STRIDED_B), x[0]);
		break;
	case MINIMAL_OUTPUT: { // Aᵀ: r+1 to r
		const vf *f = x + even * sx;
		const vf p = f[0] + f[sx], q = vset(STRIDED_A) * (f[0] - f[sx]);
		if (r < 3) {
			y[0] = p;
			if (even)
				y[sy] = q + x[0];
			break;
		}
		const vf s = f[2 * sx] + f[3 * sx], t = vset(STRIDED_B) * (f[2 * sx] - f[3 * sx]);
		y[0] = p + s;
		y[sy] = q + t;
		y[2 * sy] = vfma(p, vset(STRIDED_A2), vset(STRIDED_B2) * s);
		if (even)
			y[3 * sy] = vfma(q, vset(STRIDED_A2), vfma(t, vset(STRIDED_B2), x[0]));
		break;
	}
	case MINIMAL_INPUT_OF_GRADIENT: { // A: r to r+1
		vf *f = y + even * sy;
		vf p = x[0], q = vset(0), s = x[0], t = vset(0);
		if (r > 1)
			q = t = x[sx];
		if (r > 2)
			p = vfma(x[2 * sx], vset(STRIDED_A2), p), s = vfma(x[2 * sx], vset(STRIDED_B2), s);
		if (r > 3)
			q = vfma(x[3 * sx], vset(STRIDED_A2), q), t = vfma(x[3 * sx], vset(STRIDED_B2), t);
		f[0] = vfma(q, vset(STRIDED_A), p);
		f[sy] = vfma(q, vset(-STRIDED_A), p);
		if (r > 2) {
			f[2 * sy] = vfma(t, vset(STRIDED_B), s);
			f[3 * sy] = vfma(t, vset(-STRIDED_B), s);
		}
		if (even)
			y[0] = x[(r - 1) * sx];
		break;
	}
	default: // Gᵀ: 5 to 2, whatever r
		y[0] = (x[sx] + x[2 * sx]) + (x[3 * sx] + x[4 * sx]);
		y[sy] = vfma(x[sx] - x[2 * sx], vset(STRIDED_A), vfma(x[3 * sx] - x[4 * sx], vset(STRIDED_B), x[0]));
	}
}

enum {
	strided_m = 4,                       // outputs of a whole tile
	strided_points = strided_m + 1,      // of F(4, 2)
	strided_values = strided_points + 1, // of a transformed filter: at the points, then the middle tap
};

// minimal_strided applies a transform for three taps at stride 2 and r outputs. In the transformed domain a tile has 2r+1 values, those at points and then
// r plain ones, and a filter has strided_values.
INLINE void minimal_strided(const int op, const int r, const vf *x, const int sx, vf *y, const int sy) {
	switch (op) {
	case MINIMAL_INPUT: // 2r+1 to 2r+1
		minimal_pair(op, r, x, 2 * sx, y, sy);
		for (int i = 0; i < r; i++) y[(r + 1 + i) * sy] = x[(2 * i + 1) * sx];
		break;
	case MINIMAL_FILTER: // 3 to 6
		minimal_pair(op, r, x, 2 * sx, y, sy);
		y[5 * sy] = x[sx];
		break;
	case MINIMAL_OUTPUT: // 2r+1 to r
		minimal_pair(op, r, x, sx, y, sy);
		for (int i = 0; i < r; i++) y[i * sy] += x[(r + 1 + i) * sx];
		break;
	case MINIMAL_INPUT_OF_GRADIENT: // r to 2r+1
		minimal_pair(op, r, x, sx, y, sy);
		for (int i = 0; i < r; i++) y[(r + 1 + i) * sy] = x[i * sx];
		break;
	default: // 6 to 3
		minimal_pair(op, r, x, sx, y, 2 * sy);
		y[sy] = x[5 * sx];
	}
}

// The gradient by the input: each output's gradient spreads over three pixels, so every other pixel is reached by the outer taps from two outputs,
// by F(r, 2) with the filter reversed, and the pixels between them by the middle tap from one. pair is the first pixel of the former, 0 or 1.

// spread_input transforms the gradient of r+1 outputs to 2r+1 values.
INLINE void spread_input(const int r, const int pair, const vf *x, const int sx, vf *y, const int sy) {
	minimal_pair(MINIMAL_INPUT, r, x, sx, y, sy);
	for (int i = 0; i < r; i++) y[(r + 1 + i) * sy] = x[(i + 1 - pair) * sx];
}

// spread_output transforms 2r+1 values to 2r pixels.
INLINE void spread_output(const int r, const int pair, const vf *x, const int sx, vf *y, const int sy) {
	minimal_pair(MINIMAL_OUTPUT, r, x, sx, y + pair * sy, 2 * sy);
	for (int i = 0; i < r; i++) y[(2 * i + 1 - pair) * sy] = x[(r + 1 + i) * sx];
}
