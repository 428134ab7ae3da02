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
int64_t cnn_stem_scratch(const cnn_image *m, int64_t filters) { return active->stem_scratch(m, filters); }
int64_t cnn_thin_scratch(const cnn_image *m, int64_t filters) { return active->thin_scratch(m, filters); }
int64_t cnn_narrow_scratch(const cnn_image *m, int64_t filters) { return active->narrow_scratch(m, filters); }
int64_t cnn_winograd_scratch(const cnn_gather *g, int64_t m, int64_t tiles) { return active->winograd_scratch(g, m, tiles); }
int64_t cnn_winograd_outer_scratch(int64_t m, int64_t rows, int64_t cols) { return active->winograd_outer_scratch(m, rows, cols); }
int64_t cnn_winograd_tiles_size(const cnn_image *a, int64_t m, int64_t width) { return active->winograd_tiles_size(a, m, width); }
int64_t cnn_winograd_columns_scratch(const cnn_gather *g, int64_t m, int64_t width, int64_t cols) {
	return active->winograd_columns_scratch(g, m, width, cols);
}
int64_t cnn_winograd_outer_columns_scratch(int64_t m, int64_t rows, int64_t cols) {
	return active->winograd_outer_columns_scratch(m, rows, cols);
}

#define CNN_DEFINE(name, params, args) \
	void cnn_run_##name params { active->name args; }
CNN_KERNELS(CNN_DEFINE)

// matrix returns the image whose windows are the rows of a matrix.
static cnn_image matrix(const float *x, int64_t rows, int64_t cols, int64_t stride) {
	return (cnn_image){.x = x, .h = 1, .w = rows, .stride = stride, .n = 1, .p = 1, .q = rows, .step_h = 1, .step_w = 1,
		.dil_h = 1, .dil_w = 1, .rows = 1, .cols = 1, .c = cols};
}

void cnn_sgemm(int64_t trans_a, int64_t trans_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb,
	float *c, int64_t ldc, int64_t accumulate, int64_t i0, int64_t i1, int64_t j0, int64_t j1, float *scratch) {
	if (trans_a) {
		cnn_outer o = {.a = a, .lda = lda, .m = m, .b = matrix(b, k, n, ldb), .n = n};
		if (trans_b)
			o.bt = b, o.ldbt = ldb;
		active->outer(&o, i0, i1, j0, j1, 0, k, c, ldc, accumulate, scratch);
		return;
	}
	const cnn_gather g = {
		.a = matrix(a, m, k, lda),
		.b = {.w = b, .rows = 1, .cols = 1, .c = k, .step_j = trans_b ? 1 : ldb, .step_col = trans_b ? ldb : 1, .n = n},
		.y = c, .out_h = 1, .out_w = m, .out_stride = ldc, .out_step_h = 1, .out_step_w = 1, .accumulate = accumulate,
	};
	active->gather(&g, i0, i1, j0, j1, scratch);
}

int64_t cnn_sgemm_scratch(int64_t rows, int64_t cols) {
	const cnn_gather g = {0};
	const int64_t gather = active->gather_scratch(&g, cols), outer = active->outer_scratch(rows);
	return gather > outer ? gather : outer;
}
