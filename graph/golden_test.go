package graph

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/cpu/ref"
)

// The worked examples of the course that the project serves, from the image to the output of a network of one layer.
func TestCourseConvolutions(t *testing.T) {
	for _, c := range []struct {
		name                string
		size, stride        int
		image, filter, want []float32
	}{
		{
			name: "vertical edges", size: 6, stride: 1,
			image: []float32{
				3, 0, 1, 2, 7, 4,
				1, 5, 8, 9, 3, 1,
				2, 7, 2, 5, 1, 3,
				0, 1, 3, 1, 7, 8,
				4, 2, 1, 6, 2, 8,
				2, 4, 5, 2, 3, 9,
			},
			filter: []float32{
				1, 0, -1,
				1, 0, -1,
				1, 0, -1,
			},
			want: []float32{
				-5, -4, 0, 8,
				-10, -2, 2, 3,
				0, -2, -4, -7,
				-3, -2, -3, -16,
			},
		},
		{
			name: "stride 2", size: 7, stride: 2,
			image: []float32{
				2, 3, 7, 4, 6, 2, 9,
				6, 6, 9, 8, 7, 4, 3,
				3, 4, 8, 3, 8, 9, 7,
				7, 8, 3, 6, 6, 3, 4,
				4, 2, 1, 8, 3, 4, 6,
				3, 2, 4, 1, 9, 8, 3,
				0, 1, 3, 9, 2, 1, 4,
			},
			filter: []float32{
				3, 4, 4,
				1, 0, 2,
				-1, 0, 3,
			},
			want: []float32{
				91, 100, 88,
				69, 91, 117,
				44, 72, 74,
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := New(Shape{H: c.size, W: c.size, C: 1})
			conv := g.Add("conv", Conv2D{Filters: 1, Window: win(3, c.stride, Valid()), NoBias: true}, g.Input())
			w, err := NewWeights(g, ref.New())
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Set(conv.Params[0], c.filter); err != nil {
				t.Fatal(err)
			}
			p, err := CompileInference(g, w, InferConfig{Batch: 1})
			if err != nil {
				t.Fatal(err)
			}
			got := make([]float32, len(c.want))
			if _, err := p.Run(c.image, make([]float32, len(c.want)), got); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// The course's counts: ten 3x3x3 filters have 280 parameters, six 5x5x3 filters 456, and 32x32x3 becomes 28x28x6.
func TestCourseCounts(t *testing.T) {
	for _, c := range []struct {
		filters, size, params int
		want                  string
	}{
		{10, 3, 280, "30x30x10"},
		{6, 5, 456, "28x28x6"},
	} {
		g := New(Shape{H: 32, W: 32, C: 3})
		n := g.Add("conv", Conv2D{Filters: c.filters, Window: win(c.size, 1, Valid())}, g.Input())
		if all, trained := g.NumParams(); all != c.params || trained != c.params {
			t.Errorf("%v has %d parameters, %d of them trained, want %d", n.Op, all, trained, c.params)
		}
		if n.Out.String() != c.want {
			t.Errorf("%v on 32x32x3 gives %v, want %s", n.Op, n.Out, c.want)
		}
	}
}

// The output size is floor((n + 2p - f)/s + 1), and every layer that has a window obeys it. It must also be the number of places that a
// window can take.
func TestOutputSize(t *testing.T) {
	for n := 1; n <= 12; n++ {
		for f := 1; f <= 5; f++ {
			for p := 0; p < f; p++ {
				for s := 1; s <= 4; s++ {
					want := int(math.Floor(float64(n+2*p-f)/float64(s) + 1))
					places := 0
					for at := -p; at+f <= n+p; at += s {
						places++
					}
					if n+2*p < f {
						want = 0
					}
					if want != places {
						t.Fatalf("n=%d f=%d p=%d s=%d: the formula gives %d, counting %d", n, f, p, s, want, places)
					}
					w := win(f, s, Pad(p))
					for _, op := range []Op{Conv2D{Filters: 1, Window: w}, MaxPool{w}, AvgPool{Window: w}} {
						sig, err := op.Infer([]Shape{{H: n, W: 20, C: 1}})
						switch {
						case want == 0 && !errors.Is(err, ErrShape):
							t.Errorf("%v on %d rows: error %v, want ErrShape", op, n, err)
						case want > 0 && (err != nil || sig.Out.H != want):
							t.Errorf("%v on %d rows: %v, %v, want %d rows", op, n, sig.Out, err, want)
						}
					}
				}
			}
		}
	}
}
