// What the driver's functions share: the lock, the context of the calling thread, streams, and injected faults.
#pragma once

#include <mutex>

#include "runtime.h"

#define LOCK std::lock_guard<std::recursive_mutex> guard(emu::lock)

// NEED returns a code unless the condition holds; TRY returns the code of an expression that did not succeed.
#define NEED(condition, code) \
	do {                      \
		if (!(condition)) return code; \
	} while (0)
#define TRY(expression)                              \
	do {                                             \
		const int result_ = (expression);            \
		if (result_ != emu::success) return result_; \
	} while (0)

#define EMU_API extern "C" __attribute__((visibility("default"))) int

namespace emu {

extern std::recursive_mutex lock;

// The device's only context. A failed launch leaves it broken until it is destroyed, as on a GPU.
struct DeviceContext {
	int users;
	Result broken;
};
extern DeviceContext context;

// usable returns success if the calling thread has a context that is not broken.
Result usable();

// blocking is usable for functions that must not be called while the thread captures a stream.
Result blocking();

// The operations that can be made to fail: CNNCTL_EMU_FAULT=alloc:3=2,copy:1=700 fails the third allocation with code 2 and the first
// copy with code 700, counted from the time that the context is created.
enum class Operation { alloc, copy, launch };
Result fault(Operation o);
void read_faults();

// break_context makes the failure of a kernel stick: every later call reports it.
Result break_context(Result r);

// Work is something that was put on a stream: a launch, or a copy or fill of memory.
struct Work {
	enum { launch, copy, fill } kind;
	Launch kernel;
	void *to;
	const void *from;
	size_t bytes; // or the count of a fill
	uint32_t value;
	int width; // of a fill, bytes
};

struct Stream;

// submit runs work, or records it if the stream is being captured.
Result submit(Stream *s, const Work &w);
bool capturing(); // whether this thread captures a stream

} // namespace emu
