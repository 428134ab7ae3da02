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

// cnn_kernels is everything compiled for one instruction set.
typedef struct cnn_kernels {
	const char *name;
	int64_t mr, nr; // rows and columns of the register tile
	void (*pack)(const cnn_factor *f, int64_t panel0, int64_t panel1, float *packed);
	int64_t (*gather_scratch)(const cnn_gather *g, int64_t cols);
	void (*gather)(const cnn_gather *g, int64_t i0, int64_t i1, int64_t j0, int64_t j1, float *scratch);
	int64_t (*outer_scratch)(const cnn_outer *o, int64_t rows);
	void (*outer)(const cnn_outer *o, int64_t m0, int64_t m1, int64_t j0, int64_t j1, int64_t k0, int64_t k1, float *c, int64_t ldc,
		int64_t accumulate, float *scratch);
} cnn_kernels;

// cnn_find returns the kernels of a name, or the best ones if name is NULL. It returns NULL if this processor cannot run them.
const cnn_kernels *cnn_find(const char *name);

// The functions that Go calls: each hands over to the kernels that cnn_use chose last.
int cnn_use(const char *name); // 0 if this processor cannot run them
const char *cnn_name(void);
int64_t cnn_mr(void);
int64_t cnn_nr(void);
void cnn_pack(const cnn_factor *f, int64_t panel0, int64_t panel1, float *packed);
int64_t cnn_gather_scratch(const cnn_gather *g, int64_t cols);
void cnn_gather_run(const cnn_gather *g, int64_t i0, int64_t i1, int64_t j0, int64_t j1, float *scratch);
int64_t cnn_outer_scratch(const cnn_outer *o, int64_t rows);
void cnn_outer_run(const cnn_outer *o, int64_t m0, int64_t m1, int64_t j0, int64_t j1, int64_t k0, int64_t k1, float *c, int64_t ldc,
	int64_t accumulate, float *scratch);

// cnn_alloc returns zeroed memory that begins at a page, or NULL; cnn_free gives it back.
void *cnn_alloc(size_t bytes);
void cnn_free(void *p, size_t bytes);

#endif
