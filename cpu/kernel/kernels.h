// All kernels, compiled for one instruction set: included by isa_*.c, which define KERNELS and NAME.
#include "kernel.h"
#include "vec.h"

#include "tile.h"

#include "act.h"
#include "pack.h"

#include "gather.h"
#include "outer.h"

const cnn_kernels KERNELS = {
	.name = NAME,
	.mr = MR,
	.nr = NR,
	.pack = pack,
	.gather_scratch = gather_scratch,
	.gather = gather,
	.outer_scratch = outer_scratch,
	.outer = outer,
};
