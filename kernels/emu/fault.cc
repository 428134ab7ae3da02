// Faults that are injected on request: the n-th allocation, copy or launch fails with a chosen code.

#include <cstdlib>
#include <cstring>
#include <map>

#include "api.h"

namespace emu {

namespace {

struct Fault {
	int at;
	Result code;
};
std::map<Operation, Fault> faults;
std::map<Operation, int> counts;

} // namespace

void read_faults() {
	faults.clear();
	counts.clear();
	const char *v = getenv("CNNCTL_EMU_FAULT");
	static const std::map<std::string, Operation> names = {{"init", Operation::init}, {"alloc", Operation::alloc}, {"copy", Operation::copy}, {"launch", Operation::launch}};
	while (v && *v) {
		const char *colon = strchr(v, ':'), *equals = strchr(v, '=');
		if (!colon || !equals || colon > equals) return;
		const auto o = names.find(std::string(v, colon));
		if (o != names.end()) faults[o->second] = {atoi(colon + 1), static_cast<Result>(atoi(equals + 1))};
		v = strchr(equals, ',');
		if (v) v++;
	}
}

Result fault(Operation o) {
	const int n = ++counts[o];
	const auto f = faults.find(o);
	if (f == faults.end() || f->second.at != n) return success;
	report = "injected by CNNCTL_EMU_FAULT";
	return break_context(f->second.code);
}

} // namespace emu
