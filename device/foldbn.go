package device

// FoldBatchNorm multiplies a batch norm that uses its running statistics into the layer before it, a convolution or a fully connected
// layer, which then computes both. With s = Gamma/sqrt(RunVar + Eps):
//
//	FoldedWeight[c, i] = Weight[c, i]·s[c],  FoldedBias = Beta + (Bias - RunMean)·s
//
// It computes in float32 or better and rounds a weight of another type once.
type FoldBatchNorm struct {
	C, Len          int // channels of the layer's output, weights of each
	Eps             float32
	Type            Type // of FoldedWeight: what products read
	Weight          Mem  // (C, Len), float32
	Bias            Mem  // (C) or absent
	Gamma, Beta     Mem  // (C)
	RunMean, RunVar Mem  // (C)
	FoldedWeight    Mem  // (C, Len)
	FoldedBias      Mem  // (C)
}

// Cost implements Call.
func (f FoldBatchNorm) Cost() Cost {
	n, c := int64(f.C)*int64(f.Len), int64(f.C)
	k := Cost{n + 5*c, (Float32.Size()+f.Type.Size())*n + 20*c}
	if !f.Bias.IsZero() {
		k = k.Plus(Cost{c, 4 * c})
	}
	return k
}

// Check implements Call.
func (f FoldBatchNorm) Check() error {
	c := checker{call: "folding of a batch norm"}
	c.that(f.C > 0 && f.Len > 0, "%d weights for each of %d channels, wanted positive numbers", f.Len, f.C)
	c.size(f.C, f.Len)
	c.typ(f.Type)
	c.mem("Weight", f.Weight, f.C*f.Len)
	c.optional("Bias", f.Bias, f.C, Float32)
	c.mem("Gamma", f.Gamma, f.C)
	c.mem("Beta", f.Beta, f.C)
	c.mem("RunMean", f.RunMean, f.C)
	c.mem("RunVar", f.RunVar, f.C)
	c.elements("FoldedWeight", f.FoldedWeight, f.C*f.Len, f.Type)
	c.mem("FoldedBias", f.FoldedBias, f.C)
	return c.err
}

func (f FoldBatchNorm) storage() Type { return f.Type }
