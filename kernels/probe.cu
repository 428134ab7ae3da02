// Each instruction of tensor.cuh on its own, for the tests of package gpu: they hold the GPU and the emulated driver to the same results, computed
// from whole matrices in Go. All kernels are launched as one warp and take dense row-major matrices.

#include "tensor.cuh"

// D (16, 8) += A (16, 8) · B (8, 8), with float32 operands rounded to tf32.
EXPORT_KERNEL(probe_mma_tf32, 32, 1, (float *d, const float *a, const float *b)) {
	const int g = threadIdx.x / 4, t = threadIdx.x % 4;
	const uint32_t fa[4] = {to_tf32(a[8 * g + t]), to_tf32(a[8 * (g + 8) + t]), to_tf32(a[8 * g + t + 4]), to_tf32(a[8 * (g + 8) + t + 4])};
	const uint32_t fb[2] = {to_tf32(b[8 * t + g]), to_tf32(b[8 * (t + 4) + g])};
	float fd[4] = {d[8 * g + 2 * t], d[8 * g + 2 * t + 1], d[8 * (g + 8) + 2 * t], d[8 * (g + 8) + 2 * t + 1]};
	mma_tf32(fd, fa, fb);
	d[8 * g + 2 * t] = fd[0];
	d[8 * g + 2 * t + 1] = fd[1];
	d[8 * (g + 8) + 2 * t] = fd[2];
	d[8 * (g + 8) + 2 * t + 1] = fd[3];
}

// D (16, 8) += A (16, 16) · B (16, 8), with float32 operands rounded to bf16. The fragments come through shared memory and ldmatrix: A as it
// lies, B transposed on the way.
EXPORT_KERNEL(probe_mma_bf16, 32, 1, (float *d, const float *a, const float *b)) {
	SHARED(bf16, sa, [16][16]);
	SHARED(bf16, sb, [16][8]);
	const int lane = threadIdx.x, g = lane / 4, t = lane % 4;
	for (int i = lane; i < 16 * 16; i += 32) sa[i / 16][i % 16] = to_bf16(a[i]);
	for (int i = lane; i < 16 * 8; i += 32) sb[i / 8][i % 8] = to_bf16(b[i]);
	__syncthreads();
	uint32_t fa[4], fb[2];
	load_matrix(fa, &sa[lane % 16][lane / 16 * 8]);
	load_matrix_transposed(fb, &sb[lane % 16][0]);
	float fd[4] = {d[8 * g + 2 * t], d[8 * g + 2 * t + 1], d[8 * (g + 8) + 2 * t], d[8 * (g + 8) + 2 * t + 1]};
	mma_bf16(fd, fa, fb);
	d[8 * g + 2 * t] = fd[0];
	d[8 * g + 2 * t + 1] = fd[1];
	d[8 * (g + 8) + 2 * t] = fd[2];
	d[8 * (g + 8) + 2 * t + 1] = fd[3];
}

// R[matrix, lane] is what ldmatrix gives each lane of four 8x8 matrices of 16-bit elements that follow each other in X, for count 4 and 2 and
// both orders: R is (4 variants, 4, 32).
EXPORT_KERNEL(probe_load_matrix, 32, 1, (uint32_t *r, const uint32_t *x)) {
	SHARED(uint32_t, rows, [32][4]);
	const int lane = threadIdx.x;
	for (int i = lane; i < 128; i += 32) rows[i / 4][i % 4] = x[i];
	__syncthreads();
	uint32_t four[4], two[2];
	load_matrix(four, rows[lane]);
	for (int i = 0; i < 4; i++) r[32 * i + lane] = four[i];
	load_matrix_transposed(four, rows[lane]);
	for (int i = 0; i < 4; i++) r[128 + 32 * i + lane] = four[i];
	load_matrix(two, rows[lane % 16]);
	for (int i = 0; i < 2; i++) r[256 + 32 * i + lane] = two[i];
	load_matrix_transposed(two, rows[lane % 16]);
	for (int i = 0; i < 2; i++) r[384 + 32 * i + lane] = two[i];
}

// Y[i] = X[i] for i < n, else 0, for 7·32 elements, copied in two groups with copies of Bytes bytes each, in dynamic shared memory.
template <int Bytes> DEVICE void probe_copy(uint32_t *y, const uint32_t *x, int n) {
	DYNAMIC_SHARED(uint32_t, buffer);
	constexpr int words = Bytes / 4;
	for (int half = 0; half < 2; half++) {
		for (int i = 112 * half + words * threadIdx.x; i < 112 * half + 112; i += 32 * words) copy_async<Bytes>(buffer + i, x + i, i + words <= n);
		commit_async();
	}
	wait_async<1>();
	__syncthreads();
	for (int i = threadIdx.x; i < 112; i += 32) y[i] = buffer[111 - i];
	wait_async<0>();
	__syncthreads();
	for (int i = 112 + threadIdx.x; i < 224; i += 32) y[i] = buffer[335 - i];
}

EXPORT_KERNEL(probe_copy_async_4, 32, 1, (uint32_t *y, const uint32_t *x, int n)) { probe_copy<4>(y, x, n); }
EXPORT_KERNEL(probe_copy_async_8, 32, 1, (uint32_t *y, const uint32_t *x, int n)) { probe_copy<8>(y, x, n); }
EXPORT_KERNEL(probe_copy_async_16, 32, 1, (uint32_t *y, const uint32_t *x, int n)) { probe_copy<16>(y, x, n); }

// Y (5, n) are the roundings of X: to tf32, to bf16, the two halves of pack_bf16(x, -x), and bf16 back to float32.
EXPORT_KERNEL(probe_convert, 32, 1, (uint32_t *y, const float *x, int n)) {
	for (int i = threadIdx.x; i < n; i += 32) {
		const uint32_t pair = pack_bf16(x[i], -x[i]);
		y[i] = to_tf32(x[i]);
		y[n + i] = to_bf16(x[i]).bits;
		y[2 * n + i] = pair & 0xffff;
		y[3 * n + i] = pair >> 16;
		y[4 * n + i] = __float_as_uint(to_float(to_bf16(x[i])));
	}
}

// Y (8, 32): what each lane gets from the shuffles and votes.
EXPORT_KERNEL(probe_warp, 32, 1, (uint32_t *y, const uint32_t *x)) {
	const int lane = threadIdx.x;
	const uint32_t v = x[lane];
	y[lane] = __shfl_sync(all_lanes, v, (lane + 5) % 32);
	y[32 + lane] = __shfl_xor_sync(all_lanes, v, 9);
	y[64 + lane] = __shfl_down_sync(all_lanes, v, 3);
	y[96 + lane] = __shfl_up_sync(all_lanes, v, 3);
	y[128 + lane] = __ballot_sync(all_lanes, v % 3 == 0);
	y[160 + lane] = __any_sync(all_lanes, v == x[17]);
	y[192 + lane] = __all_sync(all_lanes, v != x[17]);
	y[224 + lane] = static_cast<uint32_t>(warp_sum(static_cast<double>(v)) / 3);
}
