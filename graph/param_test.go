package graph

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/cnnctl/cnnctl/cpu/ref"
	"github.com/cnnctl/cnnctl/philox"
)

// What a checkpoint is told about a parameter must hold together: permuted, its extents are those of the file up to a reshape.
func TestExports(t *testing.T) {
	for _, c := range []struct {
		op                 Op
		in                 Shape
		dims, perm, export [][]int
	}{
		{Conv2D{Filters: 6, Window: Window{Size: [2]int{5, 3}}}, Shape{H: 9, W: 9, C: 4},
			[][]int{{6, 5, 3, 4}, {6}}, [][]int{{0, 3, 1, 2}, nil}, [][]int{{6, 4, 5, 3}, {6}}},
		{Conv2D{Filters: 8, Window: win(3, 1, Valid()), Groups: 4, NoBias: true}, Shape{H: 9, W: 9, C: 4},
			[][]int{{8, 3, 3, 1}}, [][]int{{0, 3, 1, 2}}, [][]int{{8, 1, 3, 3}}},
		{Linear{Out: 5}, Shape{H: 2, W: 3, C: 4, Flat: true},
			[][]int{{5, 2, 3, 4}, {5}}, [][]int{{0, 3, 1, 2}, nil}, [][]int{{5, 24}, {5}}},
		{BatchNorm{}, Shape{H: 2, W: 3, C: 4},
			[][]int{{4}, {4}, {4}, {4}}, [][]int{nil, nil, nil, nil}, [][]int{{4}, {4}, {4}, {4}}},
		{BatchNorm{}, Shape{H: 2, W: 3, C: 4, Flat: true},
			[][]int{{2, 3, 4}, {2, 3, 4}, {2, 3, 4}, {2, 3, 4}}, [][]int{{2, 0, 1}, {2, 0, 1}, {2, 0, 1}, {2, 0, 1}}, [][]int{{24}, {24}, {24}, {24}}},
	} {
		sig, err := c.op.Infer([]Shape{c.in})
		if err != nil {
			t.Fatal(err)
		}
		if len(sig.Params) != len(c.dims) {
			t.Errorf("%v has %d parameters, want %d", c.op, len(sig.Params), len(c.dims))
			continue
		}
		for i, p := range sig.Params {
			if !slices.Equal(p.Dims, c.dims[i]) || !slices.Equal(p.Perm, c.perm[i]) || !slices.Equal(p.Export, c.export[i]) {
				t.Errorf("%v on %v: %s has extents %v, permutation %v, file %v, want %v, %v, %v", c.op, c.in, p.Name,
					p.Dims, p.Perm, p.Export, c.dims[i], c.perm[i], c.export[i])
			}
		}
	}
}

// Five standard errors around the moments that an initialiser promises, and the bound of a uniform one.
func TestInitialValues(t *testing.T) {
	const fanIn, fanOut, n = 50, 200, 100_000
	for _, c := range []struct {
		init              Init
		std, bound, shift float64
	}{
		{Normal(0.01), 0.01, math.Inf(1), 0},
		{KaimingNormal(), math.Sqrt(2.0 / fanOut), math.Inf(1), 0},
		{KaimingNormalFanIn(), math.Sqrt(2.0 / fanIn), math.Inf(1), 0},
		{KaimingUniform(), math.Sqrt(2.0 / fanIn), math.Sqrt(6.0 / fanIn), 0},
		{UniformFanIn(), 1 / math.Sqrt(3*fanIn), 1 / math.Sqrt(fanIn), 0},
		{XavierUniform(), math.Sqrt(2.0 / (fanIn + fanOut)), math.Sqrt(6.0 / (fanIn + fanOut)), 0},
		{Constant(0.25), 0, math.Inf(1), 0.25},
	} {
		s := philox.MakeStream(9, philox.Init, 0, 0)
		v := make([]float32, n)
		c.init.fill(&s, fanIn, fanOut, v)
		var sum, squares, largest float64
		for _, x := range v {
			sum += float64(x)
			squares += float64(x) * float64(x)
			largest = max(largest, math.Abs(float64(x)))
		}
		mean, std := sum/n, math.Sqrt(max(squares/n-sum/n*sum/n, 0))
		if math.Abs(mean-c.shift) > 5*c.std/math.Sqrt(n) || math.Abs(std-c.std) > 5*c.std/math.Sqrt(n) {
			t.Errorf("%v: mean %g, deviation %g, want %g and %g", c.init, mean, std, c.shift, c.std)
		}
		if largest > c.bound*(1+1e-6) || !math.IsInf(c.bound, 1) && largest < 0.999*c.bound {
			t.Errorf("%v: values up to %g, want them to fill ±%g", c.init, largest, c.bound)
		}
	}
}

// Initial values follow from the seed and the parameter's position, whatever is frozen.
func TestInitDependsOnSeedAlone(t *testing.T) {
	draw := func(seed uint64, frozen func(*Param) bool) []string {
		g := trunkAndHead()
		g.Freeze(frozen)
		w, err := NewWeights(g, ref.New())
		if err == nil {
			err = w.Init(seed)
		}
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, p := range g.Params() {
			v, err := buffer32(p, func(v []float32) error { return w.Get(p, v) })
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, fmt.Sprint(p.Name, v))
		}
		return out
	}
	a := draw(1, func(*Param) bool { return false })
	if b := draw(1, inTrunk); !slices.Equal(a, b) {
		t.Error("the initial values depend on what is frozen")
	}
	seen := map[string]bool{}
	for i, v := range draw(2, inTrunk) {
		p := trunkAndHead().Params()[i]
		if (v == a[i]) != (p.Init.kind == initConstant) {
			t.Errorf("%s is the same for two seeds: %v", p.Name, v == a[i])
		}
		seen[v] = true
	}
	if len(seen) != len(a) {
		t.Errorf("%d different tensors of %d", len(seen), len(a))
	}
}
