// Matrix products C = op(A)·op(B), row-major. The letters of a kernel's name tell what is transposed: gemm_nt multiplies A (m, k) with the transpose
// of B (n, k).
#pragma once

#include "matrix.cuh"

// C is (m, n). partial (parts, m, n) is null unless the depth k is cut into parts of depth_per_part, as many as the grid is deep. Tensor-core kernels
// are told their number of stages.
#define GEMM_PARAMETERS(E)                                                                                                             \
	E *c, const E *__restrict__ a, const E *__restrict__ b, float *partial, const float *bias, const E *residual, int m, int n, int k, \
		int depth_per_part, int act, int flags

#define GEMM_ARGUMENTS c, a, b, partial, bias, residual, m, n, k, depth_per_part, act, flags

template <class T, bool TransA, bool TransB, class E, class... Stages> DEVICE void gemm(GEMM_PARAMETERS(E), Stages... stages) {
	const Matrix<E, !TransA> rows_a = {a, TransA ? m : k, m, k, word_of_a(flags)};
	const Matrix<E, TransB> rows_b = {b, TransB ? k : n, n, k, word_of_b(flags)};
	Result<Dense, E> result = {{n}, c, bias, residual, m, n, act, flags};
	result.keep_part(partial);
	product(T(), rows_a, rows_b, result, place<T>(n, k, depth_per_part), stages...);
}

// Y (groups, m, n) = epilogue of the sum over partial (parts, groups, m, n), for all products whose results lie in rows of `pitch` elements, those of
// group g at g·group_pitch.
#define ADD_PARTIALS_PARAMETERS(E)                                                                                                          \
	E *y, const float *__restrict__ partial, const float *bias, const E *residual, int parts, int m, int n, index_t pitch, \
		index_t group_pitch, int act, int flags

template <class E> DEVICE void add_all_partials(ADD_PARTIALS_PARAMETERS(E)) {
	const int group = blockIdx.y;
	const Result<Dense, E> result = {{pitch}, y + group * group_pitch, bias ? bias + group * n : nullptr,
									 residual ? residual + group * group_pitch : nullptr, m, n, act, flags};
	add_partials(partial, parts, result);
}

#define ADD_PARTIALS_ARGUMENTS y, partial, bias, residual, parts, m, n, pitch, group_pitch, act, flags
