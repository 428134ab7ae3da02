// All kernels, compiled for one instruction set: included by isa_*.c, which define KERNELS and NAME.
#include "kernel.h"
#include "vec.h"

#include "tile.h"

#include "act.h"
#include "pack.h"

#include "gather.h"
#include "outer.h"

#include "minimal.h"
#include "minimalfour.h"
#include "minimalstrided.h"

#include "winograd.h"
#include "winogradouter.h"
#include "winogradshared.h"
#include "winogradstrided.h"
#include "winogradstridedouter.h"

#include "depthwise.h"
#include "elementwise.h"

#include "batchnorm.h"
#include "narrow.h"
#include "optim.h"
#include "pool.h"
#include "normpool.h"
#include "reduce.h"
#include "spacetodepth.h"
#include "spread.h"
#include "thin.h"

#include "stem.h"

#define CNN_ENTRY(name, params, args) .name = name,
const cnn_kernels KERNELS = {
	.name = NAME,
	.mr = MR,
	.nr = NR,
	.gather_scratch = gather_scratch,
	.outer_scratch = outer_scratch,
	.stem_scratch = stem_scratch,
	.thin_scratch = thin_scratch,
	.narrow_scratch = narrow_scratch,
	.winograd_scratch = winograd_scratch,
	.winograd_outer_scratch = winograd_outer_scratch,
	.winograd_tiles_size = winograd_tiles_size,
	.winograd_columns_scratch = winograd_columns_scratch,
	.winograd_outer_columns_scratch = winograd_outer_columns_scratch,
	CNN_KERNELS(CNN_ENTRY)
};
