package augment

import (
	"fmt"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/philox"
)

// RandomHorizontalFlip mirrors left and right with probability P.
type RandomHorizontalFlip struct{ P float64 }

func (t RandomHorizontalFlip) String() string {
	return fmt.Sprintf("RandomHorizontalFlip(p=%.3g)", t.P)
}

// Apply implements Transform.
func (t RandomHorizontalFlip) Apply(r *philox.Stream, w *Work) error {
	if r.Bool(t.P) {
		flipH(w.Image())
	}
	return nil
}

func flipH(m *data.Image) {
	n := m.W * m.C
	for y := range m.H {
		row := m.Pix[y*n : (y+1)*n]
		for a, b := 0, n-m.C; a < b; a, b = a+m.C, b-m.C {
			for c := range m.C {
				row[a+c], row[b+c] = row[b+c], row[a+c]
			}
		}
	}
}

// RandomVerticalFlip mirrors top and bottom with probability P.
type RandomVerticalFlip struct{ P float64 }

func (t RandomVerticalFlip) String() string { return fmt.Sprintf("RandomVerticalFlip(p=%.3g)", t.P) }

// Apply implements Transform.
func (t RandomVerticalFlip) Apply(r *philox.Stream, w *Work) error {
	if r.Bool(t.P) {
		flipV(w.Image())
	}
	return nil
}

func flipV(m *data.Image) {
	n := m.W * m.C
	for a, b := 0, m.H-1; a < b; a, b = a+1, b-1 {
		upper, lower := m.Pix[a*n:(a+1)*n], m.Pix[b*n:(b+1)*n]
		for i := range upper {
			upper[i], lower[i] = lower[i], upper[i]
		}
	}
}
