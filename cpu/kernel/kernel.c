// The choice of the kernels.
#include "kernel.h"

#include <string.h>

extern const cnn_kernels cnn_base;
#if defined(__x86_64__)
extern const cnn_kernels cnn_avx2, cnn_avx512;
#endif

const cnn_kernels *cnn_find(const char *name) {
	const cnn_kernels *found[3] = {0};
	int count = 0;
#if defined(__x86_64__)
	__builtin_cpu_init();
	const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
	if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
		__builtin_cpu_supports("avx512bw"))
		found[count++] = &cnn_avx512;
	if (avx2)
		found[count++] = &cnn_avx2;
#endif
	found[count++] = &cnn_base;
	for (int i = 0; i < count; i++)
		if (!name || strcmp(name, found[i]->name) == 0)
			return found[i];
	return NULL;
}

static const cnn_kernels *active = &cnn_base;

int cnn_use(const char *name) {
	const cnn_kernels *k = cnn_find(name);
	if (k)
		active = k;
	return k != NULL;
}

const char *cnn_name(void) { return active->name; }
int64_t cnn_mr(void) { return active->mr; }
int64_t cnn_nr(void) { return active->nr; }

void cnn_pack(const cnn_factor *f, int64_t panel0, int64_t panel1, float *packed) { active->pack(f, panel0, panel1, packed); }

int64_t cnn_gather_scratch(const cnn_gather *g, int64_t cols) { return active->gather_scratch(g, cols); }

void cnn_gather_run(const cnn_gather *g, int64_t i0, int64_t i1, int64_t j0, int64_t j1, float *scratch) {
	active->gather(g, i0, i1, j0, j1, scratch);
}

int64_t cnn_outer_scratch(const cnn_outer *o, int64_t rows) { return active->outer_scratch(o, rows); }

void cnn_outer_run(const cnn_outer *o, int64_t m0, int64_t m1, int64_t j0, int64_t j1, int64_t k0, int64_t k1, float *c, int64_t ldc,
	int64_t accumulate, float *scratch) {
	active->outer(o, m0, m1, j0, j1, k0, k1, c, ldc, accumulate, scratch);
}
