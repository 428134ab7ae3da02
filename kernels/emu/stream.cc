// The driver's functions on streams, events and graphs.
//
// What is put on a stream waits there. CNNCTL_EMU_STREAMS says when it happens; a GPU may choose any of these times, and a program that waits for
// what it must wait for sees no difference:
//
//	lazy   as late as permitted: when the host waits for it, or another stream whose work the host waits for does
//	eager  at once
//	rash   copies as early as permitted, ahead of the kernels of other streams, and kernels as late as permitted
//
// A copy that nobody waits for shows under lazy, memory of the host or of the device that is used again too early under rash. A stream that is
// captured records what is put on it instead.

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <set>

#include "api.h"
#include "memory.h"

using namespace emu;

namespace emu {

namespace {

// A Point is a place in a stream: what an event has recorded.
struct Point {
	Stream *stream;
	bool reached;
	std::chrono::steady_clock::time_point time;
};
typedef std::shared_ptr<Point> PointRef;

struct Item {
	enum { work, reach, wait } kind;
	Work what;
	PointRef point;
};

enum Pace { lazy, eager, rash } pace;

} // namespace

struct Stream {
	DeviceContext *context;
	bool waits_for_default; // and the default stream for it
	bool captures;
	std::vector<Work> recorded;
	std::deque<Item> pending;
};

static std::set<Stream *> streams;
static thread_local int captures;
bool capturing() { return captures > 0; }

void read_pace() {
	const char *v = getenv("CNNCTL_EMU_STREAMS");
	const std::string s = v ? v : "";
	pace = s == "eager" ? eager : s == "rash" ? rash : lazy;
}

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

// abandon drops what is left on a stream whose context is broken or gone: the memory that it names may be gone, too.
void abandon(const DeviceContext *c) {
	for (Stream *s : streams) {
		if (s->context != c) continue;
		for (const Item &i : s->pending)
			if (i.kind == Item::reach) i.point->reached = true;
		s->pending.clear();
	}
}

Result reach(const PointRef &p);

// advance does what is first on a stream.
Result advance(Stream *s) {
	const Item i = std::move(s->pending.front());
	s->pending.pop_front();
	Result r = success;
	switch (i.kind) {
	case Item::work: r = execute(i.what); break;
	case Item::wait: r = reach(i.point); break;
	case Item::reach:
		i.point->reached = true;
		i.point->time = std::chrono::steady_clock::now();
	}
	if (r != success) abandon(s->context);
	return r;
}

Result reach(const PointRef &p) {
	while (!p->reached) {
		const Result r = advance(p->stream);
		if (r != success) return r;
	}
	return success;
}

Result drain(Stream *s) {
	while (!s->pending.empty()) {
		const Result r = advance(s);
		if (r != success) return r;
	}
	return success;
}

// hurry does the copies that nothing holds back.
Result hurry(const DeviceContext *c) {
	for (bool more = true; more;) {
		more = false;
		for (Stream *s : streams) {
			while (s->context == c && !s->pending.empty()) {
				const Item &i = s->pending.front();
				if ((i.kind == Item::work && i.what.kind != Work::copy) || (i.kind == Item::wait && !i.point->reached)) break;
				const Result r = advance(s);
				if (r != success) return r;
				more = true;
			}
		}
	}
	return success;
}

Result put(Stream *s, Item i) {
	s->pending.push_back(std::move(i));
	switch (pace) {
	case eager: return drain(s);
	case rash: return hurry(s->context);
	case lazy: break;
	}
	return success;
}

struct Event {
	PointRef point;
};

typedef std::vector<Work> Graph;

} // namespace

Result submit(Stream *s, const Work &w) {
	if (s && s->captures) {
		s->recorded.push_back(w);
		return success;
	}
	if (s) return put(s, {Item::work, w, nullptr});
	for (Stream *other : streams) { // the default stream
		if (other->context != current_context() || !other->waits_for_default) continue;
		const Result r = drain(other);
		if (r != success) return r;
	}
	return execute(w);
}

Result finish(Stream *s) { return drain(s); }

Result finish_all() {
	for (Stream *s : streams) {
		if (s->context != current_context()) continue;
		const Result r = drain(s);
		if (r != success) return r;
	}
	return success;
}

void forget(const DeviceContext *c) { abandon(c); }

} // namespace emu

EMU_API cuStreamCreate(Stream **s, unsigned flags) {
	LOCK;
	TRY(blocking());
	*s = new Stream{current_context(), flags == 0, false, {}, {}};
	streams.insert(*s);
	return success;
}

EMU_API cuStreamDestroy_v2(Stream *s) {
	LOCK;
	const Result r = usable();
	const Result last = r == success ? drain(s) : r;
	streams.erase(s);
	delete s;
	return last;
}

EMU_API cuStreamSynchronize(Stream *s) {
	LOCK;
	NEED(!s || !s->captures, capture_unsupported);
	TRY(usable());
	return s ? drain(s) : finish_all();
}

// A query that finds work does a bit of it: whoever asks again and again comes to an end.
EMU_API cuStreamQuery(Stream *s) {
	LOCK;
	TRY(usable());
	if (!s || s->pending.empty()) return success;
	TRY(advance(s));
	return not_ready;
}

EMU_API cuStreamWaitEvent(Stream *s, Event *e, unsigned) {
	LOCK;
	TRY(usable());
	NEED(e && s, invalid_handle);
	NEED(!s->captures, capture_unsupported);
	if (!e->point) return success; // nothing was recorded
	return put(s, {Item::wait, {}, e->point});
}

EMU_API cuEventCreate(Event **e, unsigned) {
	LOCK;
	TRY(usable());
	*e = new Event{};
	return success;
}

EMU_API cuEventDestroy_v2(Event *e) {
	LOCK;
	delete e;
	return success;
}

EMU_API cuEventRecord(Event *e, Stream *s) {
	LOCK;
	TRY(usable());
	NEED(e && s, invalid_handle);
	NEED(!s->captures, capture_unsupported);
	e->point = std::make_shared<Point>(Point{s, false, {}});
	return put(s, {Item::reach, {}, e->point});
}

EMU_API cuEventSynchronize(Event *e) {
	LOCK;
	TRY(blocking());
	return e->point ? reach(e->point) : success;
}

EMU_API cuEventQuery(Event *e) {
	LOCK;
	TRY(usable());
	if (!e->point || e->point->reached) return success;
	TRY(advance(e->point->stream));
	return not_ready;
}

EMU_API cuEventElapsedTime(float *milliseconds, Event *start, Event *end) {
	LOCK;
	TRY(usable());
	NEED(start->point && end->point, invalid_handle);
	NEED(start->point->reached && end->point->reached, not_ready);
	*milliseconds = std::chrono::duration<float, std::milli>(end->point->time - start->point->time).count();
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
