//go:build cuda && cgo && linux

package gpu

import (
	"math/bits"
	"testing"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/philox"
)

// Every division that the kernels do with magic is exact for all numbers below 2^31.
func TestMagic(t *testing.T) {
	s := philox.New(1, philox.Test, 0, 0)
	divisors := []int{1, 2, 3, 5, 6, 7, 9, 11, 13, 25, 27, 49, 64, 121, 224 * 224, 1<<16 - 1, 1 << 16, 1<<16 + 1, 1<<30 - 1, 1 << 30, 1<<30 + 1, 1<<31 - 1}
	for range 2000 {
		divisors = append(divisors, 1+s.IntN(1<<(1+s.IntN(31))))
	}
	for _, d := range divisors {
		m := magic(d)
		quotient := func(n int) int {
			if uint32(m) == 0 {
				return n
			}
			high, _ := bits.Mul32(uint32(n), uint32(m))
			return int(high >> (m >> 32))
		}
		numbers := []int{0, 1, d - 1, d, d + 1, 1<<31 - 1, 1<<31 - 2, (1<<31 - 1) / d * d, (1<<31-1)/d*d - 1}
		for range 20 {
			k := 1 + s.IntN((1<<31-1)/d)
			numbers = append(numbers, k*d, k*d-1, s.IntN(1<<31-1))
		}
		for _, n := range numbers {
			if n >= 0 && n < 1<<31 && quotient(n) != n/d {
				t.Fatalf("%d / %d gives %d, want %d", n, d, quotient(n), n/d)
			}
		}
	}
}

// Plans cover the depth once, in stages, and none of their parts is empty.
func TestPlansCoverTheDepth(t *testing.T) {
	for _, precision := range precisions {
		for _, depth := range []int{1, 15, 16, 17, 127, 128, 129, 1000, 4608, 100000, 1<<31 - 1<<10} {
			for _, size := range [][2]int{{1, 1}, {64, 64}, {64, 576}, {1000, 37}, {4096, 4096}} {
				for _, sms := range []int{0, 1, 46, 108, 132} {
					p := product{m: size[0], n: size[1], depth: depth, groups: 1, precision: precision}
					q := p.plan(Info{Multiprocessors: sms, Major: 8, SharedMemory: 164 << 10})
					if q.parts < 1 || q.perPart%p.stageDepth() != 0 || (q.parts-1)*q.perPart >= depth || q.parts*q.perPart < depth {
						t.Errorf("%+v on %d multiprocessors: %+v does not cover the depth", p, sms, q)
					}
				}
			}
		}
	}
}

func TestCostModel(t *testing.T) {
	h100 := Info{Multiprocessors: 132, Major: 9, SharedMemory: 228 << 10}
	for _, c := range []struct {
		name         string
		product      product
		tile, tensor string // "" for any
		split        bool
	}{
		{"large", product{m: 66 * 128, n: 64 * 128, depth: 8192, groups: 1}, "128x128", "128x128", false},
		{"VGG-16 conv3_2, 64 images", product{m: 64 * 56 * 56, n: 256, depth: 2304, groups: 1}, "128x128", "128x128", false},
		{"VGG-16 conv1_2, 64 images", product{m: 64 * 224 * 224, n: 64, depth: 576, groups: 1}, "128x64", "128x64", false},
		{"LeNet-5 conv1, 256 images", product{m: 256 * 28 * 28, n: 6, depth: 25, groups: 1}, "128x32", "128x32", false},
		{"filters of VGG-16 conv1_1, 64 images", product{m: 64, n: 27, depth: 64 * 224 * 224, groups: 1}, "", "", true},
		{"filters of VGG-16 conv5_1, 64 images", product{m: 512, n: 4608, depth: 64 * 14 * 14, groups: 1}, "", "", true},
		{"fully connected, 64 samples", product{m: 64, n: 4096, depth: 25088, groups: 1}, "", "", true},
		{"fully connected, one sample", product{m: 1, n: 10, depth: 84, groups: 1}, "32x32", "64x64", false},
	} {
		for _, precision := range precisions {
			p, want := c.product, c.tile
			if p.precision = precision; precision != device.FP32 {
				want = c.tensor
			}
			q := p.plan(h100)
			if want != "" && q.name != want || (q.parts > 1) != c.split {
				t.Errorf("%s in %v: tile %s in %d parts, wanted tile %q, split: %v", c.name, precision, q.name, q.parts, want, c.split)
			}
			if blocks := p.blocks(q.tile) * int64(q.parts); c.split && blocks < int64(h100.Multiprocessors) {
				t.Errorf("%s in %v: %d parts, %d blocks, which leave multiprocessors without work", c.name, precision, q.parts, blocks)
			}
		}
	}
}

// Every tile fits into the shared memory of every architecture, and none of them leaves a multiprocessor with a single block where three stages
// would have let it hold two.
func TestRing(t *testing.T) {
	for _, gpu := range []Info{{Major: 8, SharedMemory: 164 << 10}, {Major: 8, Minor: 6, SharedMemory: 100 << 10}, {Major: 9, SharedMemory: 228 << 10}} {
		for _, tl := range tensorTiles {
			stages := tl.ring(gpu)
			if stages < 3 || stages > 4 || tl.shared(stages)+1<<10 > gpu.SharedMemory {
				t.Errorf("%s on %d.%d: %d stages, %d bytes of shared memory of %d", tl.name, gpu.Major, gpu.Minor, stages, tl.shared(stages), gpu.SharedMemory)
			}
			if tl.fitting(stages, gpu) < tl.fitting(3, gpu) {
				t.Errorf("%s on %d.%d: %d stages leave room for %d blocks, 3 for %d", tl.name, gpu.Major, gpu.Minor, stages, tl.fitting(stages, gpu), tl.fitting(3, gpu))
			}
		}
	}
}

// The classes of an axis hold every pair of a row and a filter row that meet in an output row, once, and with that output row.
func TestClasses(t *testing.T) {
	for _, n := range []int{1, 2, 5, 8} {
		for _, stride := range []int{1, 2, 3, 4, 6, 9} {
			for _, dilation := range []int{1, 2, 3, 4, 6} {
				for _, pad := range []int{0, 1, 2, 5} {
					for _, filter := range []int{1, 2, 3, 5} {
						got := map[[2]int]int{}
						list, inFilter, inOutput := classes(n, stride, dilation, pad, filter)
						for _, c := range list {
							for i := range c.count {
								for j := range c.taps {
									at := [2]int{c.first + i*stride, c.tap + j*inFilter}
									if _, twice := got[at]; twice || at[0] >= n || at[1] >= filter {
										t.Fatalf("row %d, filter row %d: twice or outside", at[0], at[1])
									}
									got[at] = c.output + i + j*inOutput
								}
							}
						}
						pairs := 0
						for h := range n {
							for r := range filter {
								if (h+pad-r*dilation)%stride != 0 {
									continue
								}
								pairs++
								if p, ok := got[[2]int{h, r}]; !ok || p != (h+pad-r*dilation)/stride {
									t.Fatalf("n=%d stride=%d dilation=%d pad=%d filter=%d: row %d, filter row %d: output row %d (%v), want %d",
										n, stride, dilation, pad, filter, h, r, p, ok, (h+pad-r*dilation)/stride)
								}
							}
						}
						if pairs != len(got) {
							t.Fatalf("n=%d stride=%d dilation=%d pad=%d filter=%d: %d pairs, want %d", n, stride, dilation, pad, filter, len(got), pairs)
						}
					}
				}
			}
		}
	}
}
