package loader

import "fmt"

// Tensors is a data set whose samples are no images but values for the network: features that were computed before. All methods may be called from
// several goroutines at once.
type Tensors interface {
	Len() int
	Classes() []string
	Label(i int) int
	Name(i int) string
	Size() int                           // values of a sample
	ReadTensor(i int, x []float32) error // fills x with sample i
}

// NewTensors returns a loader of ts. Its order of an epoch and its MixUp are those that New draws for images; CutMix, which needs pixels, gives
// an error. Errors wrap ErrConfig.
func NewTensors(ts Tensors, cfg Config) (*Loader, error) {
	if cfg.Mix.CutMix > 0 {
		return nil, fmt.Errorf("%w: cutmix is %g; want 0 for samples that are no images", ErrConfig, cfg.Mix.CutMix)
	}
	l, err := newLoader(ts, ts.Size(), cfg)
	if err != nil {
		return nil, err
	}
	l.read = func(_ *worker, _, i int, x []float32) error { return ts.ReadTensor(i, x) }
	return l, nil
}
