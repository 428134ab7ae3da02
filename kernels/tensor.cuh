// Asynchronous copies and tensor-core instructions (compute capability 8.0 and up), one function each. The layouts of fragments over the
// lanes of a warp are those of the PTX manual, sections on cp.async, ldmatrix and mma; every lane of the warp calls them together.
#pragma once

#include "cuda.cuh"

// A bf16 is the upper half of a float32.
struct bf16 {
	uint16_t bits;
};

DEVICE float to_float(bf16 v) { return __uint_as_float(static_cast<uint32_t>(v.bits) << 16); }

// The halves of two neighbours that were read as one word.
DEVICE float low_bf16(uint32_t pair) { return __uint_as_float(pair << 16); }
DEVICE float high_bf16(uint32_t pair) { return __uint_as_float(pair & 0xffff0000u); }

#ifdef CNNCTL_EMU
#include "emu/tensor.h"
#else

// to_bf16 rounds to nearest, ties to even.
DEVICE bf16 to_bf16(float v) {
	bf16 r;
	asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r.bits) : "f"(v));
	return r;
}

// pack_bf16 rounds two values; the first lies in the lower half.
DEVICE uint32_t pack_bf16(float low, float high) {
	uint32_t r;
	asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
	return r;
}

// to_tf32 rounds to the 10 bits of fraction that the tensor cores use, to nearest, ties away from zero.
DEVICE uint32_t to_tf32(float v) {
	uint32_t r;
	asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(v));
	return r;
}

// keep makes the compiler hold a value in a register where it would rather work it out each time.
DEVICE void keep(int &v) { asm volatile("" : "+r"(v)); }

DEVICE uint32_t shared_address(const void *p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }

// copy_async<Bytes> copies 4, 8 or 16 bytes from global to shared memory, both aligned to that size, or writes zeros if valid is
// false: then `global` is not read. The bytes are there after commit_async and wait_async, for this thread, and after a barrier for the block.
template <int Bytes> DEVICE void copy_async(void *shared, const void *global, bool valid) {
	static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "the sizes that cp.async knows");
	const int bytes = valid ? Bytes : 0;
	if (Bytes == 16) // past L1: a tile is read once by a block
		asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(bytes) : "memory");
	else
		asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(shared)), "l"(global), "n"(Bytes), "r"(bytes)
					 : "memory");
}

// commit_async makes a group of the copies since the last one.
DEVICE void commit_async() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// wait_async<Pending> waits until at most that many of the latest groups are under way.
template <int Pending> DEVICE void wait_async() { asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory"); }

// load_matrix reads 8x8 matrices of 16-bit elements from shared memory. Lane l gives the address of row l%8 of matrix l/8, 16 bytes aligned
// to 16; it receives elements 2(l%4) and 2(l%4)+1 of row l/4 of each.
DEVICE void load_matrix(uint32_t (&r)[4], const void *row) {
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
				 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
				 : "r"(shared_address(row))
				 : "memory");
}

DEVICE void load_matrix(uint32_t (&r)[2], const void *row) {
	asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(shared_address(row)) : "memory");
}

// load_matrix_transposed is load_matrix of the transposed matrices: the lane receives rows 2(l%4) and 2(l%4)+1 of column l/4.
DEVICE void load_matrix_transposed(uint32_t (&r)[4], const void *row) {
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
				 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
				 : "r"(shared_address(row))
				 : "memory");
}

DEVICE void load_matrix_transposed(uint32_t (&r)[2], const void *row) {
	asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
				 : "=r"(r[0]), "=r"(r[1])
				 : "r"(shared_address(row))
				 : "memory");
}

// mma_tf32 adds the product of A (16, 8) and B (8, 8) to D (16, 8). With g = lane/4 and t = lane%4 the lane holds
// A: (g, t), (g+8, t), (g, t+4), (g+8, t+4); B: (t, g), (t+4, g); D: (g, 2t), (g, 2t+1), (g+8, 2t), (g+8, 2t+1).
DEVICE void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
	asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
				 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
				 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// mma_bf16 adds the product of A (16, 16) and B (16, 8) to D (16, 8). Each register holds two neighbours along K, the first below:
// A: (g, 2t), (g+8, 2t), (g, 2t+8), (g+8, 2t+8); B: (2t, g), (2t+8, g); D as mma_tf32.
DEVICE void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
	asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
				 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
				 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#endif
