// The driver's functions on streams, events and graphs. What is put on a stream has happened when the call returns, which is one of the orders
// that a GPU may choose; a stream that is captured records it instead.

#include <chrono>
#include <cstring>

#include "api.h"
#include "memory.h"

using namespace emu;

namespace emu {

struct Stream {
	bool captures;
	std::vector<Work> recorded;
};

static thread_local int captures;
bool capturing() { return captures > 0; }

namespace {

Result execute(const Work &w) {
	switch (w.kind) {
	case Work::launch: return break_context(run(w.kernel));
	case Work::copy:
		memcpy(w.to, w.from, w.bytes);
		if (device_range(reinterpret_cast<uint64_t>(w.to), w.bytes)) device_written(reinterpret_cast<uint64_t>(w.to), w.bytes);
		return success;
	case Work::fill:
		for (size_t i = 0; i < w.bytes; i++) memcpy(static_cast<char *>(w.to) + i * w.width, &w.value, w.width);
		device_written(reinterpret_cast<uint64_t>(w.to), w.bytes * w.width);
		return success;
	}
	return invalid_value;
}

struct Event {
	std::chrono::steady_clock::time_point time;
	bool recorded;
};

typedef std::vector<Work> Graph;

} // namespace

Result submit(Stream *s, const Work &w) {
	if (s && s->captures) {
		s->recorded.push_back(w);
		return success;
	}
	return execute(w);
}

} // namespace emu

EMU_API cuStreamCreate(Stream **s, unsigned) {
	LOCK;
	TRY(blocking());
	*s = new Stream{};
	return success;
}

EMU_API cuStreamDestroy_v2(Stream *s) {
	delete s;
	return success;
}

EMU_API cuStreamSynchronize(Stream *s) {
	LOCK;
	NEED(!s || !s->captures, capture_unsupported);
	return usable();
}

EMU_API cuStreamQuery(Stream *) {
	LOCK;
	return usable();
}

EMU_API cuStreamWaitEvent(Stream *, Event *, unsigned) {
	LOCK;
	return usable();
}

EMU_API cuEventCreate(Event **e, unsigned) {
	LOCK;
	TRY(usable());
	*e = new Event{};
	return success;
}

EMU_API cuEventDestroy_v2(Event *e) {
	delete e;
	return success;
}

EMU_API cuEventRecord(Event *e, Stream *) {
	LOCK;
	TRY(usable());
	e->time = std::chrono::steady_clock::now();
	e->recorded = true;
	return success;
}

EMU_API cuEventSynchronize(Event *) {
	LOCK;
	return blocking();
}

EMU_API cuEventQuery(Event *) {
	LOCK;
	return usable();
}

EMU_API cuEventElapsedTime(float *milliseconds, Event *start, Event *end) {
	LOCK;
	TRY(usable());
	NEED(start->recorded && end->recorded, invalid_handle);
	*milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
	return success;
}

EMU_API cuStreamBeginCapture_v2(Stream *s, int) {
	LOCK;
	TRY(usable());
	NEED(s, capture_unsupported); // the default stream
	NEED(!s->captures, invalid_value);
	s->captures = true;
	s->recorded.clear();
	captures++;
	return success;
}

EMU_API cuStreamEndCapture(Stream *s, Graph **g) {
	LOCK;
	NEED(s && s->captures, invalid_value);
	s->captures = false;
	captures--;
	*g = nullptr;
	TRY(usable());
	*g = new Graph(std::move(s->recorded));
	return success;
}

EMU_API cuGraphInstantiateWithFlags(Graph **exec, const Graph *g, unsigned long long) {
	LOCK;
	TRY(usable());
	NEED(g, invalid_value);
	*exec = new Graph(*g);
	return success;
}

EMU_API cuGraphLaunch(const Graph *exec, Stream *s) {
	LOCK;
	TRY(usable());
	TRY(fault(Operation::launch));
	for (const Work &w : *exec) TRY(submit(s, w));
	return success;
}

EMU_API cuGraphDestroy(Graph *g) {
	delete g;
	return success;
}

EMU_API cuGraphExecDestroy(Graph *exec) {
	delete exec;
	return success;
}
