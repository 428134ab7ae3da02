// Asynchronous copies, matrix loads and matrix products, after the PTX manual.

#include <cmath>

#include "block.h"
#include "memory.h"

#define DEVICE static inline
struct bf16 {
	uint16_t bits;
};
#include "tensor.h"
#undef DEVICE

namespace emu {

// A copy is put off until it is waited for: this is the latest moment at which the hardware may do it, and the one at which the source must
// still be what it was. Its target is in flight until then.
void copy_async(void *shared, const void *global, size_t size, bool valid) {
	check_vector(shared, size, "cp.async to");
	check_shared(shared, size, true, "cp.async to");
	if (valid) {
		check_vector(global, size, "cp.async from");
		check(global, size, false);
	}
	mark_in_flight(static_cast<char *>(shared), size);
	current->open.push_back({static_cast<char *>(shared), static_cast<const char *>(global), size, valid ? size : 0});
}

void commit_async() {
	current->groups.push_back(std::move(current->open));
	current->open.clear();
}

void wait_async(size_t pending) {
	while (current->groups.size() > pending) {
		for (const AsyncCopy &c : current->groups.front()) {
			memset(c.to, 0, c.size);
			if (c.read > 0) {
				check(c.from, c.read, false);
				memcpy(c.to, c.from, c.read);
			}
			land(c.to, c.size);
		}
		current->groups.pop_front();
	}
}

namespace {

struct Matrices {
	uint32_t *r;
	int count;
	bool transposed;
	const void *row;
};

void load_matrices(void *const *operands, unsigned) {
	uint16_t rows[32][8];
	const int count = static_cast<Matrices *>(operands[0])->count;
	for (int l = 0; l < 8 * count; l++) memcpy(rows[l], static_cast<Matrices *>(operands[l])->row, 16);
	for (int l = 0; l < 32; l++) {
		const Matrices &m = *static_cast<Matrices *>(operands[l]);
		for (int i = 0; i < count; i++) {
			const uint16_t(*matrix)[8] = rows + 8 * i;
			const int outer = l / 4, inner = l % 4 * 2;
			const uint16_t low = m.transposed ? matrix[inner][outer] : matrix[outer][inner];
			const uint16_t high = m.transposed ? matrix[inner + 1][outer] : matrix[outer][inner + 1];
			m.r[i] = low | static_cast<uint32_t>(high) << 16;
		}
	}
}

struct Product {
	float *d;
	const uint32_t *a, *b;
};

float bf16_value(uint32_t pair, int half) { return __uint_as_float(half ? pair & 0xffff0000u : pair << 16); }

// The tensor core reads 19 bits of a tf32 operand.
float tf32_value(uint32_t word) { return __uint_as_float(word & 0xffffe000u); }

// multiply gathers A (16, K) and B (K, 8) from the lanes and adds their product to D (16, 8). Products of such operands are exact in
// float64; the sum is rounded once. The hardware aligns and truncates in an order that is not documented, with a few bits more than float32.
template <int K> void multiply(void *const *operands) {
	float a[16][K], b[K][8];
	for (int l = 0; l < 32; l++) {
		const Product &p = *static_cast<Product *>(operands[l]);
		const int g = l / 4, t = l % 4;
		for (int i = 0; i < 4; i++) {
			const int row = g + i % 2 * 8, half = i / 2 * (K / 2);
			if (K == 8) {
				a[row][t + half] = tf32_value(p.a[i]);
			} else {
				a[row][2 * t + half] = bf16_value(p.a[i], 0);
				a[row][2 * t + half + 1] = bf16_value(p.a[i], 1);
			}
		}
		for (int i = 0; i < 2; i++) {
			if (K == 8) {
				b[t + 4 * i][g] = tf32_value(p.b[i]);
			} else {
				b[2 * t + 8 * i][g] = bf16_value(p.b[i], 0);
				b[2 * t + 8 * i + 1][g] = bf16_value(p.b[i], 1);
			}
		}
	}
	for (int l = 0; l < 32; l++) {
		const Product &p = *static_cast<Product *>(operands[l]);
		for (int i = 0; i < 4; i++) {
			const int row = l / 4 + i / 2 * 8, column = l % 4 * 2 + i % 2;
			double sum = p.d[i];
			for (int k = 0; k < K; k++) sum += static_cast<double>(a[row][k]) * b[k][column];
			p.d[i] = static_cast<float>(sum);
		}
	}
}

} // namespace

void load_matrix(uint32_t *r, int count, bool transposed, const void *row, const char *file, int line) {
	if (lane() < 8 * count) {
		check_vector(row, 16, "ldmatrix from");
		check_shared(row, 16, false, "ldmatrix from");
	}
	Matrices m = {r, count, transposed, row};
	rendezvous("ldmatrix", 0xffffffffu, {file, line}, load_matrices, &m);
}

void mma_tf32(float *d, const uint32_t *a, const uint32_t *b, const char *file, int line) {
	Product p = {d, a, b};
	rendezvous("mma", 0xffffffffu, {file, line}, [](void *const *operands, unsigned) { multiply<8>(operands); }, &p);
}

void mma_bf16(float *d, const uint32_t *a, const uint32_t *b, const char *file, int line) {
	Product p = {d, a, b};
	rendezvous("mma", 0xffffffffu, {file, line}, [](void *const *operands, unsigned) { multiply<16>(operands); }, &p);
}

} // namespace emu
