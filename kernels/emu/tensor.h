// The host's bodies of tensor.cuh.
#pragma once

namespace emu {
void copy_async(void *shared, const void *global, size_t size, bool valid);
void commit_async();
void wait_async(size_t pending);
void load_matrix(uint32_t *r, int count, bool transposed, const void *row, const char *file, int line);
void mma_tf32(float *d, const uint32_t *a, const uint32_t *b, const char *file, int line);
void mma_bf16(float *d, const uint32_t *a, const uint32_t *b, const char *file, int line);
} // namespace emu

DEVICE bf16 to_bf16(float v) {
	const uint32_t u = __float_as_uint(v);
	if (v != v) return {0x7fff}; // the instruction's NaN
	return {static_cast<uint16_t>((u + 0x7fff + (u >> 16 & 1)) >> 16)};
}

DEVICE uint32_t pack_bf16(float low, float high) { return to_bf16(low).bits | static_cast<uint32_t>(to_bf16(high).bits) << 16; }

// Half a unit of the last place is added to the magnitude; a carry runs into the exponent as it should. NaN and infinity stay.
DEVICE uint32_t to_tf32(float v) {
	const uint32_t u = __float_as_uint(v);
	if ((u & 0x7f800000) == 0x7f800000) return v != v ? 0x7fffffffu : u;
	return (u + 0x1000) & 0xffffe000u;
}

DEVICE void keep(int &) {}

template <int Bytes> DEVICE void copy_async(void *shared, const void *global, bool valid) {
	static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "the sizes that cp.async knows");
	emu::copy_async(shared, global, Bytes, valid);
}
DEVICE void commit_async() { emu::commit_async(); }
template <int Pending> DEVICE void wait_async() { emu::wait_async(Pending); }

DEVICE void load_matrix(uint32_t (&r)[4], const void *row, EMU_SITE) { emu::load_matrix(r, 4, false, row, file, line); }
DEVICE void load_matrix(uint32_t (&r)[2], const void *row, EMU_SITE) { emu::load_matrix(r, 2, false, row, file, line); }
DEVICE void load_matrix_transposed(uint32_t (&r)[4], const void *row, EMU_SITE) { emu::load_matrix(r, 4, true, row, file, line); }
DEVICE void load_matrix_transposed(uint32_t (&r)[2], const void *row, EMU_SITE) { emu::load_matrix(r, 2, true, row, file, line); }

DEVICE void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], EMU_SITE) { emu::mma_tf32(d, a, b, file, line); }
DEVICE void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], EMU_SITE) { emu::mma_bf16(d, a, b, file, line); }
