package diagnose

import (
	"context"
	"math"

	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/train/transfer"
)

const (
	activationLayers = 8   // that are compared at most: each is a pass of its own
	activationImages = 128 // that moments are taken of; a channel's mean is then known to a tenth of its deviation or better
)

// Moments are the mean and the variance of each channel of a layer over images and pixels.
type Moments struct{ Mean, Var []float64 }

// Distance returns how far the moments t of the target are from the moments s of the source: the Fréchet (2-Wasserstein) distance of the two
// Gaussians of each channel, in the source's standard deviations, averaged over the channels. Batch-norm statistics as the mark of a domain: Li et
// al., "Revisiting Batch Normalization for Practical Domain Adaptation" (2016, arXiv:1603.04779).
func Distance(s, t Moments) float64 {
	mean := 0.0
	for _, v := range s.Var {
		mean += v / float64(len(s.Var))
	}
	floor := 0.01 * mean // a channel that is silent on the source would turn any noise into a distance
	sum := 0.0
	for c := range s.Mean {
		dm, ds := t.Mean[c]-s.Mean[c], math.Sqrt(t.Var[c])-math.Sqrt(s.Var[c])
		if scale := max(s.Var[c], floor); scale > 0 {
			sum += math.Sqrt((dm*dm + ds*ds) / scale)
		}
	}
	return sum / float64(len(s.Mean))
}

// A view is a place of the network where activations are compared, with the moments that its batch norm has kept of the source, if it has one.
type view struct {
	layer int // of transfer.Layers
	node  *graph.Node
	kept  *Moments
}

// views returns places that are spread over the trunk: the inputs of batch norms, or else the outputs of layers.
func views(w *graph.Weights) ([]view, error) {
	layers := transfer.Layers(w.Graph())
	body := len(layers) - 1
	var all []view
	for i, l := range layers[:max(body, 0)] {
		v := view{layer: i, node: l.Nodes[len(l.Nodes)-1]}
		for _, n := range l.Nodes {
			if _, ok := n.Op.(graph.BatchNorm); !ok || n.In[0].Op == nil {
				continue
			}
			kept, err := keptMoments(w, n)
			if err != nil {
				return nil, err
			}
			if kept != nil {
				v.node, v.kept = n.In[0], kept
				break
			}
		}
		all = append(all, v)
	}
	n := min(len(all), activationLayers)
	picked := make([]view, n)
	for i := range picked {
		picked[i] = all[i*len(all)/n]
	}
	return picked, nil
}

// keptMoments returns the running statistics of a batch norm.
func keptMoments(w *graph.Weights, n *graph.Node) (*Moments, error) {
	var m Moments
	for _, p := range n.Params {
		if !p.Stat {
			continue
		}
		v := make([]float32, p.Len())
		if err := w.Get(p, v); err != nil {
			return nil, err
		}
		wide := make([]float64, len(v))
		for i, x := range v {
			wide[i] = float64(x)
		}
		if m.Mean == nil { // the mean is listed before the variance
			m.Mean = wide
		} else {
			m.Var = wide
		}
	}
	if m.Var == nil {
		return nil, nil
	}
	return &m, nil
}

// moments measures a node on samples.
func moments(ctx context.Context, s transfer.Samples, w *graph.Weights, n *graph.Node) (Moments, error) {
	c := transfer.Channels(n.Out)
	sum, square, count := make([]float64, c), make([]float64, c), 0
	err := s.Outputs(ctx, w, n, func(out []float32, _ int) {
		for i, v := range out {
			sum[i%c] += float64(v)
			square[i%c] += float64(v) * float64(v)
		}
		count += len(out) / c
	})
	if err != nil {
		return Moments{}, err
	}
	m := Moments{make([]float64, c), make([]float64, c)}
	for i := range sum {
		m.Mean[i] = sum[i] / float64(count)
		m.Var[i] = max(0, square[i]/float64(count)-m.Mean[i]*m.Mean[i])
	}
	return m, nil
}
