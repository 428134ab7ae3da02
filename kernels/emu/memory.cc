#include "memory.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <link.h>
#include <map>
#include <sys/mman.h>

#include "block.h"

namespace emu {

namespace {

// A range of addresses with one byte of knowledge for each byte.
struct Region {
	char *base = nullptr;
	unsigned char *shadow = nullptr;
	size_t size = 0;

	void reserve(size_t bytes) {
		void *p = mmap(nullptr, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED) {
			perror("emulated CUDA driver: no address space for the device's memory");
			abort();
		}
		base = static_cast<char *>(p);
		shadow = reinterpret_cast<unsigned char *>(base + bytes);
		size = bytes;
	}
	bool holds(const void *p) const { return static_cast<const char *>(p) >= base && static_cast<const char *>(p) < base + size; }
	unsigned char *of(const void *p) const { return shadow + (static_cast<const char *>(p) - base); }
};

constexpr size_t granule = 512;

// The heap: the memory of all devices. CNNCTL_EMU_MEMORY is the size in bytes that each has of it.
Region heap;
struct Allocation {
	size_t bytes;
	int device;
};
std::map<size_t, Allocation> allocations; // by offset
size_t in_use[most_devices];

Region &the_heap() {
	if (!heap.base) heap.reserve((total_memory() + granule) * most_devices + granule);
	return heap;
}

size_t rounded(size_t bytes) { return (bytes + granule - 1) / granule * granule + granule; }

} // namespace

size_t total_memory() {
	static const size_t total = [] {
		const char *v = getenv("CNNCTL_EMU_MEMORY");
		return rounded(v ? strtoull(v, nullptr, 10) : size_t(2) << 30);
	}();
	return total;
}
size_t free_memory(int device) { return total_memory() - in_use[device]; }

uint64_t allocate(size_t bytes, int device) {
	const Region &h = the_heap();
	if (bytes == 0 || bytes > total_memory() || rounded(bytes) > free_memory(device)) return 0;
	size_t at = granule; // first fit
	for (const auto &a : allocations) {
		if (at + rounded(bytes) <= a.first) break;
		at = a.first + rounded(a.second.bytes);
	}
	if (at + rounded(bytes) > h.size) return 0;
	allocations[at] = {bytes, device};
	in_use[device] += rounded(bytes);
	memset(h.base + at, 0xff, bytes); // NaN, whatever the type
	memset(h.shadow + at, unwritten, bytes);
	return reinterpret_cast<uint64_t>(h.base + at);
}

bool release(uint64_t address) {
	const auto a = allocations.find(address - reinterpret_cast<uint64_t>(the_heap().base));
	if (a == allocations.end()) return false;
	memset(heap.shadow + a->first, outside, a->second.bytes);
	in_use[a->second.device] -= rounded(a->second.bytes);
	allocations.erase(a);
	return true;
}

void release_all(int device) {
	for (auto a = allocations.begin(); a != allocations.end();) {
		const auto next = std::next(a);
		if (a->second.device == device) release(reinterpret_cast<uint64_t>(heap.base) + a->first);
		a = next;
	}
}

bool device_range(uint64_t address, size_t bytes) {
	const size_t at = address - reinterpret_cast<uint64_t>(the_heap().base);
	auto a = allocations.upper_bound(at);
	if (a == allocations.begin()) return false;
	--a;
	return at >= a->first && at + bytes <= a->first + a->second.bytes && at + bytes >= at;
}

void device_written(uint64_t address, size_t bytes) { memset(heap.of(reinterpret_cast<char *>(address)), written, bytes); }

// Shared memory.

namespace {

constexpr size_t shared_window = 512 << 10, red_zone = 64;
Region window;
size_t window_end, declared, dynamic_size; // window_end: the first free offset
char *dynamic_base;
struct Array {
	const void *key;
	char *base;
};
std::vector<Array> arrays;

// What a race detector knows of two bytes, as no element of shared memory is smaller: who accessed them last, and when. An epoch is the time
// between two barriers of the block, a warp epoch that between two barriers of the warp; accesses in different ones are ordered.
constexpr size_t grain = 2;
constexpr uint16_t many = 0xffff;
struct History {
	uint32_t write_epoch, read_epoch, write_warp_epoch, read_warp_epoch;
	uint16_t writer, reader, reader_warp;
};
std::vector<History> history;
uint32_t epoch = 1;
std::vector<uint32_t> warp_epochs;

bool ordered(uint16_t other, uint32_t other_warp_epoch, uint16_t other_warp, unsigned me) {
	return other == me || (other_warp == me / 32 && other_warp_epoch != warp_epochs[me / 32]);
}

void check_race(const char *p, size_t size, bool store) {
	const unsigned me = current->linear;
	const uint16_t warp = me / 32;
	const size_t first = (p - window.base) / grain, last = (p - window.base + size - 1) / grain;
	for (size_t i = first; i <= last; i++) {
		History &h = history[i];
		if (h.write_epoch == epoch && !ordered(h.writer, h.write_warp_epoch, h.writer / 32, me))
			fail(launch_failed, "race in shared memory: a %s of what thread %u of the block wrote, without a barrier in between",
				 store ? "store" : "load", h.writer);
		if (store) {
			if (h.read_epoch == epoch && !ordered(h.reader, h.read_warp_epoch, h.reader_warp, me))
				fail(launch_failed, "race in shared memory: a store to what %s read, without a barrier in between",
					 h.reader == many ? "several threads" : ("thread " + std::to_string(h.reader) + " of the block").c_str());
			h.write_epoch = epoch;
			h.writer = me;
			h.write_warp_epoch = warp_epochs[warp];
		} else if (h.read_epoch != epoch || (h.reader_warp == warp && h.read_warp_epoch != warp_epochs[warp])) {
			h.read_epoch = epoch;
			h.reader = me;
			h.reader_warp = warp;
			h.read_warp_epoch = warp_epochs[warp];
		} else {
			if (h.reader != me) h.reader = many;
			if (h.reader_warp != warp) h.reader_warp = many;
		}
	}
}

// reserve_shared gives out bytes of the window.
char *reserve_shared(size_t bytes) {
	window_end = (window_end + red_zone + 127) / 128 * 128;
	char *p = window.base + window_end;
	if (window_end + bytes + red_zone > window.size) fail(launch_out_of_resources, "more shared memory than any GPU has");
	memset(p, 0xff, bytes);
	memset(window.of(p), unwritten, bytes);
	window_end += bytes;
	return p;
}

} // namespace

int capability() {
	const char *v = getenv("CNNCTL_EMU_CAPABILITY");
	return v ? atoi(v) : 80;
}

// CUDA C++ Programming Guide, technical specifications per compute capability.
size_t shared_limit() {
	switch (capability()) {
	case 86:
	case 89: return 99 << 10;
	case 90: return 227 << 10;
	default: return 163 << 10;
	}
}

void begin_shared(size_t dynamic, size_t threads) {
	if (!window.base) {
		window.reserve(shared_window);
		history.resize(shared_window / grain);
	}
	memset(window.shadow, outside, window_end + red_zone);
	window_end = declared = 0;
	arrays.clear();
	warp_epochs.assign((threads + 31) / 32, 0);
	next_epoch();
	dynamic_size = dynamic;
	dynamic_base = nullptr;
}

void next_epoch() { epoch++; }
void next_warp_epoch(unsigned warp) { warp_epochs[warp]++; }

void *shared_array(const void *key, const char *name, size_t bytes) {
	for (const Array &a : arrays)
		if (a.key == key) return a.base;
	declared += bytes;
	if (declared > static_shared_limit)
		fail(launch_out_of_resources, "the array %s brings the declared shared memory to %zu bytes, of at most %zu", name, declared, static_shared_limit);
	if (declared + dynamic_size > shared_limit())
		fail(launch_out_of_resources, "%zu bytes of declared and %zu of dynamic shared memory, of at most %zu", declared, dynamic_size, shared_limit());
	arrays.push_back({key, reserve_shared(bytes)});
	return arrays.back().base;
}

void *dynamic_shared_memory() {
	if (!dynamic_base) dynamic_base = reserve_shared(dynamic_size);
	return dynamic_base;
}

// Accesses.

namespace {

// in_image reports whether p lies in this library, where constant tables are.
bool in_image(const void *p) {
	struct Query {
		uintptr_t p;
		bool found;
	} q = {reinterpret_cast<uintptr_t>(p), false};
	static const char here = 0;
	dl_iterate_phdr(
		[](dl_phdr_info *info, size_t, void *data) {
			Query &q = *static_cast<Query *>(data);
			bool mine = false, holds = false;
			for (int i = 0; i < info->dlpi_phnum; i++) {
				const ElfW(Phdr) &h = info->dlpi_phdr[i];
				if (h.p_type != PT_LOAD) continue;
				const uintptr_t low = info->dlpi_addr + h.p_vaddr, high = low + h.p_memsz;
				mine = mine || (reinterpret_cast<uintptr_t>(&here) >= low && reinterpret_cast<uintptr_t>(&here) < high);
				holds = holds || (q.p >= low && q.p < high);
			}
			q.found = q.found || (mine && holds);
			return mine ? 1 : 0;
		},
		&q);
	return q.found;
}

// all_written is the common case: a usual size, of memory that has been written.
bool all_written(const unsigned char *s, size_t size) {
	constexpr uint64_t eight = 0x0202020202020202;
	uint64_t a, b;
	uint32_t c;
	switch (size) {
	case 4: memcpy(&c, s, 4); return c == static_cast<uint32_t>(eight);
	case 8: memcpy(&a, s, 8); return a == eight;
	case 16: memcpy(&a, s, 8); memcpy(&b, s + 8, 8); return a == eight && b == eight;
	}
	return false;
}

void check_region(const Region &r, const char *p, size_t size, bool store, const char *kind) {
	unsigned char *s = r.of(p);
	if (all_written(s, size)) return;
	const char *what = store ? "store" : "load";
	for (size_t i = 0; i < size; i++) {
		switch (s[i]) {
		case written: break;
		case outside: {
			size_t before = 1;
			while (before < 4096 && s + i - before >= r.shadow && s[i - before] == outside) before++;
			fail(illegal_address, "%s of %zu bytes out of bounds in %s memory, %zu bytes behind the end of what is allocated%s", what, size, kind,
				 before, before == 4096 ? " or more" : "");
		}
		case unwritten:
			if (!store) fail(launch_failed, "load of %zu bytes of %s memory that nothing has written", size, kind);
			break;
		case in_flight: fail(launch_failed, "%s of %zu bytes of shared memory to which an asynchronous copy is under way: wait for it first", what, size);
		}
	}
	if (store) memset(s, written, size);
}

} // namespace

void check(const void *address, size_t size, bool store) {
	if (!current) return; // a kernel is being registered
	const char *p = static_cast<const char *>(address);
	if (heap.holds(p)) {
		check_region(heap, p, size, store, "device");
	} else if (window.holds(p)) {
		check_region(window, p, size, store, "shared");
		check_race(p, size, store);
	} else if (p < current->stack || p >= current->stack + stack_size) {
		if (store || !in_image(p)) fail(illegal_address, "%s of %zu bytes at %p, which is no memory of the device", store ? "store" : "load", size, address);
		return;
	}
	if ((size == 2 || size == 4 || size == 8) && reinterpret_cast<uintptr_t>(p) % size != 0)
		fail(misaligned_address, "%s of %zu bytes at %p, no multiple of its size", store ? "store" : "load", size, address);
}

void check_shared(const void *p, size_t size, bool store, const char *what) {
	if (!window.holds(p)) fail(illegal_address, "%s at %p, which is not shared memory", what, p);
	check(p, size, store);
}

void check_vector(const void *p, size_t size, const char *what) {
	if (reinterpret_cast<uintptr_t>(p) % size != 0)
		fail(misaligned_address, "vector %s of %zu bytes at %p, no multiple of its size", what, size, p);
}

void mark_in_flight(char *p, size_t size) { memset(window.of(p), in_flight, size); }

void land(char *p, size_t size) {
	memset(window.of(p), written, size);
	const unsigned me = current->linear;
	const size_t first = (p - window.base) / grain, last = (p - window.base + size - 1) / grain;
	for (size_t i = first; i <= last; i++) {
		History &h = history[i];
		h.write_epoch = epoch;
		h.writer = me;
		h.write_warp_epoch = warp_epochs[me / 32];
	}
}

} // namespace emu
