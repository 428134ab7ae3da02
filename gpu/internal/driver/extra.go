//go:build cuda && cgo && linux

package driver

/*
#include <cuda.h>

// Declared since CUDA 12.4; here for the headers before.
CUresult CUDAAPI cuFuncGetParamInfo(CUfunction func, size_t index, size_t *offset, size_t *size);
*/
import "C"

import (
	"unsafe"

	"gorgonia.org/cu"
)

// cu hides its handles, which are structs of one C pointer each.
func function(f cu.Function) C.CUfunction { return *(*C.CUfunction)(unsafe.Pointer(&f)) }
func stream(s cu.Stream) C.CUstream       { return *(*C.CUstream)(unsafe.Pointer(&s)) }

// AllowShared lets a kernel use that many bytes of dynamic shared memory, which may be more than the 48 KiB that are allowed
// without asking. It fails if the GPU has less.
func AllowShared(f cu.Function, bytes int) error {
	return result(C.cuFuncSetAttribute(function(f), C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(bytes)))
}

// ParamSizes returns the sizes in bytes of a kernel's parameters, or false where the driver cannot tell (before CUDA 12.4).
func ParamSizes(f cu.Function) ([]int, bool) {
	var sizes []int
	for {
		var offset, size C.size_t
		switch r := C.cuFuncGetParamInfo(function(f), C.size_t(len(sizes)), &offset, &size); r {
		case C.CUDA_SUCCESS:
			sizes = append(sizes, int(size))
		case C.CUDA_ERROR_INVALID_VALUE: // the end
			return sizes, true
		default:
			return nil, false
		}
	}
}

// HostAlloc returns n bytes of page-locked host memory, which the GPU copies from and to without the driver's help. HostFree
// releases it.
func HostAlloc(n int) ([]byte, error) {
	var p unsafe.Pointer
	if err := result(C.cuMemHostAlloc(&p, C.size_t(n), 0)); err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(p), n), nil
}

// HostFree releases what HostAlloc returned.
func HostFree(b []byte) error {
	return result(C.cuMemFreeHost(unsafe.Pointer(unsafe.SliceData(b))))
}

// BeginCapture makes a stream record what is put on it instead of running it, until EndCapture.
func BeginCapture(s cu.Stream) error {
	return result(C.cuStreamBeginCapture(stream(s), C.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL))
}

// A Graph is a captured sequence of launches that one call starts.
type Graph struct{ exec C.CUgraphExec }

// EndCapture ends the recording and makes it executable.
func EndCapture(s cu.Stream) (Graph, error) {
	var g C.CUgraph
	if err := result(C.cuStreamEndCapture(stream(s), &g)); err != nil {
		return Graph{}, err
	}
	var exec C.CUgraphExec
	err := result(C.cuGraphInstantiateWithFlags(&exec, g, 0))
	if e := result(C.cuGraphDestroy(g)); err == nil { // the executable graph is independent of it
		err = e
	}
	return Graph{exec}, err
}

// Launch runs the graph once, in the order of the stream.
func (g Graph) Launch(s cu.Stream) error { return result(C.cuGraphLaunch(g.exec, stream(s))) }

// Destroy releases the graph.
func (g Graph) Destroy() error { return result(C.cuGraphExecDestroy(g.exec)) }
