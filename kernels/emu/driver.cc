// The driver's functions: initialisation, errors, the device and its context. Their contracts are those of the CUDA driver API's
// reference; what package gpu and gorgonia.org/cu do not use is left out, and the program sees a driver that lacks it.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "api.h"
#include "memory.h"

using namespace emu;

namespace emu {

std::recursive_mutex lock;

// CNNCTL_EMU_DEVICES of them exist.
static DeviceContext contexts[most_devices];
static int devices = 1;
static thread_local DeviceContext *bound;

DeviceContext *current_context() { return bound; }
int current_device() { return static_cast<int>(bound - contexts); }

static bool initialized;

Result usable() {
	if (!initialized) return not_initialized;
	if (!bound || bound->users == 0) return invalid_context;
	return bound->broken;
}

Result blocking() {
	const Result r = usable();
	return r == success && capturing() ? capture_unsupported : r;
}

Result break_context(Result r) {
	if ((r >= illegal_address && r < capture_unsupported) || r == ecc_uncorrectable) {
		if (bound) bound->broken = r;
	}
	return r;
}

} // namespace emu

// Tells package gpu that the kernels are in this library.
EMU_API cnnctl_emulated_driver() { return 1; }

EMU_API cuInit(unsigned flags) {
	LOCK;
	NEED(flags == 0, invalid_value);
	const char *v = getenv("CNNCTL_EMU_DEVICES");
	devices = v ? std::min(atoi(v), most_devices) : 1;
	NEED(devices > 0, no_device);
	read_faults();
	TRY(fault(Operation::init));
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
		{no_binary, "CUDA_ERROR_NO_BINARY_FOR_GPU"},
		{ecc_uncorrectable, "CUDA_ERROR_ECC_UNCORRECTABLE"},
		{invalid_handle, "CUDA_ERROR_INVALID_HANDLE"},
		{not_found, "CUDA_ERROR_NOT_FOUND"},
		{not_ready, "CUDA_ERROR_NOT_READY"},
		{illegal_address, "CUDA_ERROR_ILLEGAL_ADDRESS"},
		{launch_out_of_resources, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"},
		{misaligned_address, "CUDA_ERROR_MISALIGNED_ADDRESS"},
		{launch_failed, "CUDA_ERROR_LAUNCH_FAILED"},
		{803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"},
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
	*count = devices;
	return success;
}

EMU_API cuDeviceGet(int *device, int ordinal) {
	NEED(initialized, not_initialized);
	NEED(ordinal >= 0 && ordinal < devices, invalid_device);
	*device = ordinal;
	return success;
}

EMU_API cuDeviceGetName(char *name, int size, int device) {
	NEED(device >= 0 && device < devices, invalid_device);
	snprintf(name, size, "Emulated GPU");
	return success;
}

EMU_API cuDeviceTotalMem_v2(size_t *bytes, int device) {
	NEED(device >= 0 && device < devices, invalid_device);
	*bytes = total_memory();
	return success;
}

EMU_API cuDeviceGetAttribute(int *value, int attribute, int device) {
	NEED(device >= 0 && device < devices, invalid_device);
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
	case 81: *value = shared_limit() + 1024; return success; // shared memory of a multiprocessor, of which each block costs 1 KiB more than it asks for
	case 97: *value = shared_limit(); return success;      // shared memory of a block that asks for it
	}
	*value = 0;
	return success;
}

EMU_API cuDevicePrimaryCtxRetain(void **ctx, int device) {
	LOCK;
	NEED(initialized, not_initialized);
	NEED(device >= 0 && device < devices, invalid_device);
	if (contexts[device].users++ == 0) {
		contexts[device].broken = success;
		report.clear();
		read_order();
		read_pace();
		read_faults();
	}
	*ctx = &contexts[device];
	return success;
}

EMU_API cuDevicePrimaryCtxRelease_v2(int device) {
	LOCK;
	NEED(device >= 0 && device < devices, invalid_device);
	NEED(contexts[device].users > 0, invalid_context);
	if (--contexts[device].users == 0) {
		forget(&contexts[device]);
		release_all(device);
	}
	return success;
}

EMU_API cuCtxSetCurrent(void *ctx) {
	NEED(initialized, not_initialized);
	DeviceContext *const c = static_cast<DeviceContext *>(ctx);
	NEED(!c || (c >= contexts && c < contexts + devices), invalid_context);
	bound = c;
	return success;
}

EMU_API cuCtxGetCurrent(void **ctx) {
	*ctx = bound;
	return success;
}

EMU_API cuCtxSynchronize() {
	LOCK;
	TRY(blocking());
	return finish_all();
}
