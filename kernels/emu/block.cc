// Runs a launch. The threads of a block are fibers on one stack each, the blocks run one after another.
//
// A fiber runs until it waits: at a barrier until all threads of the block are there, at a warp instruction until all lanes of its mask
// are. When no fiber can run, they wait for each other in vain, which is what happens on a GPU too, only that there nobody says so.
//
// The rule for barriers is stricter than the hardware's: a thread that has left the kernel does not count as having arrived.

#include "block.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "memory.h"

namespace emu {

std::string report;
Fiber *current;

namespace {

const Launch *launch;
Dim block;
std::vector<Fiber> fibers;
Context scheduler;
Result failure;

struct Order {
	enum { forward, reverse, shuffled } kind = forward;
	uint64_t state = 1;

	// A xorshift generator (Marsaglia 2003): any order will do.
	uint64_t next() {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		return state;
	}
} order;

void record(Result code, const std::string &text) {
	if (failure == success) {
		failure = code;
		report = text;
	}
}

std::string triple(Dim d) { return "(" + std::to_string(d.x) + "," + std::to_string(d.y) + "," + std::to_string(d.z) + ")"; }

std::string where() { return "kernel " + launch->kernel->name + ", block " + triple(block); }

std::string at(const Site &s) {
	const char *slash = strrchr(s.file, '/');
	return std::string(slash ? slash + 1 : s.file) + ":" + std::to_string(s.line);
}

bool same(const Site &a, const Site &b) { return a.line == b.line && strcmp(a.file, b.file) == 0; }

void fiber_main() {
	launch->kernel->entry(current->words);
	current->state = State::done;
	for (;;) switch_to(current->context, scheduler);
}

void start(Fiber &f, unsigned linear, char *stack) {
	const Dim b = launch->block;
	f.linear = linear;
	f.index = {linear % b.x, linear / b.x % b.y, linear / (b.x * b.y)};
	f.stack = stack;
	f.state = State::ready;
	f.open.clear();
	f.groups.clear();
	// The arguments lie at the end of the stack, where the kernel may read them.
	const size_t bytes = launch->words.size() * sizeof(uint64_t);
	char *top = stack + stack_size - (bytes + 63) / 64 * 64;
	if (bytes > 0) memcpy(top, launch->words.data(), bytes);
	f.words = reinterpret_cast<const uint64_t *>(top);
	prepare(f.context, top, fiber_main);
}

void run_ready(Fiber &f) {
	if (f.state != State::ready) return;
	current = &f;
	switch_to(scheduler, f.context);
	current = nullptr;
}

// pass lets every fiber run that can, once, and reports whether there was one.
bool pass() {
	const size_t n = fibers.size();
	static std::vector<unsigned> permutation;
	if (order.kind == Order::shuffled) {
		permutation.resize(n);
		for (size_t i = 0; i < n; i++) permutation[i] = i;
		for (size_t i = n - 1; i > 0; i--) std::swap(permutation[i], permutation[order.next() % (i + 1)]);
	}
	bool any = false;
	for (size_t i = 0; i < n; i++) {
		Fiber &f = fibers[order.kind == Order::forward ? i : order.kind == Order::reverse ? n - 1 - i : permutation[i]];
		any = any || f.state == State::ready;
		run_ready(f);
		if (failure != success) return false;
	}
	return any;
}

std::string describe(const Fiber &f) {
	switch (f.state) {
	case State::at_barrier: return "waits at the barrier at " + at(f.site);
	case State::at_warp: return std::string("waits in ") + f.what + " at " + at(f.site);
	default: return "has left the kernel";
	}
}

// stuck reports why no fiber can run: the first that waits, and the first that does something else.
void stuck() {
	const Fiber *first = nullptr;
	for (const Fiber &f : fibers)
		if (f.state != State::done && (!first || (f.state == State::at_barrier && first->state != State::at_barrier))) first = &f;
	const Fiber *other = nullptr;
	for (const Fiber &f : fibers) {
		const bool joins = f.state == first->state && same(f.site, first->site) && f.mask == first->mask;
		if (!joins && !other) other = &f;
	}
	std::string text = where() + ": divergent " + (first->state == State::at_barrier ? "barrier" : "warp instruction") + ": thread " +
					   triple(first->index) + " " + describe(*first);
	if (other) text += ", thread " + triple(other->index) + " " + describe(*other);
	record(launch_failed, text);
}

bool release_barrier() {
	for (const Fiber &f : fibers)
		if (f.state != State::at_barrier || !same(f.site, fibers[0].site)) return false;
	for (Fiber &f : fibers) f.state = State::ready;
	next_epoch();
	return true;
}

void run_block() {
	const size_t n = launch->block.x * launch->block.y * launch->block.z;
	char *base = stacks(n);
	fibers.resize(n);
	for (size_t i = 0; i < n; i++) start(fibers[i], i, base + i * stack_stride);
	begin_shared(launch->shared, n);
	for (;;) {
		while (pass()) {
		}
		if (failure != success) return;
		bool left = true;
		for (const Fiber &f : fibers) left = left && f.state == State::done;
		if (left) return;
		if (!release_barrier()) return stuck();
	}
}

} // namespace

unsigned block_threads() { return fibers.size(); }

void fail(Result code, const char *format, ...) {
	char text[1024];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	record(code, where() + ", thread " + triple(current->index) + ": " + text);
	Fiber &f = *current;
	for (;;) switch_to(f.context, scheduler);
}

void barrier(const char *file, int line) {
	current->site = {file, line};
	current->mask = 0;
	current->state = State::at_barrier;
	switch_to(current->context, scheduler);
}

void rendezvous(const char *what, unsigned mask, Site site, Apply apply, void *operand) {
	Fiber &f = *current;
	const unsigned lane = f.linear % 32, first = f.linear - lane;
	if (!(mask >> lane & 1)) fail(launch_failed, "%s at %s: the mask %#x lacks the calling lane %u", what, at(site).c_str(), mask, lane);
	f.what = what;
	f.mask = mask;
	f.site = site;
	f.apply = apply;
	f.operand = operand;
	f.state = State::at_warp;
	void *operands[32] = {};
	bool complete = true;
	for (unsigned l = 0; l < 32; l++) {
		if (!(mask >> l & 1)) continue;
		if (first + l >= fibers.size()) fail(launch_failed, "%s at %s: the mask %#x names lane %u, behind the block", what, at(site).c_str(), mask, l);
		const Fiber &g = fibers[first + l];
		if (g.state == State::done) fail(launch_failed, "%s at %s: the mask %#x names lane %u, which has left the kernel", what, at(site).c_str(), mask, l);
		complete = complete && g.state == State::at_warp && g.apply == apply && g.mask == mask && same(g.site, site);
		operands[l] = g.operand;
	}
	if (!complete) {
		switch_to(f.context, scheduler);
		return;
	}
	apply(operands, mask);
	for (unsigned l = 0; l < 32; l++)
		if (mask >> l & 1) fibers[first + l].state = State::ready;
}

void read_order() {
	const char *v = getenv("CNNCTL_EMU_ORDER");
	order = Order();
	if (!v) return;
	if (!strcmp(v, "reverse")) order.kind = Order::reverse;
	if (!strncmp(v, "shuffled", 8)) {
		order.kind = Order::shuffled;
		order.state = 0x9E3779B97F4A7C15u ^ (v[8] == ':' ? strtoull(v + 9, nullptr, 10) : 0);
	}
}

Result run(const Launch &l) {
	launch = &l;
	failure = success;
	const uint64_t total = static_cast<uint64_t>(l.grid.x) * l.grid.y * l.grid.z;
	for (uint64_t i = 0; i < total && failure == success; i++) {
		uint64_t k = i;
		if (order.kind == Order::reverse) k = total - 1 - i;
		if (order.kind == Order::shuffled && total > 1) {
			// The blocks from the middle outwards, alternating: neighbours are far apart in time.
			const uint64_t middle = total / 2;
			k = i % 2 == 0 ? middle + i / 2 : middle - 1 - i / 2;
		}
		block = {static_cast<unsigned>(k % l.grid.x), static_cast<unsigned>(k / l.grid.x % l.grid.y),
				 static_cast<unsigned>(k / l.grid.x / l.grid.y)};
		run_block();
	}
	return failure;
}

Dim thread_index() { return current->index; }
Dim block_index() { return block; }
Dim block_size() { return launch->block; }
Dim grid_size() { return launch->grid; }
int lane() { return current->linear % 32; }

} // namespace emu
