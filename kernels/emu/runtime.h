// The inside of the emulated driver: what its files share.
//
//	switch.*   fibers: a stack and a switch
//	block.cc   runs a launch, block after block: the order of fibers, barriers, rendezvous of a warp
//	warp.cc    shuffles, votes, matrix loads and matrix products
//	memory.*   device memory, shared memory, and what is known of each byte
//	access.cc  the checks before each load and store
//	async.cc   cp.async
//	driver.cc, copy.cc, module.cc, stream.cc  the driver's functions
//	fault.cc   injected failures
//
// Environment variables, read when the context is created unless said otherwise:
//
//	CNNCTL_EMU_ORDER       the order of fibers and blocks: forward, reverse, shuffled or shuffled:SEED
//	CNNCTL_EMU_STREAMS     when it happens what is put on a stream: lazy, eager or rash; see stream.cc
//	CNNCTL_EMU_FAULT       what fails, such as alloc:3=2,launch:10=700
//	CNNCTL_EMU_CAPABILITY  compute capability, 80 by default; decides how much shared memory there is, and below 80 no kernel fits
//	CNNCTL_EMU_MEMORY      bytes of memory of each device, 2 GiB by default; read once
//	CNNCTL_EMU_DEVICES     how many GPUs there are, 1 by default; 0 for a machine without; read by cuInit
//
// One kernel runs at a time, on a thread that waits for it, under the driver's lock: nothing here needs atomics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "builtins.h"

namespace emu {

// CUresult, as far as it is used.
enum Result {
	success = 0,
	invalid_value = 1,
	out_of_memory = 2,
	not_initialized = 3,
	no_device = 100,
	invalid_device = 101,
	invalid_image = 200,
	invalid_context = 201,
	no_binary = 209,
	ecc_uncorrectable = 214,
	invalid_handle = 400,
	not_found = 500,
	not_ready = 600,
	illegal_address = 700,
	launch_out_of_resources = 701,
	misaligned_address = 716,
	launch_failed = 719,
	capture_unsupported = 900,
	capture_invalidated = 901,
};

struct Kernel {
	std::string name, family; // family: the source file without its suffix
	int threads;              // the launch bound
	Entry entry;
	std::vector<int> sizes; // of the parameters, bytes
	int max_dynamic_shared; // bytes, raised by cuFuncSetAttribute
};

Kernel *find_kernel(const std::string &name, const std::string &family);

struct Launch {
	const Kernel *kernel;
	Dim grid, block;
	size_t shared; // dynamic, bytes
	std::vector<uint64_t> words;
};

// run executes a launch and returns the result that the driver gives; the reason of a failure is in `report`.
Result run(const Launch &launch);

// The last failure in words.
extern std::string report;

// fail ends the launch from within a kernel.
[[noreturn]] void fail(Result code, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The order in which fibers and blocks run: CNNCTL_EMU_ORDER is forward (the default), reverse, or shuffled with an optional ":seed".
void read_order();

} // namespace emu
