package kernel

import (
	"testing"
	"unsafe"
)

// The structs of Go and C are one memory: every field must lie where C looks for it.
func TestLayout(t *testing.T) {
	if !Available {
		t.Skip("built without cgo")
	}
	for _, c := range layouts() {
		if c.goSize != c.cSize || c.goLast != c.cLast {
			t.Errorf("%s: %d bytes with the last field at %d, want %d and %d", c.name, c.goSize, c.goLast, c.cSize, c.cLast)
		}
	}
}

// Memory is zero, begins at a page, and is the caller's until it is given back.
func TestAlloc(t *testing.T) {
	if !Available {
		t.Skip("built without cgo")
	}
	for _, n := range []int{1, 1000, 1 << 19, 1<<19 + 1, 3<<20 + 7} {
		s := Alloc(n)
		if len(s) != n || uintptr(unsafe.Pointer(&s[0]))%4096 != 0 {
			t.Fatalf("%d floats: got %d at %p", n, len(s), &s[0])
		}
		for i, v := range s {
			if v != 0 {
				t.Fatalf("%d floats: element %d is %v", n, i, v)
			}
			s[i] = 1
		}
		Free(s)
	}
}

func TestUse(t *testing.T) {
	if !Available {
		t.Skip("built without cgo")
	}
	name := Name()
	rows, cols := Tile()
	if Use("abacus") {
		t.Error("there are no kernels for an abacus")
	}
	if r, c := Tile(); Name() != name || r != rows || c != cols {
		t.Errorf("a refused choice has changed %s to %s", name, Name())
	}
}
