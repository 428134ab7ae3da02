//go:build cgo && linux

package turbojpeg

// #cgo LDFLAGS: -Wl,--as-needed -ldl
// #include "turbojpeg.h"
// #include <stdlib.h>
import "C"

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"unsafe"
)

// Load opens the library, once. Its error is the reason why there is none.
var Load = sync.OnceValue(func() error {
	path, remedy := "libturbojpeg.so.0", "install libjpeg-turbo (Debian, Ubuntu: libturbojpeg0)"
	if p := os.Getenv(Variable); p != "" {
		path, remedy = p, "correct or unset "+Variable
	}
	if err := load(path); err != nil {
		return fmt.Errorf("%w; %s", err, remedy)
	}
	return nil
})

func load(path string) error {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var reason [1024]C.char
	if C.turbojpeg_load(name, &reason[0], C.size_t(len(reason))) != 0 {
		return errors.New(C.GoString(&reason[0]))
	}
	return nil
}

// Decode decodes src, a JPEG file of w x h pixels in grey, YCbCr or RGB, into dst as RGB, (Reduced(h), Reduced(w), 3). The reduction is 1, 2, 4 or 8, and
// happens before the inverse DCT, which saves most of the work. It returns false, and anything in dst, for all that the library refuses or warns of, for files
// of other sizes or colours, and where there is no library.
func Decode(dst, src []byte, w, h, reduction int) bool {
	columns, rows := Reduced(w, reduction), Reduced(h, reduction)
	if w < 1 || h < 1 || w > math.MaxUint16 || h > math.MaxUint16 || len(src) == 0 || len(dst) != 3*columns*rows || Load() != nil {
		return false
	}
	return C.turbojpeg_decode((*C.uchar)(&src[0]), C.size_t(len(src)), C.int(w), C.int(h), C.int(reduction), (*C.uchar)(&dst[0])) == 0
}
