// The driver's functions: initialisation, the device, its context, memory and modules. Their contracts are those of the CUDA driver API's
// reference; what package gpu and gorgonia.org/cu do not use is left out, and the program sees a driver that lacks it.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "api.h"
#include "memory.h"

using namespace emu;

typedef uint64_t Address;

namespace emu {

std::recursive_mutex lock;
Context_ context;
static thread_local Context_ *bound;

namespace {

bool initialized;

std::vector<std::unique_ptr<Kernel>> &kernels() {
	static std::vector<std::unique_ptr<Kernel>> list;
	return list;
}

struct Fault {
	int at;
	Result code;
};
std::map<Operation, Fault> faults;
std::map<Operation, int> counts;

} // namespace

void add_kernel(const char *name, const char *file, int threads, Entry entry, const int *sizes, int count) {
	const char *slash = strrchr(file, '/');
	std::string family = slash ? slash + 1 : file;
	family = family.substr(0, family.rfind('.'));
	kernels().emplace_back(new Kernel{name, family, threads, entry, std::vector<int>(sizes, sizes + count), static_cast<int>(static_shared_limit)});
}

Kernel *find_kernel(const std::string &name, const std::string &family) {
	for (const auto &k : kernels())
		if (k->name == name && k->family == family) return k.get();
	return nullptr;
}

Result usable() {
	if (!initialized) return not_initialized;
	if (bound != &context || context.users == 0) return invalid_context;
	return context.broken;
}

Result blocking() {
	const Result r = usable();
	return r == success && capturing() ? capture_unsupported : r;
}

Result break_context(Result r) {
	if (r >= illegal_address && r < capture_unsupported) context.broken = r;
	return r;
}

void read_faults() {
	faults.clear();
	counts.clear();
	const char *v = getenv("CNNCTL_EMU_FAULT");
	static const std::map<std::string, Operation> names = {{"alloc", Operation::alloc}, {"copy", Operation::copy}, {"launch", Operation::launch}};
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

// Tells package gpu that the kernels are in this library.
EMU_API cnnctl_emulated_driver() { return 1; }

EMU_API cuInit(unsigned flags) {
	LOCK;
	NEED(flags == 0, invalid_value);
	const char *devices = getenv("CNNCTL_EMU_DEVICES");
	NEED(!devices || atoi(devices) > 0, no_device);
	initialized = true;
	return success;
}

EMU_API cuDriverGetVersion(int *version) {
	NEED(version, invalid_value);
	*version = 12040;
	return success;
}

EMU_API cuGetErrorName(int code, const char **name) {
	static const std::map<int, const char *> names = {
		{success, "CUDA_SUCCESS"},
		{invalid_value, "CUDA_ERROR_INVALID_VALUE"},
		{out_of_memory, "CUDA_ERROR_OUT_OF_MEMORY"},
		{not_initialized, "CUDA_ERROR_NOT_INITIALIZED"},
		{no_device, "CUDA_ERROR_NO_DEVICE"},
		{invalid_device, "CUDA_ERROR_INVALID_DEVICE"},
		{invalid_image, "CUDA_ERROR_INVALID_IMAGE"},
		{invalid_context, "CUDA_ERROR_INVALID_CONTEXT"},
		{209, "CUDA_ERROR_NO_BINARY_FOR_GPU"},
		{214, "CUDA_ERROR_ECC_UNCORRECTABLE"},
		{invalid_handle, "CUDA_ERROR_INVALID_HANDLE"},
		{not_found, "CUDA_ERROR_NOT_FOUND"},
		{not_ready, "CUDA_ERROR_NOT_READY"},
		{illegal_address, "CUDA_ERROR_ILLEGAL_ADDRESS"},
		{launch_out_of_resources, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"},
		{misaligned_address, "CUDA_ERROR_MISALIGNED_ADDRESS"},
		{launch_failed, "CUDA_ERROR_LAUNCH_FAILED"},
		{capture_unsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
		{capture_invalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"},
	};
	const auto n = names.find(code);
	NEED(name && n != names.end(), invalid_value);
	*name = n->second;
	return success;
}

// In place of the driver's general words: what happened.
EMU_API cuGetErrorString(int code, const char **text) {
	LOCK;
	const char *name;
	TRY(cuGetErrorName(code, &name));
	static std::string words;
	words = report.empty() ? std::string("emulated driver") : report;
	*text = words.c_str();
	return success;
}

EMU_API cuDeviceGetCount(int *count) {
	NEED(initialized, not_initialized);
	*count = 1;
	return success;
}

EMU_API cuDeviceGet(int *device, int ordinal) {
	NEED(initialized, not_initialized);
	NEED(ordinal == 0, invalid_device);
	*device = 0;
	return success;
}

EMU_API cuDeviceGetName(char *name, int size, int device) {
	NEED(device == 0, invalid_device);
	snprintf(name, size, "Emulated GPU");
	return success;
}

EMU_API cuDeviceTotalMem_v2(size_t *bytes, int device) {
	NEED(device == 0, invalid_device);
	*bytes = total_memory();
	return success;
}

EMU_API cuDeviceGetAttribute(int *value, int attribute, int device) {
	NEED(device == 0, invalid_device);
	switch (attribute) {
	case 1: *value = 1024; return success;                 // threads of a block
	case 2: case 3: *value = 1024; return success;         // its x and y
	case 4: *value = 64; return success;                   // its z
	case 5: *value = 0x7fffffff; return success;           // grid x
	case 6: case 7: *value = 65535; return success;        // grid y and z
	case 8: *value = static_shared_limit; return success;  // shared memory of a block
	case 10: *value = 32; return success;                  // lanes of a warp
	case 13: *value = 1000000; return success;             // clock, kHz
	case 16: *value = 4; return success;                   // multiprocessors
	case 36: *value = 1000000; return success;             // memory clock, kHz
	case 37: *value = 256; return success;                 // memory bus, bits
	case 38: *value = 4 << 20; return success;             // L2 cache
	case 75: *value = capability() / 10; return success;
	case 76: *value = capability() % 10; return success;
	case 81: *value = shared_limit(); return success;      // shared memory of a multiprocessor
	case 97: *value = shared_limit(); return success;      // shared memory of a block that asks for it
	}
	*value = 0;
	return success;
}

EMU_API cuDevicePrimaryCtxRetain(void **ctx, int device) {
	LOCK;
	NEED(initialized, not_initialized);
	NEED(device == 0, invalid_device);
	if (context.users++ == 0) {
		context.broken = success;
		report.clear();
		read_order();
		read_faults();
	}
	*ctx = &context;
	return success;
}

EMU_API cuDevicePrimaryCtxRelease_v2(int device) {
	LOCK;
	NEED(device == 0, invalid_device);
	NEED(context.users > 0, invalid_context);
	if (--context.users == 0) release_all();
	return success;
}

EMU_API cuCtxSetCurrent(void *ctx) {
	NEED(initialized, not_initialized);
	NEED(!ctx || ctx == &context, invalid_context);
	bound = static_cast<Context_ *>(ctx);
	return success;
}

EMU_API cuCtxGetCurrent(void **ctx) {
	*ctx = bound;
	return success;
}

EMU_API cuCtxSynchronize() {
	LOCK;
	return blocking();
}

// Memory.

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

// Modules: the image is the name of a family.

EMU_API cuModuleLoadData(void **module, const void *image) {
	LOCK;
	TRY(usable());
	const char *family = static_cast<const char *>(image);
	for (const auto &k : kernels()) {
		if (k->family == family) {
			*module = new std::string(family);
			return success;
		}
	}
	report = "the emulated driver has no kernels of that name";
	return invalid_image;
}

EMU_API cuModuleUnload(void *module) {
	delete static_cast<std::string *>(module);
	return success;
}

EMU_API cuModuleGetFunction(Kernel **f, void *module, const char *name) {
	LOCK;
	TRY(usable());
	*f = find_kernel(name, *static_cast<std::string *>(module));
	if (*f) return success;
	report = std::string("no kernel ") + name + " in " + *static_cast<std::string *>(module) + ".cu";
	return not_found;
}

EMU_API cuFuncGetAttribute(int *value, int attribute, const Kernel *f) {
	NEED(f, invalid_handle);
	switch (attribute) {
	case 0: *value = f->threads; return success;
	case 4: *value = 32; return success; // registers: any number
	case 5: case 6: *value = capability(); return success;
	case 8: *value = f->max_dynamic_shared; return success;
	}
	*value = 0;
	return success;
}

EMU_API cuFuncSetAttribute(Kernel *f, int attribute, int value) {
	LOCK;
	NEED(f, invalid_handle);
	NEED(attribute == 8 || attribute == 9, invalid_value);
	if (attribute == 9) return success; // the preferred share of the cache
	if (value < 0 || value > static_cast<int>(shared_limit())) {
		report = std::to_string(value) + " bytes of dynamic shared memory, of at most " + std::to_string(shared_limit());
		return invalid_value;
	}
	f->max_dynamic_shared = value;
	return success;
}

EMU_API cuFuncGetParamInfo(const Kernel *f, size_t index, size_t *offset, size_t *size) {
	NEED(f, invalid_handle);
	NEED(index < f->sizes.size(), invalid_value);
	*offset = 0;
	for (size_t i = 0; i <= index; i++) {
		*offset = (*offset + f->sizes[i] - 1) / f->sizes[i] * f->sizes[i];
		*size = f->sizes[i];
		if (i < index) *offset += f->sizes[i];
	}
	return success;
}

EMU_API cuLaunchKernel(const Kernel *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, Stream *s,
					   void **parameters, void **) {
	LOCK;
	TRY(usable());
	TRY(fault(Operation::launch));
	NEED(f, invalid_handle);
	const auto refuse = [&](Result code, const std::string &why) {
		report = "kernel " + f->name + ": " + why;
		return code;
	};
	const uint64_t size = static_cast<uint64_t>(bx) * by * bz;
	if (gx == 0 || gy == 0 || gz == 0 || size == 0) return refuse(invalid_value, "an empty grid or block");
	if (gx > 0x7fffffff || gy > 65535 || gz > 65535) return refuse(invalid_value, "a grid beyond the limits");
	if (size > 1024 || bz > 64) return refuse(invalid_value, std::to_string(size) + " threads in a block, of at most 1024");
	if (size > static_cast<unsigned>(f->threads))
		return refuse(launch_out_of_resources, std::to_string(size) + " threads in a block, its launch bound is " + std::to_string(f->threads));
	if (shared > static_cast<unsigned>(f->max_dynamic_shared))
		return refuse(invalid_value, std::to_string(shared) + " bytes of dynamic shared memory, allowed are " + std::to_string(f->max_dynamic_shared));
	Work w = {};
	w.kind = Work::launch;
	w.kernel = {f, {gx, gy, gz}, {bx, by, bz}, shared, {}};
	for (size_t i = 0; i < f->sizes.size(); i++) {
		uint64_t word = 0;
		memcpy(&word, parameters[i], f->sizes[i]);
		w.kernel.words.push_back(word);
	}
	return submit(s, w);
}
