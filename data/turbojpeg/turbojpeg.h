/* The part of the TurboJPEG API that the Go side calls; see doc.go. */
#ifndef CNNCTL_TURBOJPEG_H
#define CNNCTL_TURBOJPEG_H

#include <stddef.h>

/* Opens the library at path. Returns 0, or -1 with the reason in words. */
int turbojpeg_load(const char *path, char *reason, size_t size);

/*
 * Decodes the file of size bytes at src, which must hold width x height pixels in grey, YCbCr or RGB, to RGB at 1/reduction of that size, where
 * reduction is 1, 2, 4 or 8: ceil(height / reduction) rows of ceil(width / reduction) pixels, without padding. Returns 0, or -1 if the library has
 * any objection; dst then holds anything. May be called from several threads at once.
 */
int turbojpeg_decode(const unsigned char *src, size_t size, int width, int height, int reduction, unsigned char *dst);

#endif
