//go:build cuda && cgo && linux

#define _GNU_SOURCE
#include "table.h"

#include <dlfcn.h>
#include <stdio.h>

#define HIDDEN __attribute__((visibility("hidden")))

enum { ERROR_NOT_INITIALIZED = 3, ERROR_NO_DEVICE = 100, ERROR_NOT_FOUND = 500 };

static const char *const names[] = {
#define X(index, name) [index] = #name,
#include "symbols.h"
#undef X
};
enum {
#define X(index, name) INDEX_##name = index,
#include "symbols.h"
#undef X
	COUNT
};

static void *library;
static const char *missing_name;

/* Takes the place of a function that the driver lacks, or of all of them while there is no driver. */
HIDDEN int driver_missing(unsigned index) {
	missing_name = names[index];
	return library ? ERROR_NOT_FOUND : ERROR_NOT_INITIALIZED;
}

/* gorgonia.org/cu calls cuInit when the program starts and ends the process if that fails: the driver is not needed yet. */
HIDDEN int driver_init_later(unsigned flags) {
	(void)flags;
	return 0;
}

extern void driver_missing_entry(void) HIDDEN;

HIDDEN void *driver_table[COUNT] = {
#define X(index, name) [index] = (void *)driver_missing_entry,
#include "symbols.h"
#undef X
	[INDEX_cuInit] = (void *)driver_init_later,
};

/*
 * A trampoline jumps to its entry of the table and leaves all arguments where they are. It hands its index over in a register
 * that no argument uses, for driver_missing.
 */
#if defined(__x86_64__)
#define TRAMPOLINE(index, name) \
	__asm__(".text\n.globl " #name "\n.hidden " #name "\n.type " #name ", @function\n" #name ":\n" \
	        "\tmovl $" #index ", %r11d\n" \
	        "\tjmp *driver_table+8*" #index "(%rip)\n" \
	        ".size " #name ", .-" #name "\n");
__asm__(".text\n.globl driver_missing_entry\n.hidden driver_missing_entry\n.type driver_missing_entry, @function\n"
        "driver_missing_entry:\n"
        "\tmovl %r11d, %edi\n"
        "\tjmp driver_missing\n"
        ".size driver_missing_entry, .-driver_missing_entry\n");
#elif defined(__aarch64__)
#define TRAMPOLINE(index, name) \
	__asm__(".text\n.globl " #name "\n.hidden " #name "\n.type " #name ", %function\n" #name ":\n" \
	        "\tadrp x16, driver_table+8*" #index "\n" \
	        "\tldr x16, [x16, :lo12:driver_table+8*" #index "]\n" \
	        "\tmov w17, #" #index "\n" \
	        "\tbr x16\n" \
	        ".size " #name ", .-" #name "\n");
__asm__(".text\n.globl driver_missing_entry\n.hidden driver_missing_entry\n.type driver_missing_entry, %function\n"
        "driver_missing_entry:\n"
        "\tmov w0, w17\n"
        "\tb driver_missing\n"
        ".size driver_missing_entry, .-driver_missing_entry\n");
#else
#error "the CUDA device is for amd64 and arm64; build without the tag cuda"
#endif
#define X(index, name) TRAMPOLINE(index, name)
#include "symbols.h"
#undef X

int driver_load(const char *path, char *reason, size_t size) {
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		snprintf(reason, size, "%s", dlerror());
		return -1;
	}
	int (*init)(unsigned) = (int (*)(unsigned))dlsym(handle, "cuInit");
	if (!init) {
		snprintf(reason, size, "%s is no CUDA driver: it lacks cuInit", path);
		dlclose(handle);
		return -1;
	}
	int code = init(0);
	if (code != 0) {
		const char *name = "an unknown error", *text = "";
		int (*error_name)(int, const char **) = (int (*)(int, const char **))dlsym(handle, "cuGetErrorName");
		int (*error_text)(int, const char **) = (int (*)(int, const char **))dlsym(handle, "cuGetErrorString");
		if (error_name) error_name(code, &name);
		if (error_text) error_text(code, &text);
		snprintf(reason, size, "cuInit of %s: %s (%d): %s", path, name, code, text);
		/* Not closed: a driver that failed half-way may have left threads behind. */
		return code == ERROR_NO_DEVICE ? -1 : -2;
	}
	library = handle;
	for (size_t i = 0; i < COUNT; i++) {
		void *f = dlsym(handle, names[i]);
		driver_table[i] = f ? f : (void *)driver_missing_entry;
	}
	return 0;
}

int driver_is_emulated(void) { return library && dlsym(library, "cnnctl_emulated_driver"); }

const char *driver_missing_name(void) { return missing_name; }
