// The interface between Go and the kernels: one struct per primitive, one function per task of it.
//
// A task is a range of rows, images or elements that one thread computes in one call, tens of microseconds of work, because entering C
// from Go costs some 50 ns. No function keeps state, allocates, or depends on which thread runs it, so results do not
// depend on how many threads there are. All sizes and strides count floats, not bytes.
#ifndef CNN_KERNEL_H
#define CNN_KERNEL_H

#include <stddef.h>
#include <stdint.h>

// Activations, in the order of device.Act.
enum { CNN_IDENTITY, CNN_RELU, CNN_RELU6, CNN_TANH, CNN_SIGMOID };

// The m of minimal filtering (winograd.h) is the side of a tile of outputs of F(m x m, 3x3) at stride 1, 4 or 2, or CNN_FOUR, which is F(4x4, 4x4), or
// CNN_STRIDED: tiles of 4x4 outputs of 3x3 filters at stride 2, which are 8 pixels apart.
enum { CNN_STRIDED = 8, CNN_FOUR = 16 };

// cnn_image is a batch of images and the grid of windows that a convolution lays over it. Window (n, p, q) is the rows·cols taps at
// image row p·step_h + first_h + t·dil_h and column q·step_w + first_w + u·dil_w, each of c channels; taps outside the image are zero. A
// plain matrix is an image of one row: h = n = p = rows = cols = 1, w = q = its rows, stride = its leading dimension.
typedef struct {
	const float *x;         // first channel of pixel (0, 0, 0)
	int64_t h, w, stride;   // rows, columns, floats from a pixel to the next
	int64_t n, p, q;        // images; rows and columns of the grid
	int64_t step_h, step_w; // from a window to the next
	int64_t first_h, first_w;
	int64_t dil_h, dil_w;
	int64_t rows, cols; // taps of a window
	int64_t c;          // channels of a tap
} cnn_image;

// cnn_factor is the right factor of a product as it lies in memory: element ((t, u, j), col) of a matrix of rows·cols·c rows, in this
// order, is at w[t·step_t + u·step_u + j·step_j + col·step_col]. One of step_j and step_col is 1.
typedef struct {
	const float *w;
	int64_t rows, cols, c;
	int64_t step_t, step_u, step_j, step_col;
	int64_t n; // columns
} cnn_factor;

// cnn_epilogue finishes each element of a product: y = act(y + bias[col] + residual[row, col]).
typedef struct {
	const float *bias;     // or NULL
	const float *residual; // laid out as the result, or NULL
	int64_t act;
} cnn_epilogue;

// cnn_gather is a product whose left factor has one row for each window of an image: convolution forward, its gradient by the input,
// and matrix products whose left factor is not transposed.
typedef struct {
	cnn_image a;
	cnn_factor b;
	const float *packed; // b in panels (see cnn_pack), or NULL: tasks then pack what they need
	// Row (n, p, q) of the result begins at y + ((n·out_h + p·out_step_h + out_first_h)·out_w + q·out_step_w + out_first_w)·out_stride.
	float *y;
	int64_t out_h, out_w, out_stride;
	int64_t out_step_h, out_step_w, out_first_h, out_first_w;
	int64_t accumulate;
	cnn_epilogue epilogue;
} cnn_gather;

// cnn_outer is a product over the windows of an image: C[m, (t, u, j)] (+)= sum over windows i of A[i, m]·window i's element (t, u, j).
// It is the gradient of a filter, and any matrix product with a transposed left factor.
typedef struct {
	const float *a; // (windows, m), lda floats apart
	int64_t lda, m;
	cnn_image b;
	const float *bt; // if not NULL, the right factor is this plain transposed matrix, (n, windows), instead of b
	int64_t ldbt, n;
} cnn_outer;

// cnn_taps are the input positions along one axis that an output of average pooling reads, and how many its mean counts.
typedef struct { int64_t first, step, count, divisor; } cnn_taps;

// CNN_KERNELS lists the kernels: X(name, parameters, arguments). The files named here document them.
#define CNN_KERNELS(X)                                                                                                                     \
	X(pack, (const cnn_factor *f, int64_t panel0, int64_t panel1, float *packed), (f, panel0, panel1, packed)) /* pack.h */            \
	X(gather, (const cnn_gather *g, int64_t i0, int64_t i1, int64_t j0, int64_t j1, float *scratch),                                   \
		(g, i0, i1, j0, j1, scratch)) /* gather.h */                                                                               \
	X(outer,                                                                                                                           \
		(const cnn_outer *o, int64_t m0, int64_t m1, int64_t j0, int64_t j1, int64_t k0, int64_t k1, float *c, int64_t ldc,        \
			int64_t accumulate, float *scratch),                                                                               \
		(o, m0, m1, j0, j1, k0, k1, c, ldc, accumulate, scratch))                                              /* outer.h */       \
	X(winograd_filters, (int64_t m, const cnn_factor *f, int64_t panel0, int64_t panel1, float *u), (m, f, panel0, panel1, u))         \
	/* winograd.h, winogradstrided.h */                                                                                                \
	X(winograd, (int64_t m, const cnn_gather *g, int64_t t0, int64_t t1, float *scratch), (m, g, t0, t1, scratch))                     \
	X(winograd_outer,                                                                                                                  \
		(int64_t m, const cnn_outer *o, int64_t m0, int64_t m1, int64_t j0, int64_t j1, int64_t t0, int64_t t1, float *c,          \
			int64_t ldc, int64_t accumulate, float *scratch),                                                                  \
		(m, o, m0, m1, j0, j1, t0, t1, c, ldc, accumulate, scratch)) /* winogradouter.h, winogradstridedouter.h */                 \
	X(winograd_tiles,                                                                                                                  \
		(int64_t m, const cnn_image *a, int64_t gradient, int64_t width, int64_t c0, int64_t c1, int64_t t0, int64_t t1,           \
			float *shared),                                                                                                    \
		(m, a, gradient, width, c0, c1, t0, t1, shared)) /* winogradshared.h */                                                    \
	X(winograd_columns, (int64_t m, const cnn_gather *g, const float *shared, int64_t width, int64_t j0, int64_t j1, float *scratch),  \
		(m, g, shared, width, j0, j1, scratch))                                                                                    \
	X(winograd_outer_columns,                                                                                                          \
		(int64_t m, const cnn_outer *o, const float *dy, int64_t width, const float *x, int64_t m0, int64_t m1, int64_t j0,        \
			int64_t j1, float *c, int64_t ldc, int64_t accumulate, float *scratch),                                            \
		(m, o, dy, width, x, m0, m1, j0, j1, c, ldc, accumulate, scratch))                                                         \
	X(thin_forward,                                                                                                                    \
		(const cnn_image *m, const float *weights, int64_t filters, float *y, const cnn_epilogue *e, int64_t n0, int64_t n1,       \
			float *scratch),                                                                                                   \
		(m, weights, filters, y, e, n0, n1, scratch)) /* thin.h */                                                                 \
	X(thin_filter,                                                                                                                     \
		(const cnn_image *m, const float *dy, int64_t filters, float *dw, int64_t n0, int64_t n1, int64_t accumulate,              \
			float *scratch),                                                                                                   \
		(m, dy, filters, dw, n0, n1, accumulate, scratch))                                                                         \
	X(stem_forward,                                                                                                                    \
		(const cnn_image *m, const float *weights, int64_t filters, const float *bias, int64_t kind, float *planes, float *y,      \
			int64_t n0, int64_t n1, float *scratch),                                                                           \
		(m, weights, filters, bias, kind, planes, y, n0, n1, scratch)) /* stem.h */                                                \
	X(stem_backward,                                                                                                                   \
		(const cnn_image *m, const float *dy, const float *planes, int64_t kind, int64_t filters, float *dw, double *db,           \
			int64_t n0, int64_t n1, int64_t accumulate, float *scratch),                                                       \
		(m, dy, planes, kind, filters, dw, db, n0, n1, accumulate, scratch))                                                       \
	X(narrow_filter,                                                                                                                   \
		(const cnn_image *m, const float *dy, int64_t filters, float *sum, int64_t row0, int64_t row1, int64_t accumulate,         \
			float *scratch),                                                                                                   \
		(m, dy, filters, sum, row0, row1, accumulate, scratch)) /* narrow.h */                                                     \
	X(space_to_depth, (const cnn_image *m, int64_t r0, int64_t r1, float *y), (m, r0, r1, y)) /* spacetodepth.h */                    \
	X(spread,                                                                                                                          \
		(const cnn_image *m, const float *packed, const int64_t *order, const float *dy, int64_t filters, float *dx, int64_t n0,   \
			int64_t n1, int64_t accumulate),                                                                                   \
		(m, packed, order, dy, filters, dx, n0, n1, accumulate)) /* spread.h */                                                           \
	X(act, (int64_t a, float *y, const float *x, int64_t n), (a, y, x, n))                                         /* elementwise.h */ \
	X(act_backward, (int64_t a, float *dx, const float *dy, const float *y, int64_t n, int64_t add), (a, dx, dy, y, n, add))           \
	X(add, (float *y, const float *a, const float *b, int64_t n), (y, a, b, n))                                                        \
	X(dropout,                                                                                                                         \
		(float *y, const float *x, int64_t n, int64_t b0, int64_t b1, const uint32_t *key, uint32_t step, uint32_t layer,          \
			uint32_t threshold, float scale, int64_t accumulate),                                                              \
		(y, x, n, b0, b1, key, step, layer, threshold, scale, accumulate))                                                         \
	X(sgd,                                                                                                                             \
		(float *w, const float *g, float *v, int64_t n, float clip, float lr, float decay, float mu, int64_t nesterov),            \
		(w, g, v, n, clip, lr, decay, mu, nesterov)) /* optim.h */                                                                 \
	X(adamw,                                                                                                                           \
		(float *w, const float *g, float *m, float *v, int64_t n, float clip, float lr, float decay, float beta1, float beta2,     \
			float eps, float inv1, float inv2),                                                                                \
		(w, g, m, v, n, clip, lr, decay, beta1, beta2, eps, inv1, inv2))                                                           \
	X(rmsprop,                                                                                                                         \
		(float *w, const float *g, float *s, float *v, int64_t n, float clip, float lr, float decay, float alpha, float eps,       \
			float mu),                                                                                                         \
		(w, g, s, v, n, clip, lr, decay, alpha, eps, mu))                                                                          \
	X(ema, (float *e, const float *w, int64_t n, float d), (e, w, n, d))                                                               \
	X(sum_rows, (double *sum, const float *x, int64_t rows, int64_t cols), (sum, x, rows, cols)) /* reduce.h */                        \
	X(sum_squares, (double *sum, const float *x, int64_t n), (sum, x, n))                                                              \
	X(moments, (double *sum, double *squares, const float *x, int64_t rows, int64_t cols), (sum, squares, x, rows, cols))              \
	X(gradient_sums,                                                                                                                   \
		(double *sum, double *product, const float *x, const float *dy, const float *y, int64_t act, const float *mean,            \
			float *residual, int64_t accumulate, int64_t rows, int64_t cols),                                                  \
		(sum, product, x, dy, y, act, mean, residual, accumulate, rows, cols)) /* batchnorm.h */                                   \
	X(affine,                                                                                                                          \
		(float *y, const float *x, const float *scale, const float *center, const float *shift, const float *residual,             \
			int64_t act, int64_t rows, int64_t cols),                                                                          \
		(y, x, scale, center, shift, residual, act, rows, cols))                                                                   \
	X(affine_backward,                                                                                                                 \
		(float *dx, const float *dy, const float *y, int64_t act, const float *x, const float *scale, const float *slope,          \
			const float *mean, const float *shift, int64_t accumulate, int64_t rows, int64_t cols),                            \
		(dx, dy, y, act, x, scale, slope, mean, shift, accumulate, rows, cols))                                                    \
	X(max_forward, (const cnn_image *m, float *y, float *arg, int64_t row0, int64_t row1), (m, y, arg, row0, row1)) /* pool.h */       \
	X(max_backward, (const cnn_image *m, const float *dy, const float *arg, float *dx, int64_t n, int64_t accumulate),                 \
		(m, dy, arg, dx, n, accumulate))                                                                                           \
	X(affine_max,                                                                                                                      \
		(const cnn_image *m, const float *scale, const float *center, const float *shift, int64_t act, float *y, float *arg,       \
			float *largest, int64_t row0, int64_t row1),                                                                       \
		(m, scale, center, shift, act, y, arg, largest, row0, row1)) /* normpool.h */                                              \
	X(affine_max_backward,                                                                                                             \
		(const cnn_image *m, const float *dy, const float *y, int64_t act, const float *arg, float *dx, const float *scale,        \
			const float *slope, const float *mean, const float *shift, int64_t accumulate, int64_t row0, int64_t row1),        \
		(m, dy, y, act, arg, dx, scale, slope, mean, shift, accumulate, row0, row1))                                               \
	X(mean_forward,                                                                                                                    \
		(const float *x, float *y, int64_t h, int64_t w, int64_t c, const cnn_taps *rows, int64_t p, const cnn_taps *cols,         \
			int64_t q, int64_t row0, int64_t row1),                                                                            \
		(x, y, h, w, c, rows, p, cols, q, row0, row1))                                                                             \
	X(mean_backward,                                                                                                                   \
		(const float *dy, float *dx, int64_t h, int64_t w, int64_t c, const cnn_taps *rows, int64_t p, const cnn_taps *cols,       \
			int64_t q, int64_t n, int64_t accumulate),                                                                         \
		(dy, dx, h, w, c, rows, p, cols, q, n, accumulate))                                                                        \
	X(depthwise_forward,                                                                                                               \
		(const cnn_image *m, const float *taps, float *y, const cnn_epilogue *e, int64_t row0, int64_t row1),                      \
		(m, taps, y, e, row0, row1)) /* depthwise.h */                                                                             \
	X(depthwise_data,                                                                                                                  \
		(const cnn_image *m, const float *taps, const float *dy, float *dx, int64_t row0, int64_t row1, int64_t accumulate),       \
		(m, taps, dy, dx, row0, row1, accumulate))                                                                                 \
	X(depthwise_filter, (const cnn_image *m, const float *dy, float *sum, int64_t row0, int64_t row1), (m, dy, sum, row0, row1))

// cnn_kernels is everything compiled for one instruction set.
typedef struct {
	const char *name;
	int64_t mr, nr; // rows and columns of the register tile
	int64_t (*gather_scratch)(const cnn_gather *g, int64_t cols);
	int64_t (*outer_scratch)(int64_t rows);
	int64_t (*stem_scratch)(const cnn_image *m, int64_t filters);
	int64_t (*thin_scratch)(const cnn_image *m, int64_t filters);
	int64_t (*narrow_scratch)(const cnn_image *m, int64_t filters);
	int64_t (*winograd_scratch)(const cnn_gather *g, int64_t m, int64_t tiles);
	int64_t (*winograd_outer_scratch)(int64_t m, int64_t rows, int64_t cols);
	int64_t (*winograd_tiles_size)(const cnn_image *a, int64_t m, int64_t width);
	int64_t (*winograd_columns_scratch)(const cnn_gather *g, int64_t m, int64_t width, int64_t cols);
	int64_t (*winograd_outer_columns_scratch)(int64_t m, int64_t rows, int64_t cols);
#define CNN_MEMBER(name, params, args) void(*name) params;
	CNN_KERNELS(CNN_MEMBER)
} cnn_kernels;

// cnn_find returns the kernels of a name, or the best ones if name is NULL. It returns NULL if this processor cannot run them.
const cnn_kernels *cnn_find(const char *name);

// The functions that Go calls: each hands over to the kernels that cnn_use chose last.
int cnn_use(const char *name); // 0 if this processor cannot run them
const char *cnn_name(void);
int64_t cnn_mr(void);
int64_t cnn_nr(void);
int64_t cnn_gather_scratch(const cnn_gather *g, int64_t cols);
int64_t cnn_outer_scratch(int64_t rows);
int64_t cnn_stem_scratch(const cnn_image *m, int64_t filters);
int64_t cnn_thin_scratch(const cnn_image *m, int64_t filters);
int64_t cnn_narrow_scratch(const cnn_image *m, int64_t filters);
int64_t cnn_winograd_scratch(const cnn_gather *g, int64_t m, int64_t tiles);
int64_t cnn_winograd_outer_scratch(int64_t m, int64_t rows, int64_t cols);
int64_t cnn_winograd_tiles_size(const cnn_image *a, int64_t m, int64_t width);
int64_t cnn_winograd_columns_scratch(const cnn_gather *g, int64_t m, int64_t width, int64_t cols);
int64_t cnn_winograd_outer_columns_scratch(int64_t m, int64_t rows, int64_t cols);
#define CNN_DECLARE(name, params, args) void cnn_run_##name params;
CNN_KERNELS(CNN_DECLARE)

// cnn_sgemm computes rows [i0, i1) and columns [j0, j1) of C (+)= op(A)·op(B), where op(A) is (m, k) and op(B) is (k, n). It takes its
// operands one by one, since they may be Go memory.
void cnn_sgemm(int64_t trans_a, int64_t trans_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb,
	float *c, int64_t ldc, int64_t accumulate, int64_t i0, int64_t i1, int64_t j0, int64_t j1, float *scratch);
int64_t cnn_sgemm_scratch(int64_t rows, int64_t cols);

// cnn_wait returns when *word is no longer what was seen, or after some nanoseconds.
void cnn_wait(const uint64_t *word, uint64_t seen, int64_t nanoseconds);

// cnn_alloc returns zeroed memory that begins at a page, or NULL; cnn_free gives it back.
void *cnn_alloc(size_t bytes);
void cnn_free(void *p, size_t bytes);

#endif
