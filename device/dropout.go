package device

import "github.com/cnnctl/cnnctl/philox"

// Dropout computes Y[i] (+)= X[i]·keep(i)/(1-P) (Srivastava et al. 2014, in the inverted form, so that evaluation needs no factor).
// The mask is not stored: the backward pass is the same call on the gradient, which draws it again.
//
// Element i is kept if word i%4 of the Philox block with key (Seed, purpose Dropout) and counter (i/4, step, Layer, 0) is at least
// P·2^32; the step is the first word of Hyper. Every device draws these same bits.
type Dropout struct {
	N          int
	Type       Type    // of X and Y
	P          float32 // probability of dropping, in [0, 1)
	Seed       uint64
	Layer      uint32 // tells the masks of one step apart
	X, Y       Mem    // Y may be X unless Accumulate is set
	Hyper      Mem
	Accumulate bool
}

// Cost implements Call. The ten rounds of the generator are counted at 10 operations an element.
func (d Dropout) Cost() Cost {
	n := int64(d.N)
	return Cost{11 * n, d.Type.Size() * (2*n + int64(ifAcc(d.Accumulate, d.N)))}
}

// Check implements Call.
func (d Dropout) Check() error {
	c := checker{call: "dropout"}
	c.that(d.N > 0, "%d elements, wanted a positive number", d.N)
	c.that(d.P >= 0 && d.P < 1, "probability %v, wanted one in [0, 1)", d.P)
	c.typ(d.Type)
	c.elements("X", d.X, d.N, d.Type)
	c.elements("Y", d.Y, d.N, d.Type)
	c.mem("Hyper", d.Hyper, HyperWords)
	return c.err
}

func (d Dropout) storage() Type { return d.Type }

// Key returns the generator's key.
func (d Dropout) Key() [2]uint32 { return philox.Key(d.Seed, philox.Dropout) }

// Threshold returns the word from which on an element is kept.
func (d Dropout) Threshold() uint32 { return uint32(float64(d.P) * (1 << 32)) }
