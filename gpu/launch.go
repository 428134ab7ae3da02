//go:build cuda && cgo && linux

package gpu

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"gorgonia.org/cu"
)

// A grid is a number of blocks in three dimensions; zeros count as one.
type grid struct{ x, y, z int }

// A launch is a kernel with its geometry and arguments, ready to be put on the stream any number of times.
type launch struct {
	kernel  *kernel
	op      string // for errors
	grid    grid
	threads int
	shared  int              // dynamic shared memory, bytes
	words   []uint64         // one for each argument, as gorgonia.org/cu passes them
	args    []unsafe.Pointer // args[i] points to words[i]
}

// pack converts arguments to words. Their types must be exactly the kernel's: an address (cu.DevicePtr), int64, int32,
// uint32 or float32.
func pack(k *kernel, values []any) ([]uint64, error) {
	words, sizes := make([]uint64, len(values)), make([]int, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case cu.DevicePtr:
			words[i], sizes[i] = uint64(v), 8
		case int64:
			words[i], sizes[i] = uint64(v), 8
		case int32:
			words[i], sizes[i] = uint64(uint32(v)), 4
		case uint32:
			words[i], sizes[i] = uint64(v), 4
		case float32:
			words[i], sizes[i] = uint64(math.Float32bits(v)), 4
		default:
			return nil, fmt.Errorf("cuda: argument %d of kernel %s is a %T, wanted an address, int64, int32, uint32 or float32", i, k.name, v)
		}
	}
	if k.params == nil {
		return words, nil
	}
	if len(k.params) != len(sizes) {
		return nil, fmt.Errorf("cuda: %d arguments for kernel %s, wanted %d", len(sizes), k.name, len(k.params))
	}
	for i, n := range k.params {
		if sizes[i] != n {
			return nil, fmt.Errorf("cuda: argument %d of kernel %s has %d bytes, wanted %d", i, k.name, sizes[i], n)
		}
	}
	return words, nil
}

var errGrid = errors.New("a grid beyond the limits of CUDA")

// newLaunch checks geometry and arguments and allows the shared memory.
func (d *Device) newLaunch(k *kernel, g grid, shared int, values []any) (launch, error) {
	g = grid{max(g.x, 1), max(g.y, 1), max(g.z, 1)}
	if g.x > math.MaxInt32 || g.y > 65535 || g.z > 65535 {
		return launch{}, fmt.Errorf("cuda: kernel %s: %w: %d x %d x %d blocks", k.name, errGrid, g.x, g.y, g.z)
	}
	words, err := pack(k, values)
	if err != nil {
		return launch{}, err
	}
	if err := d.allowShared(k, shared); err != nil {
		return launch{}, err
	}
	l := launch{kernel: k, op: "launching " + k.name, grid: g, threads: k.threads, shared: shared, words: words}
	for i := range words {
		l.args = append(l.args, unsafe.Pointer(&words[i]))
	}
	return l, nil
}

// start puts the launch on the stream.
func (l *launch) start(s cu.Stream) error {
	return l.kernel.fn.Launch(l.grid.x, l.grid.y, l.grid.z, l.threads, 1, 1, l.shared, s, l.args)
}
