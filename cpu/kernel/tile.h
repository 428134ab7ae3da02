// The register tile: C (+)= A·B for up to MR rows and NR columns, with C in registers until the sum is done. Everything that is a matrix
// product ends here.
//
// The rows of A are reached through pointers rather than packed: a row of a lowered image is a few runs of adjacent floats that lie in
// the image already (Dukhan, "The Indirect Convolution Algorithm", arXiv:1907.02129), and a row-major matrix is one run. Each step of
// the sum broadcasts MR values of A against NV vectors of B.

typedef struct {
	const float *const *a; // (runs, MR): where row r of run i begins
	int64_t runs, len;     // runs of len steps each
	int64_t step;          // floats of A from a step to the next; where that is not 1, the rows of A are adjacent floats, those after row 0
	const float *b;        // (runs·len, NR), a packed panel
	float *const *c;       // (MR): rows of the result
	int64_t n;             // columns of the result, at most NR
	int64_t add;           // whether the result is added to what is there
} tile;

#define UNROLL _Pragma("GCC unroll 32")

// tile_full computes m rows of v vectors. Both are constants wherever it is inlined, so that the loops over them vanish and acc
// becomes registers.
INLINE void tile_full(const tile *t, const int m, const int v) {
	vf acc[MR][NV];
	UNROLL for (int r = 0; r < m; r++)
		UNROLL for (int j = 0; j < v; j++) acc[r][j] = vset(0);
	const float *b = t->b;
	for (int64_t i = 0; i < t->runs; i++)
		if (t->step == 1) {
			const float *p[MR]; // the ends of the rows: counting up to zero saves the register of a bound, and MR pointers leave few
			UNROLL for (int r = 0; r < m; r++) p[r] = t->a[i * MR + r] + t->len;
			for (int64_t at = -t->len; at != 0; at++, b += NR) {
				vf x[NV];
				UNROLL for (int j = 0; j < v; j++) x[j] = vload(b + j * VL);
				UNROLL for (int r = 0; r < m; r++) {
					const vf y = vset(p[r][at]);
					UNROLL for (int j = 0; j < v; j++) acc[r][j] = vfma(y, x[j], acc[r][j]);
				}
			}
		} else {
			const float *a = t->a[i * MR];
			const int64_t step = t->step;
			for (const float *end = b + t->len * NR; b != end; a += step, b += NR) {
				vf x[NV];
				UNROLL for (int j = 0; j < v; j++) x[j] = vload(b + j * VL);
				UNROLL for (int r = 0; r < m; r++) {
					const vf y = vset(a[r]);
					UNROLL for (int j = 0; j < v; j++) acc[r][j] = vfma(y, x[j], acc[r][j]);
				}
			}
		}
	float *const *c = t->c;
	const int64_t add = t->add, rest = t->n - (v - 1) * VL; // columns in the last vector
	if (rest == VL && !add)
		UNROLL for (int r = 0; r < m; r++)
			UNROLL for (int j = 0; j < v; j++) vstore(c[r] + j * VL, acc[r][j]);
	else if (rest == VL)
		UNROLL for (int r = 0; r < m; r++)
			UNROLL for (int j = 0; j < v; j++) vstore(c[r] + j * VL, acc[r][j] + vload(c[r] + j * VL));
	else
		UNROLL for (int r = 0; r < m; r++)
			UNROLL for (int j = 0; j < v; j++) {
				const int64_t n = j < v - 1 ? VL : rest;
				float *to = c[r] + j * VL;
				if (add)
					acc[r][j] += vloadn(to, n);
				vstoren(to, acc[r][j], n);
			}
}

#if defined(ISA_AVX512)
// tile_half computes m rows of at most 8 columns: half a register does as many at twice the rate.
INLINE void tile_half(const tile *t, const int m) {
	__m256 acc[MR];
	UNROLL for (int r = 0; r < m; r++) acc[r] = _mm256_setzero_ps();
	const float *b = t->b;
	const int64_t step = t->step;
	for (int64_t i = 0; i < t->runs; i++) {
		const float *p[MR];
		UNROLL for (int r = 0; r < m; r++) p[r] = t->a[i * MR + r];
		int64_t at = 0;
		for (const float *end = b + t->len * NR; b != end; b += NR, at += step) {
			__m256 x = _mm256_loadu_ps(b);
			UNROLL for (int r = 0; r < m; r++) acc[r] = _mm256_fmadd_ps(_mm256_set1_ps(p[r][at]), x, acc[r]);
		}
	}
	const __mmask8 head = (__mmask8)((1u << t->n) - 1);
	UNROLL for (int r = 0; r < m; r++) {
		if (t->add)
			acc[r] = _mm256_add_ps(acc[r], _mm256_maskz_loadu_ps(head, t->c[r]));
		_mm256_mask_storeu_ps(t->c[r], head, acc[r]);
	}
}
#define HALF(M) static void tile_##M##_0(const tile *t) { tile_half(t, M); }
#define HALF_NAME(M) tile_##M##_0
#else
#define HALF(M)
#define HALF_NAME(M) tile_##M##_1
#endif

#define FULL(M, V) static void tile_##M##_##V(const tile *t) { tile_full(t, M, V); }
#if NV == 4
#define ROWS(M) FULL(M, 1) FULL(M, 2) FULL(M, 3) FULL(M, 4)
#define ROW_NAMES(M) {HALF_NAME(M), tile_##M##_1, tile_##M##_2, tile_##M##_3, tile_##M##_4},
#else
#define ROWS(M) HALF(M) FULL(M, 1) FULL(M, 2)
#define ROW_NAMES(M) {HALF_NAME(M), tile_##M##_1, tile_##M##_2},
#endif

ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6)
#if MR > 6
ROWS(7) ROWS(8) ROWS(9) ROWS(10) ROWS(11) ROWS(12)
#endif

typedef void (*tile_func)(const tile *);

// tiles[m-1][v] computes m rows of v vectors; v = 0 stands for half a vector.
static const tile_func tiles[MR][NV + 1] = {
	ROW_NAMES(1) ROW_NAMES(2) ROW_NAMES(3) ROW_NAMES(4) ROW_NAMES(5) ROW_NAMES(6)
#if MR > 6
	ROW_NAMES(7) ROW_NAMES(8) ROW_NAMES(9) ROW_NAMES(10) ROW_NAMES(11) ROW_NAMES(12)
#endif
};

INLINE void tile_run(const tile *t, int64_t m) { tiles[m - 1][2 * t->n <= VL ? 0 : (t->n + VL - 1) / VL](t); }
