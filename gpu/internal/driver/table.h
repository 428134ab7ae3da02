/* The table of driver functions that the trampolines jump through; see doc.go. */
#ifndef CNNCTL_DRIVER_TABLE_H
#define CNNCTL_DRIVER_TABLE_H

#include <stddef.h>

/* Loads the driver library at path and initialises it. Returns 0, or with the reason in words -1 if there is no
 * driver or no GPU, and -2 if there is a driver that does not work. */
int driver_load(const char *path, char *reason, size_t size);

/* Reports whether the library is the emulated driver of kernels/emu. */
int driver_is_emulated(void);

/* The name of the function that was called last although the driver lacks it, or NULL. */
const char *driver_missing_name(void);

#endif
