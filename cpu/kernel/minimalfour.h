// The one-dimensional transforms of Winograd's minimal filtering F(4, 4): four outputs of a filter of four taps by seven multiplications instead of
// 16. Of points that are small fractions, 0, ±1, ±1/2, 2 and ∞ have nearly the least error, two to four times that of F(4, 3) (see minimal.h), and they are
// powers of two.

// Lagrange's denominators, inverted.
#define FOUR_0 -2.0f
#define FOUR_1 (-2.0f / 3)
#define FOUR_M1 (-2.0f / 9)
#define FOUR_H (16.0f / 9)
#define FOUR_MH (16.0f / 15)
#define FOUR_2 (2.0f / 45)

// minimal_four applies a transform of F(4, 4) to the vectors x[0], x[sx], ... and stores the results at y[0], y[sy], ... in the order of the points.
INLINE void minimal_four(const int op, const vf *x, const int sx, vf *y, const int sy) {
	switch (op) {
	case MINIMAL_INPUT: { // Bᵀ: 7 to 7, by the factors of (x²-1)(x²-1/4)(x-2)
		const vf d0 = x[0], d1 = x[sx], d2 = x[2 * sx], d3 = x[3 * sx], d4 = x[4 * sx], d5 = x[5 * sx], d6 = x[6 * sx];
		const vf e0 = vfma(d0, vset(0.25f), vfma(d2, vset(-1.25f), d4)), e1 = vfma(d1, vset(0.25f), vfma(d3, vset(-1.25f), d5));
		const vf e2 = vfma(d2, vset(0.25f), vfma(d4, vset(-1.25f), d6));
		const vf s1 = vfma(d1, vset(-0.25f), d3), s2 = vfma(d2, vset(-0.25f), d4), s3 = vfma(d3, vset(-0.25f), d5);
		const vf r1 = d3 - d1, r2 = d4 - d2, r3 = d5 - d3;
		const vf p = vfma(s2, vset(-2), s3), q = vfma(s1, vset(-2), s2), u = vfma(r2, vset(-2), r3), v = vfma(r1, vset(-2), r2);
		y[0] = vfma(e0, vset(-2), e1);
		y[sy] = p + q;
		y[2 * sy] = p - q;
		y[3 * sy] = vfma(v, vset(0.5f), u);
		y[4 * sy] = vfma(v, vset(-0.5f), u);
		y[5 * sy] = e1;
		y[6 * sy] = vfma(e1, vset(-2), e2);
		break;
	}
	case MINIMAL_FILTER: { // G: 4 to 7
		const vf g0 = x[0], g1 = x[sx], g2 = x[2 * sx], g3 = x[3 * sx];
		const vf p = g0 + g2, q = g1 + g3, u = vfma(g2, vset(0.25f), g0), v = vfma(g3, vset(0.125f), vset(0.5f) * g1);
		y[0] = vset(FOUR_0) * g0;
		y[sy] = vset(FOUR_1) * (p + q);
		y[2 * sy] = vset(FOUR_M1) * (p - q);
		y[3 * sy] = vset(FOUR_H) * (u + v);
		y[4 * sy] = vset(FOUR_MH) * (u - v);
		y[5 * sy] = vset(FOUR_2) * vfma(vfma(vfma(g3, vset(2), g2), vset(2), g1), vset(2), g0);
		y[6 * sy] = g3;
		break;
	}
	case MINIMAL_OUTPUT: { // Aᵀ: 7 to 4
		const vf p = x[sx] + x[2 * sx], q = x[sx] - x[2 * sx], u = x[3 * sx] + x[4 * sx], v = x[3 * sx] - x[4 * sx], z = x[5 * sx];
		y[0] = x[0] + p + u + z;
		y[sy] = vfma(z, vset(2), vfma(v, vset(0.5f), q));
		y[2 * sy] = vfma(z, vset(4), vfma(u, vset(0.25f), p));
		y[3 * sy] = vfma(z, vset(8), vfma(v, vset(0.125f), q)) + x[6 * sx];
		break;
	}
	case MINIMAL_INPUT_OF_GRADIENT: { // A: 4 to 7
		const vf d0 = x[0], d1 = x[sx], d2 = x[2 * sx], d3 = x[3 * sx];
		const vf p = d0 + d2, q = d1 + d3, u = vfma(d2, vset(0.25f), d0), v = vfma(d3, vset(0.125f), vset(0.5f) * d1);
		y[0] = d0;
		y[sy] = p + q;
		y[2 * sy] = p - q;
		y[3 * sy] = u + v;
		y[4 * sy] = u - v;
		y[5 * sy] = vfma(vfma(vfma(d3, vset(2), d2), vset(2), d1), vset(2), d0);
		y[6 * sy] = d3;
		break;
	}
	default: { // Gᵀ: 7 to 4
		const vf a = vset(FOUR_1) * x[sx], b = vset(FOUR_M1) * x[2 * sx], c = vset(FOUR_H) * x[3 * sx], d = vset(FOUR_MH) * x[4 * sx];
		const vf p = a + b, q = a - b, u = c + d, v = c - d, z = vset(FOUR_2) * x[5 * sx];
		y[0] = vfma(x[0], vset(FOUR_0), p + u + z);
		y[sy] = vfma(z, vset(2), vfma(v, vset(0.5f), q));
		y[2 * sy] = vfma(z, vset(4), vfma(u, vset(0.25f), p));
		y[3 * sy] = vfma(z, vset(8), vfma(v, vset(0.125f), q)) + x[6 * sx];
	}
	}
}
