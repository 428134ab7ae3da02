// Compiles what follows, up to target_end.h, for the instruction set TARGET, whatever the compiler's flags: the binary runs anywhere, and
// cnn_find chooses. The system's headers come first, since they are not for one instruction set.
#include <stdint.h>
#include <string.h>
#if defined(__clang__)
#define TARGET_TEXT(x) #x
#define TARGET_PRAGMA(x) _Pragma(TARGET_TEXT(clang attribute push(__attribute__((target(x))), apply_to = function)))
#include <immintrin.h>
TARGET_PRAGMA(TARGET)
#else
#define TARGET_TEXT(x) #x
#define TARGET_PRAGMA(x) _Pragma(TARGET_TEXT(GCC target(x)))
#pragma GCC push_options
TARGET_PRAGMA(TARGET)
#endif
