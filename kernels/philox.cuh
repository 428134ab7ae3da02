// Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC'11): the same words as
// Go's package philox.
#pragma once

#include "cuda.cuh"

// philox returns the four words that key and counter determine. The constants are those of the paper's section 5.1.
DEVICE uint4 philox(uint2 key, uint4 counter) {
#pragma unroll
	for (int round = 0; round < 10; round++) {
		const uint32_t low0 = 0xD2511F53u * counter.x, high0 = __umulhi(0xD2511F53u, counter.x);
		const uint32_t low1 = 0xCD9E8D57u * counter.z, high1 = __umulhi(0xCD9E8D57u, counter.z);
		counter = make_uint4(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
		key.x += 0x9E3779B9u;
		key.y += 0xBB67AE85u;
	}
	return counter;
}
