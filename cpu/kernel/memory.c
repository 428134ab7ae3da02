// Memory for arenas. It lies outside the Go heap: structs that point into it may be handed to C, and the kernel may back it with huge
// pages, without which every row of a large matrix costs a miss of the translation buffer.
#include "kernel.h"

#if defined(_WIN32)
#include <windows.h>

void *cnn_alloc(size_t bytes) { return VirtualAlloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE); }

void cnn_free(void *p, size_t bytes) {
	(void)bytes;
	VirtualFree(p, 0, MEM_RELEASE);
}
#else
#include <sys/mman.h>

enum { huge = 2 << 20 };

void *cnn_alloc(size_t bytes) {
	const size_t slack = bytes >= huge ? huge : 0;
	char *p = mmap(NULL, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (!slack)
		return p;
	// Keep the part that begins at a huge page. Its size is that of whole pages in any case, since that is what munmap takes.
	const size_t page = 1 << 16, kept = (bytes + page - 1) / page * page;
	const size_t before = -(uintptr_t)p % huge;
	if (before)
		munmap(p, before);
	if (slack - before > kept - bytes)
		munmap(p + before + kept, bytes + slack - before - kept);
#if defined(MADV_HUGEPAGE)
	madvise(p + before, kept, MADV_HUGEPAGE); // a wish: nothing is lost if it is not granted
#endif
	return p + before;
}

void cnn_free(void *p, size_t bytes) { munmap(p, bytes); }
#endif
