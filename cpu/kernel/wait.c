// Waiting for another thread.
#include "kernel.h"

#include <time.h>

static int64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void cnn_wait(const uint64_t *word, uint64_t seen, int64_t nanoseconds) {
	const int64_t end = now() + nanoseconds;
	for (int spins = 1; __atomic_load_n(word, __ATOMIC_ACQUIRE) == seen; spins++) {
#if defined(__x86_64__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ volatile("isb"); // yield returns at once on most processors
#endif
		if (spins % 64 == 0 && now() >= end)
			return;
	}
}
