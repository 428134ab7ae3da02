//go:build cuda && cgo && linux

package driver

// #include <cuda.h>
import "C"

import (
	"errors"
	"fmt"
	"reflect"
)

// A Result is a CUresult other than CUDA_SUCCESS.
type Result int

// The results that the device treats in a special way.
const (
	OutOfMemory Result = C.CUDA_ERROR_OUT_OF_MEMORY
	notFound    Result = C.CUDA_ERROR_NOT_FOUND
)

// Name is the driver's name of the result, such as CUDA_ERROR_ILLEGAL_ADDRESS.
func (r Result) Name() string {
	var s *C.char
	if C.cuGetErrorName(C.CUresult(r), &s) != C.CUDA_SUCCESS || s == nil {
		return fmt.Sprintf("CUDA error %d", int(r))
	}
	return C.GoString(s)
}

// Text is the driver's description of the result.
func (r Result) Text() string {
	var s *C.char
	if C.cuGetErrorString(C.CUresult(r), &s) != C.CUDA_SUCCESS || s == nil {
		return "unknown to this driver"
	}
	return C.GoString(s)
}

func (r Result) Error() string {
	if m := missing(); r == notFound && m != "" {
		return fmt.Sprintf("%s: the driver may lack %s; update it", r.Name(), m)
	}
	return fmt.Sprintf("%s: %s", r.Name(), r.Text())
}

// Of returns the result behind an error of this package or of cu, or false if there is none. The type of cu's errors is
// not exported, but its kind is: an integer.
func Of(err error) (Result, bool) {
	var r Result
	if errors.As(err, &r) {
		return r, true
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if v := reflect.ValueOf(err); v.Kind() == reflect.Int {
			return Result(v.Int()), true
		}
	}
	return 0, false
}

func result(r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	return Result(r)
}
