// What the instrumentation of kernels calls: GCC inserts a call before each load and store that is not provably inside a local
// variable. The names are those of the kernel address sanitizer, whose runtime this takes the place of.
//
// The alternatives were a class in place of pointers, which changes every kernel and misses what it is not used for, and helper functions
// for loads and stores, which a kernel can forget. This way the sources are plain CUDA and no access escapes.

#include "memory.h"

#define EMU_ACCESS(size)                                                                                                 \
	extern "C" void __asan_load##size##_noabort(void *p) { emu::check(p, size, false); }                                 \
	extern "C" void __asan_store##size##_noabort(void *p) { emu::check(p, size, true); }

extern "C" {
void __asan_loadN_noabort(void *p, size_t size);
void __asan_storeN_noabort(void *p, size_t size);
void __asan_handle_no_return();
void __asan_before_dynamic_init(const char *);
void __asan_after_dynamic_init();
}

EMU_ACCESS(1)
EMU_ACCESS(2)
EMU_ACCESS(4)
EMU_ACCESS(8)
EMU_ACCESS(16)

void __asan_loadN_noabort(void *p, size_t size) { emu::check(p, size, false); }
void __asan_storeN_noabort(void *p, size_t size) { emu::check(p, size, true); }
void __asan_handle_no_return() {}

// Around the registration of kernels.
void __asan_before_dynamic_init(const char *) {}
void __asan_after_dynamic_init() {}
