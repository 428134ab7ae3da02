package graph

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/philox"
)

// A batch of bytes trains to the bits of the numbers that they stand for.
func TestPixels(t *testing.T) {
	g := trunkAndHead()
	in, s := g.Input().Out, philox.New(4, philox.Test, 0, 0)
	const batch = 3
	table, size := make([]float32, 256*in.C), in.Size()
	for i := range table {
		table[i] = float32(s.Normal())
	}
	c := TrainConfig{Batch: batch, Optimizer: SGD{Momentum: 0.9}}
	numbers := newRig(t, g, c)
	c.Pixels = table
	bytes := newRig(t, g, c)
	pix, flip := make([]byte, (batch*size+3)&^3), []uint32{0, 1, 0}
	for step := range 3 {
		for i := range pix {
			pix[i] = byte(s.IntN(256))
		}
		for i := range numbers.x {
			n, at, ch := i/size, i%size/in.C, i%in.C
			if flip[n] != 0 {
				at = at/in.W*in.W + in.W - 1 - at%in.W
			}
			numbers.x[i] = table[256*ch+int(pix[n*size+at*in.C+ch])]
		}
		if err := bytes.tr.FeedPixels(pix, flip, numbers.y); err != nil {
			t.Fatal(err)
		}
		for _, r := range []*rig{numbers, bytes} {
			if r == numbers {
				if err := r.tr.Feed(r.x, r.y); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.tr.Advance(step, 0.1, 0); err != nil {
				t.Fatal(err)
			}
		}
		a, b := numbers.trained(), bytes.trained()
		for i := range a {
			if math.Float64bits(a[i]) != math.Float64bits(b[i]) {
				t.Fatalf("step %d: element %d of weights and state is %v, from numbers %v", step, i, b[i], a[i])
			}
		}
	}
	for name, err := range map[string]error{
		"numbers":       bytes.tr.Feed(numbers.x, numbers.y),
		"bytes":         numbers.tr.FeedPixels(pix, flip, numbers.y),
		"too few bytes": bytes.tr.FeedPixels(pix[4:], flip, numbers.y),
		"too few flips": bytes.tr.FeedPixels(pix, flip[1:], numbers.y),
	} {
		if err == nil || !strings.Contains(err.Error(), "graph: a batch of ") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	c.Pixels = table[1:]
	if _, err := CompileTraining(g, numbers.w, c); err == nil || !strings.Contains(err.Error(), fmt.Sprint("wanted ", 256*in.C)) {
		t.Errorf("a table that is too short: got error %v", err)
	}
}
