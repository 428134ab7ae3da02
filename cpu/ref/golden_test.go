package ref_test

import (
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/device"
)

// The two worked convolutions of the course that the project serves.
func TestCourseConvolutions(t *testing.T) {
	for _, c := range []struct {
		name          string
		n, f, stride  int
		image, filter []float64
		want          []float64
	}{
		{
			name: "vertical edge, 6x6 with 3x3", n: 6, f: 3, stride: 1,
			image: []float64{
				3, 0, 1, 2, 7, 4,
				1, 5, 8, 9, 3, 1,
				2, 7, 2, 5, 1, 3,
				0, 1, 3, 1, 7, 8,
				4, 2, 1, 6, 2, 8,
				2, 4, 5, 2, 3, 9,
			},
			filter: []float64{1, 0, -1, 1, 0, -1, 1, 0, -1},
			want: []float64{
				-5, -4, 0, 8,
				-10, -2, 2, 3,
				0, -2, -4, -7,
				-3, -2, -3, -16,
			},
		},
		{
			name: "strided, 7x7 with 3x3", n: 7, f: 3, stride: 2,
			image: []float64{
				2, 3, 7, 4, 6, 2, 9,
				6, 6, 9, 8, 7, 4, 3,
				3, 4, 8, 3, 8, 9, 7,
				7, 8, 3, 6, 6, 3, 4,
				4, 2, 1, 8, 3, 4, 6,
				3, 2, 4, 1, 9, 8, 3,
				0, 1, 3, 9, 2, 1, 4,
			},
			filter: []float64{3, 4, 4, 1, 0, 2, -1, 0, 3},
			want: []float64{
				91, 100, 88,
				69, 91, 117,
				44, 72, 74,
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 0)
			p := (c.n-c.f)/c.stride + 1
			y := r.alloc(p * p)
			r.run(device.ConvForward{
				Conv: device.Conv{
					Window: device.Window{N: 1, H: c.n, W: c.n, C: 1, P: p, Q: p, R: c.f, S: c.f,
						StrideH: c.stride, StrideW: c.stride, DilH: 1, DilW: 1},
					K: 1, Groups: 1,
				},
				X: r.of(c.image...), Weight: r.of(c.filter...), Y: y,
			})
			if got := r.dev.Float64s(y); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
