//go:build !(cgo && linux)

package turbojpeg

import "errors"

// Load says that there is no library.
func Load() error {
	return errors.New("this program was built without libjpeg-turbo; it takes Linux and cgo")
}

// Decode returns false: there is no library.
func Decode(dst, src []byte, w, h, reduction int) bool { return false }
