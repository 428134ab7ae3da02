// The driver's functions on memory: allocation, copies and fills.

#include <cstdlib>
#include <map>

#include "api.h"
#include "memory.h"

using namespace emu;

typedef uint64_t Address;

EMU_API cuMemGetInfo_v2(size_t *free_bytes, size_t *total) {
	LOCK;
	TRY(usable());
	*free_bytes = free_memory(current_device());
	*total = total_memory();
	return success;
}

EMU_API cuMemAlloc_v2(Address *address, size_t bytes) {
	LOCK;
	TRY(blocking());
	TRY(fault(Operation::alloc));
	NEED(bytes > 0, invalid_value);
	*address = allocate(bytes, current_device());
	NEED(*address, out_of_memory);
	return success;
}

EMU_API cuMemFree_v2(Address address) {
	LOCK;
	TRY(blocking());
	TRY(finish_all());
	return address == 0 || release(address) ? success : invalid_value;
}

// Page-locked memory, from its first byte to its size. Copies from and to other memory of the host are staged: the driver reads it before the call
// returns, or writes it before.
static std::map<char *, size_t> page_locked;

static bool is_page_locked(const void *p) {
	char *const c = static_cast<char *>(const_cast<void *>(p));
	auto m = page_locked.upper_bound(c);
	return m != page_locked.begin() && c < (--m)->first + m->second;
}

EMU_API cuMemHostAlloc(void **p, size_t bytes, unsigned) {
	LOCK;
	TRY(blocking());
	TRY(fault(Operation::alloc));
	const size_t whole = (bytes + 4095) / 4096 * 4096;
	*p = aligned_alloc(4096, whole);
	NEED(*p, out_of_memory);
	page_locked[static_cast<char *>(*p)] = whole;
	return success;
}

EMU_API cuMemFreeHost(void *p) {
	LOCK;
	if (usable() == success) TRY(finish_all());
	page_locked.erase(static_cast<char *>(p));
	free(p);
	return success;
}

static Work copy(void *to, const void *from, size_t bytes) {
	Work w = {};
	w.kind = Work::copy;
	w.to = to;
	w.from = from;
	w.bytes = bytes;
	return w;
}

static void *pointer(Address a) { return reinterpret_cast<void *>(a); }

// The device's side of a copy must be one allocation.
static int copy_to_device(Stream *s, Address to, const void *from, size_t bytes) {
	TRY(fault(Operation::copy));
	NEED(device_range(to, bytes), invalid_value);
	Work w = copy(pointer(to), from, bytes);
	if (s && !is_page_locked(from) && !device_range(reinterpret_cast<Address>(from), bytes)) {
		const char *const c = static_cast<const char *>(from);
		w.kept = std::make_shared<std::vector<char>>(c, c + bytes);
		w.from = w.kept->data();
	}
	return submit(s, w);
}

static int copy_from_device(Stream *s, void *to, Address from, size_t bytes) {
	TRY(fault(Operation::copy));
	NEED(device_range(from, bytes), invalid_value);
	TRY(submit(s, copy(to, pointer(from), bytes)));
	return !s || capturing() || is_page_locked(to) ? success : finish(s);
}

EMU_API cuMemcpyHtoD_v2(Address to, const void *from, size_t bytes) {
	LOCK;
	TRY(blocking());
	return copy_to_device(nullptr, to, from, bytes);
}

EMU_API cuMemcpyDtoH_v2(void *to, Address from, size_t bytes) {
	LOCK;
	TRY(blocking());
	return copy_from_device(nullptr, to, from, bytes);
}

EMU_API cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, Stream *s) {
	LOCK;
	TRY(usable());
	return copy_to_device(s, to, from, bytes);
}

EMU_API cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, Stream *s) {
	LOCK;
	TRY(usable());
	return copy_from_device(s, to, from, bytes);
}

EMU_API cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, Stream *s) {
	LOCK;
	TRY(usable());
	NEED(device_range(from, bytes), invalid_value);
	return copy_to_device(s, to, pointer(from), bytes);
}

static int fill(Stream *s, Address to, uint32_t value, size_t count, int width) {
	TRY(usable());
	NEED(device_range(to, count * width), invalid_value);
	Work w = {};
	w.kind = Work::fill;
	w.to = pointer(to);
	w.value = value;
	w.bytes = count;
	w.width = width;
	return submit(s, w);
}

EMU_API cuMemsetD8Async(Address to, unsigned char value, size_t count, Stream *s) {
	LOCK;
	return fill(s, to, value, count, 1);
}

EMU_API cuMemsetD32Async(Address to, unsigned value, size_t count, Stream *s) {
	LOCK;
	return fill(s, to, value, count, 4);
}
