// Matrix products C = op(A)·op(B), row-major, in exact float32. The letters of a kernel's name tell what is transposed: gemm_nt multiplies A (m, k) with
// the transpose of B (n, k).

#include "matrix.cuh"

// C is (m, n). partial (parts, m, n) is null unless the depth k is cut into parts of depth_per_part, as many as the grid is deep.
#define GEMM_PARAMETERS                                                                                                                    \
	(float *c, const float *__restrict__ a, const float *__restrict__ b, float *partial, const float *bias, const float *residual, int m, \
	 int n, int k, int depth_per_part, int act, int flags)

#define DEFINE(letters, name, trans_a, trans_b, m_tile, n_tile, rm, rn, blocks)                                          \
	EXPORT_KERNEL(gemm_##letters##_##name##_f32, (Tile<m_tile, n_tile, rm, rn>::threads), blocks, GEMM_PARAMETERS) {       \
		typedef Tile<m_tile, n_tile, rm, rn> T;                                                                          \
		const Place p = place<T>(n, k, depth_per_part);                                                                  \
		const Matrix<!trans_a> rows_a = {a, trans_a ? m : k, m, k, (flags & vector_a) != 0};                              \
		const Matrix<trans_b> rows_b = {b, trans_b ? k : n, n, k, (flags & vector_b) != 0};                               \
		Result<Dense> result = {{n}, c, bias, residual, m, n, act, flags};                                                \
		result.keep_part(partial);                                                                                       \
		product<T>(rows_a, rows_b, result, p.m0, p.n0, p.first, p.last);                                                 \
	}

#define DEFINE_NN(name, m_tile, n_tile, rm, rn, blocks) DEFINE(nn, name, false, false, m_tile, n_tile, rm, rn, blocks)
#define DEFINE_NT(name, m_tile, n_tile, rm, rn, blocks) DEFINE(nt, name, false, true, m_tile, n_tile, rm, rn, blocks)
#define DEFINE_TN(name, m_tile, n_tile, rm, rn, blocks) DEFINE(tn, name, true, false, m_tile, n_tile, rm, rn, blocks)
#define DEFINE_TT(name, m_tile, n_tile, rm, rn, blocks) DEFINE(tt, name, true, true, m_tile, n_tile, rm, rn, blocks)

FOR_EACH_TILE(DEFINE_NN)
FOR_EACH_TILE(DEFINE_NT)
FOR_EACH_TILE(DEFINE_TN)
FOR_EACH_TILE(DEFINE_TT)

// Y (groups, m, n) = epilogue of the sum over partial (parts, groups, m, n), for all products whose results lie in rows of `pitch` elements, those of
// group g at g·group_pitch.
EXPORT_KERNEL(add_partials_f32, 256, 4,
			  (float *y, const float *__restrict__ partial, const float *bias, const float *residual, int parts, int m, int n, index_t pitch,
			   index_t group_pitch, int act, int flags)) {
	const int group = blockIdx.y;
	const Result<Dense> result = {{pitch}, y + group * group_pitch, bias ? bias + group * n : nullptr,
								  residual ? residual + group * group_pitch : nullptr, m, n, act, flags};
	add_partials(partial, parts, result);
}
