/*
 * The toolkit's cuda.h, with the declarations that gorgonia.org/cu was written for. This folder comes first among the include
 * directories of the build (CGO_CFLAGS).
 *
 * CUDA 13 lets cuCtxCreate and a few others name versions with more parameters. The old versions are still in every driver.
 */
#include_next <cuda.h>

#if CUDA_VERSION >= 13000 && !defined(CNNCTL_CUDA_H)
#define CNNCTL_CUDA_H
#ifdef __cplusplus
extern "C" {
#endif

#undef cuCtxCreate
#define cuCtxCreate cuCtxCreate_v2
CUresult CUDAAPI cuCtxCreate_v2(CUcontext *ctx, unsigned int flags, CUdevice dev);

/* The names without a suffix are the first versions; the header's macros lead to the second. */
#undef cuMemAdvise
CUresult CUDAAPI cuMemAdvise(CUdeviceptr ptr, size_t count, CUmem_advise advice, CUdevice device);
#undef cuMemPrefetchAsync
CUresult CUDAAPI cuMemPrefetchAsync(CUdeviceptr ptr, size_t count, CUdevice device, CUstream stream);
#undef cuGraphGetEdges
CUresult CUDAAPI cuGraphGetEdges(CUgraph graph, CUgraphNode *from, CUgraphNode *to, size_t *edges);
#undef cuGraphAddDependencies
CUresult CUDAAPI cuGraphAddDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t dependencies);

#ifdef __cplusplus
}
#endif
#endif
