//go:build cuda && cgo && linux

package driver

// #cgo LDFLAGS: -Wl,--as-needed -ldl
// #include "table.h"
// #include <stdlib.h>
import "C"

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"
)

// Variable is the environment variable that names a driver library to use in place of libcuda.so.1.
const Variable = "CNNCTL_CUDA_DRIVER"

// ErrBroken marks a driver that is there and does not start, as after an update without a restart.
var ErrBroken = errors.New("the CUDA driver does not work; restart the machine or install the driver again")

// Load loads and initialises the driver, once. Its error is the true reason why there is none.
var Load = sync.OnceValue(func() error {
	path, remedy := "libcuda.so.1", "install NVIDIA's driver for this GPU"
	if p := os.Getenv(Variable); p != "" {
		path, remedy = p, "correct or unset "+Variable
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var reason [1024]C.char
	switch C.driver_load(name, &reason[0], C.size_t(len(reason))) {
	case -2:
		return fmt.Errorf("%w: %s", ErrBroken, C.GoString(&reason[0]))
	case -1:
		return fmt.Errorf("no CUDA driver: %s; %s", C.GoString(&reason[0]), remedy)
	}
	return nil
})

// Emulated reports whether the driver is the emulated one, which has the kernels built in.
func Emulated() bool { return C.driver_is_emulated() != 0 }

// missing returns the name of the function that the driver turned out to lack last.
func missing() string { return C.GoString(C.driver_missing_name()) }
