// The driver's functions on memory: allocation, copies and fills.

#include <cstdlib>

#include "api.h"
#include "memory.h"

using namespace emu;

typedef uint64_t Address;

EMU_API cuMemGetInfo_v2(size_t *free_bytes, size_t *total) {
	LOCK;
	TRY(usable());
	*free_bytes = free_memory();
	*total = total_memory();
	return success;
}

EMU_API cuMemAlloc_v2(Address *address, size_t bytes) {
	LOCK;
	TRY(blocking());
	TRY(fault(Operation::alloc));
	NEED(bytes > 0, invalid_value);
	*address = allocate(bytes);
	NEED(*address, out_of_memory);
	return success;
}

EMU_API cuMemFree_v2(Address address) {
	LOCK;
	TRY(blocking());
	return address == 0 || release(address) ? success : invalid_value;
}

EMU_API cuMemHostAlloc(void **p, size_t bytes, unsigned) {
	LOCK;
	TRY(blocking());
	TRY(fault(Operation::alloc));
	*p = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
	return *p ? success : out_of_memory;
}

EMU_API cuMemFreeHost(void *p) {
	free(p);
	return success;
}

static Work copy(Work w, void *to, const void *from, size_t bytes) {
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
	return submit(s, copy({}, pointer(to), from, bytes));
}

static int copy_from_device(Stream *s, void *to, Address from, size_t bytes) {
	TRY(fault(Operation::copy));
	NEED(device_range(from, bytes), invalid_value);
	return submit(s, copy({}, to, pointer(from), bytes));
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
