// Every kind of mistake that the emulated driver is there to find, in a kernel of its own, beside the same kernel without it. Instrumented like a
// kernel source and linked with the driver; `make emu-test` runs it.

#include "../tensor.cuh"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

// Neighbours exchange values through shared memory.
DEVICE void exchange(float *y, bool first, bool second) {
	SHARED(float, values, [64]);
	const int i = threadIdx.x;
	for (int round = 0; round < 2; round++) {
		values[i] = i + round;
		if (first) __syncthreads();
		y[i] = values[63 - i];
		if (second) __syncthreads();
	}
}
EXPORT_KERNEL(exchange_right, 64, 1, (float *y)) { exchange(y, true, true); }
EXPORT_KERNEL(barrier_removed, 64, 1, (float *y)) { exchange(y, false, true); }
EXPORT_KERNEL(second_barrier_removed, 64, 1, (float *y)) { exchange(y, true, false); }

EXPORT_KERNEL(barrier_in_branch, 64, 1, (float *y)) {
	if (threadIdx.x < 32) __syncthreads();
	y[threadIdx.x] = 0;
}
EXPORT_KERNEL(two_barriers, 64, 1, (float *y)) {
	if (threadIdx.x < 32)
		__syncthreads();
	else
		__syncthreads();
	y[threadIdx.x] = 0;
}
EXPORT_KERNEL(exit_before_barrier, 64, 1, (float *y)) {
	if (threadIdx.x == 63) return;
	__syncthreads();
	y[threadIdx.x] = 0;
}

DEVICE void exchange_in_warp(float *y, bool sync) {
	SHARED(float, values, [64]);
	const int i = threadIdx.x;
	values[i] = i;
	if (sync) __syncwarp();
	y[i] = values[i ^ 1];
}
EXPORT_KERNEL(warp_exchange_right, 64, 1, (float *y)) { exchange_in_warp(y, true); }
EXPORT_KERNEL(warp_barrier_removed, 64, 1, (float *y)) { exchange_in_warp(y, false); }
EXPORT_KERNEL(warp_barrier_for_a_block, 64, 1, (float *y)) {
	SHARED(float, values, [64]);
	values[threadIdx.x] = threadIdx.x;
	__syncwarp();
	y[threadIdx.x] = values[63 - threadIdx.x];
}

EXPORT_KERNEL(shuffle_in_branch, 64, 1, (float *y)) {
	float v = threadIdx.x;
	if (threadIdx.x % 2) v = __shfl_xor_sync(all_lanes, v, 2);
	y[threadIdx.x] = v;
}
EXPORT_KERNEL(shuffle_after_exit, 64, 1, (float *y)) {
	if (threadIdx.x == 5) return;
	y[threadIdx.x] = warp_sum(1.0f);
}
EXPORT_KERNEL(shuffle_from_outside_mask, 64, 1, (float *y)) {
	if (threadIdx.x % 2 == 0) y[threadIdx.x] = __shfl_xor_sync(0x55555555u, 1.0f, 1);
}
EXPORT_KERNEL(mask_without_caller, 64, 1, (float *y)) { y[threadIdx.x] = __shfl_xor_sync(0x55555555u, 1.0f, 2); }
EXPORT_KERNEL(different_shuffles, 64, 1, (float *y)) {
	y[threadIdx.x] = threadIdx.x % 32 < 16 ? __shfl_xor_sync(all_lanes, 1.0f, 1)
										   : static_cast<float>(__any_sync(all_lanes, true));
}

// y has 64 elements.
EXPORT_KERNEL(store_behind, 64, 1, (float *y)) { y[threadIdx.x + 1] = 0; }
EXPORT_KERNEL(store_before, 64, 1, (float *y)) { y[static_cast<int>(threadIdx.x) - 1] = 0; }
EXPORT_KERNEL(load_behind, 64, 1, (float *y)) { y[threadIdx.x] = y[threadIdx.x + 64]; }
EXPORT_KERNEL(vector_across_the_end, 64, 1, (float *y)) {
	if (threadIdx.x == 0) store4(y + 64, load4(y + 0));
}
EXPORT_KERNEL(half_behind, 64, 1, (char *y)) { *reinterpret_cast<volatile short *>(y + 4 * 64 - 2 + 2 * (threadIdx.x / 63)) = 1; }
EXPORT_KERNEL(shared_behind, 64, 1, (float *y)) {
	SHARED(float, values, [64]);
	values[threadIdx.x + 1] = 0;
	__syncthreads();
	y[threadIdx.x] = values[threadIdx.x];
}
EXPORT_KERNEL(dynamic_shared_behind, 64, 1, (float *y)) {
	DYNAMIC_SHARED(float, values);
	values[threadIdx.x] = 0;
	y[threadIdx.x] = values[threadIdx.x];
}
EXPORT_KERNEL(wild_store, 64, 1, (float *y, long long far)) { y[far + threadIdx.x] = 0; }

EXPORT_KERNEL(misaligned_vector, 64, 1, (float *y)) {
	if (threadIdx.x == 3) store4(y + 4, load4(y + 3));
}
EXPORT_KERNEL(misaligned_word, 64, 1, (char *y)) { *reinterpret_cast<volatile float *>(y + 4 * (threadIdx.x / 2) + 2) = 0; }

EXPORT_KERNEL(read_unwritten, 64, 1, (float *y, const float *fresh)) { y[threadIdx.x] = fresh[threadIdx.x]; }
EXPORT_KERNEL(read_unwritten_shared, 64, 1, (float *y)) {
	SHARED(float, values, [65]);
	values[threadIdx.x] = 0;
	__syncthreads();
	y[threadIdx.x] = values[threadIdx.x + 1];
}

// Each thread copies 4 words to shared memory; x has 256.
template <int Groups, int Pending, bool Barrier> DEVICE void copies(float *y, const float *x) {
	SHARED(float, values, [64 * 4 * Groups]);
	for (int g = 0; g < Groups; g++) {
		copy_async<16>(values + 256 * g + 4 * threadIdx.x, x + 4 * threadIdx.x, true);
		commit_async();
	}
	if (Pending >= 0) wait_async<(Pending < 0 ? 0 : Pending)>();
	if (Barrier) __syncthreads();
	y[threadIdx.x] = values[256 * (Groups - 1) + 4 * (Barrier ? 63 - threadIdx.x : threadIdx.x)];
}
EXPORT_KERNEL(async_right, 64, 1, (float *y, const float *x)) { copies<2, 0, true>(y, x); }
EXPORT_KERNEL(async_right_for_itself, 64, 1, (float *y, const float *x)) { copies<1, 0, false>(y, x); }
EXPORT_KERNEL(async_without_wait, 64, 1, (float *y, const float *x)) { copies<1, -1, true>(y, x); }
EXPORT_KERNEL(async_waits_for_too_little, 64, 1, (float *y, const float *x)) { copies<2, 1, true>(y, x); }
EXPORT_KERNEL(async_without_barrier, 64, 1, (float *y, const float *x)) {
	SHARED(float, values, [256]);
	copy_async<16>(values + 4 * threadIdx.x, x + 4 * threadIdx.x, true);
	commit_async();
	wait_async<0>();
	y[threadIdx.x] = values[threadIdx.x];
}
EXPORT_KERNEL(async_overwrites_what_is_read, 64, 1, (float *y, const float *x)) {
	SHARED(float, values, [256]);
	for (int i = threadIdx.x; i < 256; i += 64) values[i] = 0;
	__syncthreads();
	y[threadIdx.x] = values[4 * (63 - threadIdx.x)];
	copy_async<16>(values + 4 * threadIdx.x, x + 4 * threadIdx.x, true);
}
EXPORT_KERNEL(async_misaligned, 64, 1, (float *y, const float *x)) {
	SHARED(float, values, [512]);
	copy_async<16>(values + 4 * threadIdx.x, x + 4 * threadIdx.x + 1, true);
	y[threadIdx.x] = 0;
}
EXPORT_KERNEL(async_to_global, 64, 1, (float *y, const float *x)) { copy_async<4>(y + threadIdx.x, x, true); }
EXPORT_KERNEL(async_zero_reads_nothing, 64, 1, (float *y, const float *x)) {
	SHARED(float, values, [256]);
	copy_async<16>(values + 4 * threadIdx.x, x + 100000, false);
	commit_async();
	wait_async<0>();
	y[threadIdx.x] = values[4 * threadIdx.x + 3];
}

EXPORT_KERNEL(matrix_rows_misaligned, 64, 1, (float *y)) {
	SHARED(float, values, [64]);
	values[threadIdx.x] = 0;
	__syncthreads();
	uint32_t r[4];
	load_matrix(r, values + threadIdx.x % 32);
	y[threadIdx.x] = r[0];
}

EXPORT_KERNEL(too_much_shared, 64, 1, (float *y)) {
	SHARED(float, values, [48 * 256 + 1]);
	values[threadIdx.x] = 0;
	y[threadIdx.x] = values[threadIdx.x];
}

// The blocks hand a value on through device memory, which no order guarantees.
EXPORT_KERNEL(depends_on_the_order, 64, 1, (float *y)) {
	if (threadIdx.x == 0) y[blockIdx.x] = blockIdx.x == 0 ? 1 : y[blockIdx.x - 1] + 1;
}

// The driver.

extern "C" {
int cuInit(unsigned);
int cuDevicePrimaryCtxRetain(void **, int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuCtxSetCurrent(void *);
int cuMemAlloc_v2(uint64_t *, size_t);
int cuMemFree_v2(uint64_t);
int cuMemcpyHtoD_v2(uint64_t, const void *, size_t);
int cuMemcpyDtoH_v2(void *, uint64_t, size_t);
int cuModuleLoadData(void **, const void *);
int cuModuleGetFunction(void **, void *, const char *);
int cuFuncSetAttribute(void *, int, int);
int cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);
int cuGetErrorString(int, const char **);
}

static int failures;

static void expect(bool ok, const std::string &what) {
	if (!ok) {
		failures++;
		fprintf(stderr, "FAIL %s\n", what.c_str());
	}
}

static std::string words(int code) {
	const char *text = "";
	cuGetErrorString(code, &text);
	return text;
}

// A Session is a context with y, 64 floats, x, 256 floats, and fresh, which nothing has written.
struct Session {
	void *module;
	uint64_t y, x, fresh;

	Session() {
		void *context;
		int code = cuDevicePrimaryCtxRetain(&context, 0) | cuCtxSetCurrent(context) | cuModuleLoadData(&module, "faults_test");
		code |= cuMemAlloc_v2(&y, 64 * 4) | cuMemAlloc_v2(&x, 256 * 4) | cuMemAlloc_v2(&fresh, 256 * 4);
		float values[256];
		for (int i = 0; i < 256; i++) values[i] = i;
		code |= cuMemcpyHtoD_v2(y, values, 64 * 4) | cuMemcpyHtoD_v2(x, values, sizeof values);
		expect(code == 0, "a session begins: " + words(code));
	}
	~Session() { cuDevicePrimaryCtxRelease_v2(0); }

	int launch(const char *name, uint64_t second, unsigned threads = 64, unsigned blocks = 1, unsigned shared = 0) {
		void *f;
		if (int code = cuModuleGetFunction(&f, module, name)) return code;
		void *arguments[] = {&y, &second};
		return cuLaunchKernel(f, blocks, 1, 1, threads, 1, 1, shared, nullptr, arguments, nullptr);
	}
};

static void right(const char *name, const std::function<void(const float *)> &check) {
	Session s;
	const int code = s.launch(name, s.x);
	expect(code == 0, std::string(name) + " is refused: " + words(code));
	float y[64];
	if (code == 0 && cuMemcpyDtoH_v2(y, s.y, sizeof y) == 0) check(y);
}

static void wrong(const char *name, int want, const char *part, uint64_t Session::*second = &Session::x) {
	Session s;
	const int code = s.launch(name, s.*second);
	expect(code == want, std::string(name) + " gives code " + std::to_string(code) + ", want " + std::to_string(want));
	const std::string text = words(code);
	expect(text.find(part) != std::string::npos, std::string(name) + " is reported as \"" + text + "\", without \"" + part + "\"");
	expect(text.find(std::string("kernel ") + name) != std::string::npos && text.find("block (0,0,0)") != std::string::npos,
		   std::string(name) + " is reported without its place: " + text);
	float y[64];
	expect(cuMemcpyDtoH_v2(y, s.y, sizeof y) == code, std::string(name) + " leaves a context that works");
}

static void equal(const char *name, const float *y, const std::function<float(int)> &want) {
	for (int i = 0; i < 64; i++)
		if (y[i] != want(i)) return expect(false, std::string(name) + " computes " + std::to_string(y[i]) + " for element " + std::to_string(i));
}

static void all() {
	right("exchange_right", [](const float *y) { equal("exchange_right", y, [](int i) { return 64.0f - i; }); });
	right("warp_exchange_right", [](const float *y) { equal("warp_exchange_right", y, [](int i) { return float(i ^ 1); }); });
	right("async_right", [](const float *y) { equal("async_right", y, [](int i) { return 4.0f * (63 - i); }); });
	right("async_right_for_itself", [](const float *y) { equal("async_right_for_itself", y, [](int i) { return 4.0f * i; }); });
	right("async_zero_reads_nothing", [](const float *y) { equal("async_zero_reads_nothing", y, [](int) { return 0.0f; }); });

	wrong("barrier_removed", 719, "shared memory");
	wrong("second_barrier_removed", 719, "race in shared memory");
	wrong("barrier_in_branch", 719, "divergent barrier");
	wrong("two_barriers", 719, "divergent barrier");
	wrong("exit_before_barrier", 719, "has left the kernel");
	wrong("warp_barrier_removed", 719, "shared memory");
	wrong("warp_barrier_for_a_block", 719, "shared memory");
	wrong("shuffle_in_branch", 719, "has left the kernel");
	wrong("shuffle_after_exit", 719, "has left the kernel");
	wrong("shuffle_from_outside_mask", 719, "which the mask");
	wrong("mask_without_caller", 719, "lacks the calling lane");
	wrong("different_shuffles", 719, "divergent warp instruction");

	wrong("store_behind", 700, "store of 4 bytes out of bounds in device memory, 1 bytes behind");
	wrong("store_before", 700, "out of bounds in device memory");
	wrong("load_behind", 700, "load of 4 bytes out of bounds");
	wrong("vector_across_the_end", 700, "out of bounds");
	wrong("half_behind", 700, "store of 2 bytes out of bounds");
	wrong("shared_behind", 700, "out of bounds in shared memory");
	wrong("dynamic_shared_behind", 700, "out of bounds in shared memory");
	wrong("wild_store", 700, "store of 4 bytes", &Session::x);
	wrong("misaligned_vector", 716, "vector load of 16 bytes");
	wrong("misaligned_word", 716, "no multiple of its size");
	wrong("read_unwritten", 719, "device memory that nothing has written", &Session::fresh);
	wrong("read_unwritten_shared", 719, "shared memory that nothing has written");

	wrong("async_without_wait", 719, "wait for it first");
	wrong("async_waits_for_too_little", 719, "wait for it first");
	wrong("async_without_barrier", 719, "shared memory");
	wrong("async_overwrites_what_is_read", 719, "shared memory");
	wrong("async_misaligned", 716, "cp.async from");
	wrong("async_to_global", 700, "which is not shared memory");
	wrong("matrix_rows_misaligned", 716, "ldmatrix from");
	wrong("too_much_shared", 701, "of at most 49152");
}

static void launches() {
	Session s;
	expect(s.launch("exchange_right", 0, 65) == 701 && words(701).find("launch bound is 64") != std::string::npos, "a block beyond the launch bound");
	expect(s.launch("exchange_right", 0, 64, 0) == 1, "an empty grid");
	expect(s.launch("dynamic_shared_behind", 0, 64, 1, 49153) == 1 && words(1).find("dynamic shared memory") != std::string::npos,
		   "too much dynamic shared memory");
	void *f;
	cuModuleGetFunction(&f, s.module, "dynamic_shared_behind");
	expect(cuFuncSetAttribute(f, 8, 1 << 20) == 1, "more shared memory than there is");
	expect(cuFuncSetAttribute(f, 8, 100 << 10) == 0 && s.launch("dynamic_shared_behind", 0, 64, 1, 100 << 10) == 0, "100 KiB of dynamic shared memory");
	expect(s.launch("no_such_kernel", 0) == 500, "a kernel that does not exist");
	expect(cuMemFree_v2(s.fresh) == 0 && s.launch("read_unwritten", s.fresh) == 700, "memory that was freed");
}

static void orders() {
	float y[3][64];
	const char *const names[] = {"forward", "reverse", "shuffled:3"};
	for (int i = 0; i < 3; i++) {
		setenv("CNNCTL_EMU_ORDER", names[i], 1);
		{
			Session s;
			expect(s.launch("depends_on_the_order", 0, 64, 64) == 0 && cuMemcpyDtoH_v2(y[i], s.y, sizeof y[i]) == 0, "blocks that depend on their order");
		}
		all(); // what is found does not depend on the order
	}
	unsetenv("CNNCTL_EMU_ORDER");
	expect(memcmp(y[0], y[1], sizeof y[0]) != 0 && memcmp(y[0], y[2], sizeof y[0]) != 0, "another order of blocks shows");
}

static void faults() {
	setenv("CNNCTL_EMU_FAULT", "alloc:4=2,copy:3=1,launch:2=719", 1);
	{
		Session s; // three allocations, two copies
		uint64_t p;
		float v;
		expect(cuMemAlloc_v2(&p, 4) == 2 && cuMemAlloc_v2(&p, 4) == 0, "the fourth allocation fails");
		expect(cuMemcpyDtoH_v2(&v, s.y, 4) == 1 && cuMemcpyDtoH_v2(&v, s.y, 4) == 0, "the third copy fails");
		expect(s.launch("exchange_right", 0) == 0 && s.launch("exchange_right", 0) == 719, "the second launch fails");
		expect(cuMemcpyDtoH_v2(&v, s.y, 4) == 719, "a failed launch breaks the context");
	}
	unsetenv("CNNCTL_EMU_FAULT");
	Session s;
	expect(s.launch("exchange_right", 0) == 0, "a new context works");
}

int main() {
	expect(cuInit(0) == 0, "initialisation");
	all();
	launches();
	orders();
	faults();
	if (failures == 0) puts("ok");
	return failures != 0;
}
