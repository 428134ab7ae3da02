// Instructions of a warp.

#include "block.h"
#include "memory.h"

namespace emu {

void warp_barrier(unsigned mask, const char *file, int line) {
	rendezvous("__syncwarp", mask, {file, line}, [](void *const *, unsigned) { next_warp_epoch(current->linear / 32); }, nullptr);
}

namespace {
struct Exchange {
	uint64_t value, result;
	int source;
};

struct Vote {
	bool predicate;
	unsigned result;
};
} // namespace

uint64_t shuffle(unsigned mask, uint64_t value, int source, const char *file, int line) {
	Exchange e = {value, 0, source};
	rendezvous(
		"a shuffle", mask, {file, line},
		[](void *const *operands, unsigned mask) {
			for (unsigned l = 0; l < 32; l++) {
				if (!(mask >> l & 1)) continue;
				Exchange &e = *static_cast<Exchange *>(operands[l]);
				if (!(mask >> e.source & 1)) fail(launch_failed, "a shuffle: lane %u reads lane %d, which the mask %#x lacks", l, e.source, mask);
				e.result = static_cast<Exchange *>(operands[e.source])->value;
			}
		},
		&e);
	return e.result;
}

unsigned vote(unsigned mask, bool predicate, const char *file, int line) {
	Vote v = {predicate, 0};
	rendezvous(
		"a vote", mask, {file, line},
		[](void *const *operands, unsigned mask) {
			unsigned ballot = 0;
			for (unsigned l = 0; l < 32; l++)
				if (mask >> l & 1 && static_cast<Vote *>(operands[l])->predicate) ballot |= 1u << l;
			for (unsigned l = 0; l < 32; l++)
				if (mask >> l & 1) static_cast<Vote *>(operands[l])->result = ballot;
		},
		&v);
	return v.result;
}

} // namespace emu
