// The block that is running: its fibers, and how they wait for each other.
#pragma once

#include <deque>

#include "runtime.h"
#include "switch.h"

namespace emu {

enum class State { ready, at_barrier, at_warp, done };

// An asynchronous copy that has not been waited for.
struct AsyncCopy {
	char *to;
	const char *from;
	size_t size, read; // read: bytes that come from memory; the rest is zero
};

struct Site {
	const char *file;
	int line;
};

// Apply does the work of a warp instruction once all lanes of its mask are there; operands[lane] is what each brought.
typedef void (*Apply)(void *const operands[32], unsigned mask);

struct Fiber {
	Context context;
	Dim index;       // threadIdx
	unsigned linear; // number in the block
	char *stack;     // its lowest byte
	const uint64_t *words;
	State state;
	Site site;        // where it waits
	const char *what; // for which warp instruction
	unsigned mask;
	Apply apply;
	void *operand;
	std::vector<AsyncCopy> open;              // not committed
	std::deque<std::vector<AsyncCopy>> groups; // committed, oldest first
};

// The fiber that runs, or null outside of kernels.
extern Fiber *current;

// rendezvous waits until all lanes of mask have come to the same instruction, applies it once, and goes on.
void rendezvous(const char *what, unsigned mask, Site site, Apply apply, void *operand);

unsigned block_threads();

} // namespace emu
