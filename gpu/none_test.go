//go:build !cuda || !cgo || !linux

package gpu

import (
	"errors"
	"testing"
)

func TestWithoutTheTag(t *testing.T) {
	if list, err := List(); len(list) != 0 || !errors.Is(err, ErrNoDevice) {
		t.Errorf("List gives %v and error %v, want ErrNoDevice", list, err)
	}
	if d, err := Open(0); d != nil || !errors.Is(err, ErrNoDevice) {
		t.Errorf("Open gives %v and error %v, want ErrNoDevice", d, err)
	}
}
