// Device memory and shared memory, and what is known about each of their bytes.
#pragma once

#include "runtime.h"

namespace emu {

// The state of a byte. What was never allocated, and what lies between allocations, is outside.
enum Shadow : unsigned char { outside = 0, unwritten = 1, written = 2, in_flight = 3 };

constexpr int most_devices = 8;

// allocate reserves memory of a device: 512-byte aligned, unwritten, with at least 512 bytes outside on both sides. It returns 0 if there is not enough.
uint64_t allocate(size_t bytes, int device);
bool release(uint64_t address);
void release_all(int device);
size_t free_memory(int device);
size_t total_memory(); // of each device

// device_range reports whether a host copy may touch [address, address+bytes), and device_written marks it.
bool device_range(uint64_t address, size_t bytes);
void device_written(uint64_t address, size_t bytes);

// check is called before every access of a kernel. It fails the launch where the access is wrong.
void check(const void *p, size_t size, bool store);

// check_shared is check for instructions that want shared memory.
void check_shared(const void *p, size_t size, bool store, const char *what);

// mark_in_flight and land are the beginning and the end of an asynchronous copy to shared memory.
void mark_in_flight(char *p, size_t size);
void land(char *p, size_t size);

// begin_shared empties the shared memory for a block of n threads with so many dynamic bytes.
void begin_shared(size_t dynamic, size_t threads);

// next_epoch is a barrier of the block: accesses before it come before those after it. next_warp_epoch is one of a warp.
void next_epoch();
void next_warp_epoch(unsigned warp);

// The bytes of shared memory that a block may declare, and that it may have when asked for; and the emulated compute capability (8.0: 80).
constexpr size_t static_shared_limit = 48 << 10;
size_t shared_limit();
int capability();

} // namespace emu
