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

int64_t cnn_gather_scratch(const cnn_gather *g, int64_t cols) { return active->gather_scratch(g, cols); }
int64_t cnn_outer_scratch(int64_t rows) { return active->outer_scratch(rows); }
int64_t cnn_thin_scratch(const cnn_image *m, int64_t filters) { return active->thin_scratch(m, filters); }

#define CNN_DEFINE(name, params, args) \
	void cnn_run_##name params { active->name args; }
CNN_KERNELS(CNN_DEFINE)
