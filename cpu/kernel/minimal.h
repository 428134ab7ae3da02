// The one-dimensional transforms of Winograd's minimal filtering F(m, 3): m outputs of a filter of three taps by m+2 multiplications
// (Winograd 1980; Lavin and Gray, arXiv:1509.09308, in whose notation y = Aᵀ[(G·g) ⊙ (Bᵀ·d)]). The gradients need the transposes A and Gᵀ.
//
// The outputs are values of polynomials at points, and the points decide how much rounding errors grow. F(2, 3) takes 0, ±1 and ∞. The
// usual ones of F(4, 3) are 0, ±1, ±2 and ∞; 0, ±2/3, ±3/2 and ∞ halve their error (compare Barabasz et al., arXiv:1803.10986, who search for
// such points). With fused multiply-add they cost no more, and since their product is 1 some factors vanish.

enum { MINIMAL_INPUT, MINIMAL_FILTER, MINIMAL_OUTPUT, MINIMAL_INPUT_OF_GRADIENT, MINIMAL_FILTER_GRADIENT };

#define POINT_A (2.0f / 3)
#define POINT_B 1.5f
#define SQUARE_A (4.0f / 9)
#define SQUARE_B 2.25f
// Lagrange's denominators 2a²(a²-b²) and 2b²(b²-a²), inverted.
#define WEIGHT_A (1 / (2 * (4.0 / 9) * (4.0 / 9 - 2.25)))
#define WEIGHT_B (1 / (2 * 2.25 * (2.25 - 4.0 / 9)))

// minimal4 applies a transform of F(4, 3) to the vectors x[0], x[sx], ... and stores the results at y[0], y[sy], ...
INLINE void minimal4(const int op, const vf *x, const int sx, vf *y, const int sy) {
	switch (op) {
	case MINIMAL_INPUT: { // Bᵀ: 6 to 6
		const vf d0 = x[0], d1 = x[sx], d2 = x[2 * sx], d3 = x[3 * sx], d4 = x[4 * sx], d5 = x[5 * sx];
		const vf p = vfma(d2, vset(-SQUARE_B), d4), q = vfma(d1, vset(-SQUARE_B), d3);
		const vf r = vfma(d2, vset(-SQUARE_A), d4), s = vfma(d1, vset(-SQUARE_A), d3);
		y[0] = vfma(d2, vset(-(SQUARE_A + SQUARE_B)), d0 + d4);
		y[sy] = vfma(q, vset(POINT_A), p);
		y[2 * sy] = vfma(q, vset(-POINT_A), p);
		y[3 * sy] = vfma(s, vset(POINT_B), r);
		y[4 * sy] = vfma(s, vset(-POINT_B), r);
		y[5 * sy] = vfma(d3, vset(-(SQUARE_A + SQUARE_B)), d1 + d5);
		break;
	}
	case MINIMAL_FILTER: { // G: 3 to 6
		const vf g0 = x[0], g1 = x[sx], g2 = x[2 * sx];
		const vf p = vset(WEIGHT_A) * vfma(g2, vset(SQUARE_A), g0), r = vset(WEIGHT_B) * vfma(g2, vset(SQUARE_B), g0);
		y[0] = g0;
		y[sy] = vfma(g1, vset(WEIGHT_A * POINT_A), p);
		y[2 * sy] = vfma(g1, vset(-WEIGHT_A * POINT_A), p);
		y[3 * sy] = vfma(g1, vset(WEIGHT_B * POINT_B), r);
		y[4 * sy] = vfma(g1, vset(-WEIGHT_B * POINT_B), r);
		y[5 * sy] = g2;
		break;
	}
	case MINIMAL_OUTPUT: { // Aᵀ: 6 to 4
		const vf p = x[sx] + x[2 * sx], q = x[sx] - x[2 * sx], r = x[3 * sx] + x[4 * sx], s = x[3 * sx] - x[4 * sx];
		y[0] = x[0] + p + r;
		y[sy] = vfma(q, vset(POINT_A), vset(POINT_B) * s);
		y[2 * sy] = vfma(p, vset(SQUARE_A), vset(SQUARE_B) * r);
		y[3 * sy] = vfma(q, vset(POINT_A * SQUARE_A), vfma(s, vset(POINT_B * SQUARE_B), x[5 * sx]));
		break;
	}
	case MINIMAL_INPUT_OF_GRADIENT: { // A: 4 to 6
		const vf d0 = x[0], d1 = x[sx], d2 = x[2 * sx], d3 = x[3 * sx];
		const vf p = vfma(d2, vset(SQUARE_A), d0), q = vfma(d3, vset(SQUARE_A), d1);
		const vf r = vfma(d2, vset(SQUARE_B), d0), s = vfma(d3, vset(SQUARE_B), d1);
		y[0] = d0;
		y[sy] = vfma(q, vset(POINT_A), p);
		y[2 * sy] = vfma(q, vset(-POINT_A), p);
		y[3 * sy] = vfma(s, vset(POINT_B), r);
		y[4 * sy] = vfma(s, vset(-POINT_B), r);
		y[5 * sy] = d3;
		break;
	}
	default: { // Gᵀ: 6 to 3
		const vf p = vset(WEIGHT_A) * (x[sx] + x[2 * sx]), q = x[sx] - x[2 * sx];
		const vf r = vset(WEIGHT_B) * (x[3 * sx] + x[4 * sx]), s = x[3 * sx] - x[4 * sx];
		y[0] = x[0] + p + r;
		y[sy] = vfma(q, vset(WEIGHT_A * POINT_A), vset(WEIGHT_B * POINT_B) * s);
		y[2 * sy] = vfma(p, vset(SQUARE_A), vfma(r, vset(SQUARE_B), x[5 * sx]));
	}
	}
}

// minimal2 applies a transform of F(2, 3).
INLINE void minimal2(const int op, const vf *x, const int sx, vf *y, const int sy) {
	switch (op) {
	case MINIMAL_INPUT: { // Bᵀ: 4 to 4
		const vf d0 = x[0], d1 = x[sx], d2 = x[2 * sx], d3 = x[3 * sx];
		y[0] = d0 - d2;
		y[sy] = d1 + d2;
		y[2 * sy] = d2 - d1;
		y[3 * sy] = d3 - d1;
		break;
	}
	case MINIMAL_FILTER: { // G: 3 to 4
		const vf p = vset(0.5f) * (x[0] + x[2 * sx]), q = vset(0.5f) * x[sx];
		y[0] = x[0];
		y[sy] = p + q;
		y[2 * sy] = p - q;
		y[3 * sy] = x[2 * sx];
		break;
	}
	case MINIMAL_OUTPUT: // Aᵀ: 4 to 2
		y[0] = x[0] + x[sx] + x[2 * sx];
		y[sy] = x[sx] - x[2 * sx] + x[3 * sx];
		break;
	case MINIMAL_INPUT_OF_GRADIENT: { // A: 2 to 4
		const vf d0 = x[0], d1 = x[sx];
		y[0] = d0;
		y[sy] = d0 + d1;
		y[2 * sy] = d0 - d1;
		y[3 * sy] = d1;
		break;
	}
	default: { // Gᵀ: 4 to 3
		const vf p = vset(0.5f) * (x[sx] + x[2 * sx]);
		const vf q = vset(0.5f) * (x[sx] - x[2 * sx]), d0 = x[0], d3 = x[3 * sx];
		y[0] = d0 + p;
		y[sy] = q;
		y[2 * sy] = p + d3;
	}
	}
}
