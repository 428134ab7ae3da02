//go:build cgo && linux

#define _GNU_SOURCE
#include "turbojpeg.h"

#include <dlfcn.h>
#include <stdio.h>

/* From turbojpeg.h of libjpeg-turbo 2.0, whose numbers no later version has changed. */
enum { TJPF_RGB = 0 };
enum { TJCS_RGB = 0, TJCS_YCbCr = 1, TJCS_GRAY = 2 };
enum { TJFLAG_ACCURATEDCT = 4096, TJFLAG_STOPONWARNING = 8192 };
typedef void *tjhandle;

/* The functions that are used. The last is not called: it tells a library that knows TJFLAG_STOPONWARNING, which came with it, from older ones. */
#define FUNCTIONS(X) \
	X(tjhandle, tjInitDecompress, (void)) \
	X(int, tjDecompressHeader3, (tjhandle, const unsigned char *, unsigned long, int *, int *, int *, int *)) \
	X(int, tjDecompress2, (tjhandle, const unsigned char *, unsigned long, unsigned char *, int, int, int, int, int)) \
	X(int, tjDestroy, (tjhandle)) \
	X(int, tjGetErrorCode, (tjhandle))

#define X(result, name, arguments) static result(*name) arguments;
FUNCTIONS(X)
#undef X

int turbojpeg_load(const char *path, char *reason, size_t size) {
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		snprintf(reason, size, "%s", dlerror());
		return -1;
	}
#define X(result, name, arguments) \
	if (!(name = (result(*) arguments)dlsym(library, #name))) { \
		snprintf(reason, size, "%s lacks %s, which libjpeg-turbo has since 2.0", path, #name); \
		dlclose(library); \
		return -1; \
	}
	FUNCTIONS(X)
#undef X
	return 0;
}

/*
 * A handle lives for one file. It costs a few microseconds, and no state of a damaged file outlives it, nor does a handle have to be kept for each thread.
 *
 * The accurate inverse DCT and interpolated chroma, the default, are what PIL and OpenCV use. A warning is an error, and the end: the library otherwise makes
 * up what is missing. TJFLAG_LIMITSCANS is not set: with it, a file of more than 500 scans would only be left to Go's decoder, which takes longer for it.
 */
int turbojpeg_decode(const unsigned char *src, size_t size, int width, int height, int reduction, unsigned char *dst) {
	tjhandle h = tjInitDecompress();
	if (!h) return -1;
	int result = -1, w, ht, subsampling, space;
	if (tjDecompressHeader3(h, src, size, &w, &ht, &subsampling, &space) == 0 && w == width && ht == height &&
	    (space == TJCS_GRAY || space == TJCS_YCbCr || space == TJCS_RGB)) {
		int columns = (width + reduction - 1) / reduction, rows = (height + reduction - 1) / reduction;
		result = tjDecompress2(h, src, size, dst, columns, 3 * columns, rows, TJPF_RGB, TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING);
	}
	tjDestroy(h);
	return result;
}
