// What every kernel source includes. On the device these are a few names on top of CUDA C++; with CNNCTL_EMU defined, the host's C++ compiler
// sees emu/builtins.h instead, which gives CUDA's names to the emulated driver's functions.
#pragma once

#include <stdint.h>

#ifdef CNNCTL_EMU
#include "emu/builtins.h"
#else

// EXPORT_KERNEL(name, threads, blocks, (parameters)) { body } defines a kernel that package gpu finds by its name. It is launched with at most that many
// threads a block, of which that many blocks are to fit into one multiprocessor: this bounds its registers.
//
// Parameters are scalars and pointers of 4 or 8 bytes: gorgonia.org/cu passes each in one 8-byte word.
#define EXPORT_KERNEL(name, threads, blocks, parameters) extern "C" __global__ void __launch_bounds__(threads, blocks) name parameters

// SHARED(type, name, [rows][columns]) declares an array in the block's shared memory, aligned for 16-byte accesses.
#define SHARED(type, name, dimensions) __shared__ __align__(16) type name dimensions

// DYNAMIC_SHARED(type, name) declares a pointer to the shared memory whose size the launch gives. At most once in a kernel.
#define DYNAMIC_SHARED(type, name)                                  \
	extern __shared__ __align__(16) unsigned char dynamic_shared[]; \
	type *const name = reinterpret_cast<type *>(dynamic_shared)

// load_vector and store_vector move 8 or 16 bytes in one access; p must be aligned to their size.
template <class V> static __device__ __forceinline__ V load_vector(const void *p) { return *static_cast<const V *>(p); }
template <class V> static __device__ __forceinline__ void store_vector(void *p, V v) { *static_cast<V *>(p) = v; }

#endif

#define DEVICE static __device__ __forceinline__

// An index of elements: a slab may have more than 2^31.
typedef long long index_t;

constexpr unsigned all_lanes = 0xffffffffu;

// The number of this thread in the grid, and that of all threads, for loops with the grid's stride. Grids are one-dimensional here.
DEVICE index_t grid_thread() { return static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
DEVICE index_t grid_threads() { return static_cast<index_t>(gridDim.x) * blockDim.x; }

DEVICE float4 load4(const float *p) { return load_vector<float4>(p); }
DEVICE void store4(float *p, float4 v) { store_vector<float4>(p, v); }

// warp_sum and warp_max combine the values of all 32 lanes in a fixed order and give every lane the result.
template <class T> DEVICE T warp_sum(T v) {
#pragma unroll
	for (int m = 16; m > 0; m >>= 1) v += __shfl_xor_sync(all_lanes, v, m);
	return v;
}

// max_nan is the larger of both, and NaN if either is.
DEVICE float max_nan(float a, float b) { return a > b || a != a ? a : b; }

DEVICE float warp_max_nan(float v) {
#pragma unroll
	for (int m = 16; m > 0; m >>= 1) v = max_nan(v, __shfl_xor_sync(all_lanes, v, m));
	return v;
}

DEVICE int warp_min(int v) {
#pragma unroll
	for (int m = 16; m > 0; m >>= 1) v = min(v, __shfl_xor_sync(all_lanes, v, m));
	return v;
}

// block_sum adds the values of all threads of a block of Threads threads, in a fixed order, and gives thread 0 the result. All
// threads take part. It may be called once only without a barrier in between.
template <int Threads, class T> DEVICE T block_sum(T v) {
	static_assert(Threads % 32 == 0 && Threads <= 1024, "whole warps");
	SHARED(T, warps, [32]);
	v = warp_sum(v);
	if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = v;
	__syncthreads();
	T sum = 0;
	if (threadIdx.x < 32) sum = warp_sum(threadIdx.x < Threads / 32 ? warps[threadIdx.x] : T(0));
	return sum;
}
