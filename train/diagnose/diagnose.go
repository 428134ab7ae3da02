package diagnose

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/train"
	"github.com/cnnctl/cnnctl/train/transfer"
	"github.com/cnnctl/cnnctl/zoo"
)

// Options says what is diagnosed.
type Options struct {
	Config     train.Config // of the fine-tunings, whose strategy is not looked at; Project and Name are of the directory
	SourceData string       // what the weights were trained on, if it is there: a data set
	// Open opens a device. Every part of the work has one of its own, since a device takes no memory back while it is open.
	Open     func() (device.Device, error)
	Observer train.Observer // of the trainings; or nil
	Note     func(string)   // says what is done next; or nil
}

const (
	logmeImages = 600  // that LogME is computed on: it takes the cube of their number
	fitImages   = 1000 // training images that a network is measured on after training
)

// Run trains, measures and judges. It makes the directory Config.Project/Name, with the three runs (probe, full, scratch) in it. The errors are those
// of train.Start and Run.Train, but for a training that diverges, which is a result.
func Run(ctx context.Context, o Options) (*Report, error) {
	d, err := newDiagnosis(o)
	if err != nil {
		return nil, err
	}
	defer d.dir.Close()
	for _, part := range []struct {
		note string
		run  func(context.Context) error
	}{
		{"1/5 linear probe: the head alone, on the frozen trunk", func(ctx context.Context) error { return d.train(ctx, "probe", d.probe(), &d.report.Probe) }},
		{"2/5 fine-tuning of all layers", func(ctx context.Context) error { return d.train(ctx, "full", transfer.Full, &d.report.Full) }},
		{"3/5 training from scratch", func(ctx context.Context) error { return d.train(ctx, "scratch", transfer.Scratch, &d.report.Scratch) }},
		{"4/5 features and activations", d.measureFeatures},
		{"5/5 weights", d.measureWeights},
	} {
		if o.Note != nil {
			o.Note(part.note)
		}
		if err := part.run(ctx); err != nil {
			return nil, err
		}
	}
	d.report.Findings = Judge(&d.report)
	return &d.report, d.write()
}

type diagnosis struct {
	Options
	dir    *train.Dir
	report Report
}

func newDiagnosis(o Options) (*diagnosis, error) {
	c := o.Config
	if c.Weights == "" {
		return nil, fmt.Errorf("%w: nothing to diagnose without pretrained weights; wanted --weights or --pretrained", train.ErrConfig)
	}
	if c.Epochs < 1 {
		return nil, fmt.Errorf("%w: --epochs %d, wanted at least 1 to compare after", train.ErrConfig, c.Epochs)
	}
	if c.Batch == train.AutoBatch {
		return nil, fmt.Errorf("%w: --batch-size auto: the three trainings are compared at one size; wanted a number", train.ErrConfig)
	}
	if c.Name == "" {
		c.Name = c.Model
	}
	c.Strategy = string(transfer.Full)
	if err := c.Check(); err != nil {
		return nil, err
	}
	o.Config = c
	d := &diagnosis{Options: o}
	if o.SourceData != "" { // which is needed last, and should not fail then
		src, err := d.open(o.SourceData)
		if err != nil {
			return nil, fmt.Errorf("--source-data: %w", err)
		}
		if err := src.Close(); err != nil {
			return nil, err
		}
	}
	var err error
	if d.dir, err = train.CreateDir(c.Project, c.Name); err != nil {
		return nil, err
	}
	d.report = Report{Model: c.Model, Weights: c.Weights, Data: c.Data, SourceData: o.SourceData, Epochs: c.Epochs, Dir: d.dir.Path}
	return d, nil
}

// probe is the strategy of the linear probe: on cached features, unless images are to be augmented.
func (d *diagnosis) probe() transfer.Kind {
	if d.Config.Augments() {
		return transfer.Head
	}
	return transfer.Features
}

// train runs one of the trainings.
func (d *diagnosis) train(ctx context.Context, name string, strategy transfer.Kind, out *Outcome) (err error) {
	dev, err := d.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dev.Close()) }()
	c := d.Config
	c.Project, c.Name, c.Strategy = d.dir.Path, name, string(strategy)
	if strategy != transfer.Full { // settings for which the others have no use
		c.FreezeEpochs, c.LRMult, c.LayerDecay = 0, 0, 0
	}
	if strategy == transfer.Scratch { // a fair chance: the model's own recipe, not that of pretrained weights
		info, err := zoo.Lookup(c.Model)
		if err != nil {
			return err
		}
		c = c.WithRecipe(train.Defaults(info))
		c.HeadInit = ""
	}
	run, err := train.Start(ctx, c, dev)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	if d.Observer != nil {
		run.Observe(d.Observer)
	}
	r := &d.report
	r.Classes, r.Train, r.Val, r.Batch = len(run.Spec.Classes), run.Source().Train.Len(), run.Source().Val.Len(), run.Config.Batch
	*out = Outcome{Strategy: string(strategy)}
	_, err = run.Train(ctx)
	if out.Diverged = errors.Is(err, train.ErrDiverged); err != nil && !out.Diverged {
		return err
	}
	for _, row := range run.Rows() {
		if out.BestEpoch == 0 || row.Top1 > out.Top1 {
			out.Top1, out.BestEpoch = row.Top1, row.Epoch
		}
		out.Last, out.Seconds = row.Top1, row.Seconds
	}
	if len(run.Rows()) == 0 {
		return nil
	}
	out.Fit, err = d.fit(ctx, run, dev)
	return err
}

// fit measures the last weights on training images.
func (d *diagnosis) fit(ctx context.Context, run *train.Run, dev device.Device) (float64, error) {
	m, err := train.LoadModel(run.Dir.File("weights", "last.safetensors"), train.Foreign{}, dev)
	if err != nil {
		return 0, err
	}
	s, err := transfer.Samples{Set: run.Source().Train, Pipe: m.Pipe, Workers: d.Config.Workers}.Pick(fitImages)
	if err != nil {
		return 0, err
	}
	e, err := train.NewEvaluator(m.Weights, s.Set, m.Pipe, d.Config.Inference(32), d.Config.Workers)
	if err != nil {
		return 0, err
	}
	got, err := e.Run(ctx)
	return got.Top1, err
}

// weightsOf returns the path of a training's last weights.
func (d *diagnosis) weightsOf(name string) string {
	return d.dir.File(name, "weights", "last.safetensors")
}

// open opens a data set with the settings of the trainings.
func (d *diagnosis) open(name string) (*data.Source, error) {
	c := d.Config
	c.Data = name
	info, err := zoo.Lookup(c.Model)
	if err != nil {
		return nil, err
	}
	return train.OpenData(&c, info)
}

// measureFeatures compares activations, and computes LogME. The probe has left the pretrained trunk as it was.
func (d *diagnosis) measureFeatures(ctx context.Context) (err error) {
	dev, err := d.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dev.Close()) }()
	m, err := train.LoadModel(d.weightsOf("probe"), train.Foreign{}, dev)
	if err != nil {
		return err
	}
	target, err := d.open(d.Config.Data)
	if err != nil {
		return err
	}
	defer target.Close()
	images := transfer.Samples{Set: target.Train, Pipe: m.Pipe, Workers: d.Config.Workers}
	if err := d.compareActivations(ctx, m, images); err != nil {
		return err
	}
	return d.compareFeatures(ctx, m, images, dev)
}

func (d *diagnosis) compareActivations(ctx context.Context, m *train.Model, target transfer.Samples) error {
	r := &d.report
	layers := transfer.Layers(m.Weights.Graph())
	r.Layers = make([]Layer, len(layers))
	for i, l := range layers {
		r.Layers[i] = Layer{Name: l.Name, Head: i == len(layers)-1}
	}
	places, err := views(m.Weights)
	if err != nil {
		return err
	}
	target, err = target.Pick(activationImages)
	if err != nil {
		return err
	}
	var source *transfer.Samples
	if d.SourceData != "" {
		src, err := d.open(d.SourceData)
		if err != nil {
			return err
		}
		defer src.Close()
		s, err := transfer.Samples{Set: src.Train, Pipe: m.Pipe, Workers: d.Config.Workers}.Pick(activationImages)
		if err != nil {
			return err
		}
		source = &s
		r.Reference = "source data"
	}
	compared := 0
	for _, v := range places {
		var ref Moments
		switch {
		case v.kept != nil:
			ref, r.Reference = *v.kept, "batch-norm statistics"
		case source != nil:
			if ref, err = moments(ctx, *source, m.Weights, v.node); err != nil {
				return err
			}
		default:
			continue
		}
		got, err := moments(ctx, target, m.Weights, v.node)
		if err != nil {
			return err
		}
		distance := Distance(ref, got)
		r.Layers[v.layer].Distance = &distance
		r.Distance += distance
		compared++
	}
	if compared > 0 {
		r.Distance /= float64(compared)
	}
	return nil
}

// compareFeatures computes LogME of the pretrained features, and of those of random weights, which say what the architecture alone is worth.
func (d *diagnosis) compareFeatures(ctx context.Context, m *train.Model, target transfer.Samples, dev device.Device) error {
	target, err := target.Pick(logmeImages)
	if err != nil {
		return err
	}
	logme := func(w *graph.Weights) (float64, error) {
		rows, labels, err := target.Features(ctx, w)
		if err != nil {
			return 0, err
		}
		v, err := LogME(rows, labels, d.report.Classes)
		if err != nil {
			return math.Inf(-1), nil // features that are all zero: the worst there are
		}
		return v, nil
	}
	if d.report.LogME, err = logme(m.Weights); err != nil {
		return err
	}
	w, err := graph.NewWeights(m.Weights.Graph(), dev)
	if err != nil {
		return err
	}
	if err := w.Init(d.Config.Seed); err != nil {
		return err
	}
	d.report.LogMERandom, err = logme(w)
	return err
}

// measureWeights compares the weights before and after full fine-tuning, and what both know of the source.
func (d *diagnosis) measureWeights(ctx context.Context) (err error) {
	dev, err := d.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dev.Close()) }()
	before, err := train.LoadModel(d.weightsOf("probe"), train.Foreign{}, dev)
	if err != nil {
		return err
	}
	if d.report.Full.BestEpoch == 0 { // it diverged at once
		return nil
	}
	after, err := train.LoadModel(d.weightsOf("full"), train.Foreign{}, dev)
	if err != nil {
		return err
	}
	was, is := transfer.Layers(before.Weights.Graph()), transfer.Layers(after.Weights.Graph())
	for i := range was[:len(was)-1] {
		if d.report.Layers[i].Moved, err = moved(before.Weights, after.Weights, was[i], is[i]); err != nil {
			return err
		}
	}
	if d.SourceData == "" {
		return nil
	}
	d.report.Forgotten, err = d.forgotten(ctx, after, dev)
	return err
}

// moved returns |is - was| / |was| over the trained parameters of a layer.
func moved(before, after *graph.Weights, was, is transfer.Layer) (float64, error) {
	var change, size float64
	for i, n := range was.Nodes {
		for k, p := range n.Params {
			if p.Stat {
				continue
			}
			a, b := make([]float32, p.Len()), make([]float32, p.Len())
			if err := errors.Join(before.Get(p, a), after.Get(is.Nodes[i].Params[k], b)); err != nil {
				return 0, err
			}
			for j := range a {
				x := float64(b[j]) - float64(a[j])
				change += x * x
				size += float64(a[j]) * float64(a[j])
			}
		}
	}
	if size == 0 {
		return 0, nil
	}
	return math.Sqrt(change / size), nil
}

// forgotten measures the pretrained network on the source's validation images, and again with the trunk of the fine-tuned one.
func (d *diagnosis) forgotten(ctx context.Context, tuned *train.Model, dev device.Device) (*Forgotten, error) {
	// Model and input of a foreign checkpoint are as the trainings took them.
	m, err := train.LoadModel(d.Config.Weights, train.Foreign{Model: d.Config.Model}, dev)
	if err != nil {
		return nil, err
	}
	src, err := d.open(d.SourceData)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if have, want := len(src.Val.Classes()), len(m.Classes); have != want {
		return &Forgotten{Note: fmt.Sprintf("the source data has %d classes, the pretrained head %d", have, want)}, nil
	}
	measure := func() (float64, error) {
		e, err := train.NewEvaluator(m.Weights, src.Val, tuned.Pipe, d.Config.Inference(32), d.Config.Workers)
		if err != nil {
			return 0, err
		}
		got, err := e.Run(ctx)
		return got.Top1, err
	}
	f := &Forgotten{Samples: src.Val.Len()}
	if f.Before, err = measure(); err != nil {
		return nil, err
	}
	from, to := transfer.Layers(tuned.Weights.Graph()), transfer.Layers(m.Weights.Graph())
	for i, l := range to[:len(to)-1] {
		for j, n := range l.Nodes {
			for k, p := range n.Params {
				v := make([]float32, p.Len())
				if err := tuned.Weights.Get(from[i].Nodes[j].Params[k], v); err != nil {
					return nil, err
				}
				if err := m.Weights.Set(p, v); err != nil {
					return nil, err
				}
			}
		}
	}
	f.After, err = measure()
	return f, err
}
