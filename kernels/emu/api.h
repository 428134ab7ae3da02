// What the driver's functions share: the lock, the context of the calling thread, streams, and injected faults.
#pragma once

#include <memory>
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

// A device's context. A failed launch leaves it broken until it is destroyed, as on a GPU.
struct DeviceContext {
	int users;
	Result broken;
};

// current_context returns the context of the calling thread, current_device the number of its device.
DeviceContext *current_context();
int current_device();

// usable returns success if the calling thread has a context that is not broken.
Result usable();

// blocking is usable for functions that must not be called while the thread captures a stream.
Result blocking();

// The operations that can be made to fail: CNNCTL_EMU_FAULT=alloc:3=2,copy:1=700 fails the third allocation with code 2 and the first
// copy with code 700, counted from the time that the context is created; init:1 is cuInit.
enum class Operation { init, alloc, copy, launch };
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
	std::shared_ptr<std::vector<char>> kept; // what from points to, if it is not the caller's memory
	size_t bytes; // or the count of a fill
	uint32_t value;
	int width; // of a fill, bytes
};

struct Stream;

// submit puts work on a stream, or records it if the stream is being captured. The default stream, nullptr, does it at once.
Result submit(Stream *s, const Work &w);
bool capturing(); // whether this thread captures a stream

// finish does what is left on a stream, finish_all on all of the context, and forget drops it.
Result finish(Stream *s);
Result finish_all();
void forget(const DeviceContext *c);

// read_pace reads CNNCTL_EMU_STREAMS; see stream.cc.
void read_pace();

} // namespace emu
