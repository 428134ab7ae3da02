package train

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/pretrained"
	"github.com/cnnctl/cnnctl/train/transfer"
	"github.com/cnnctl/cnnctl/zoo"
)

// Foreign is what the user says of a checkpoint that another program wrote. Its zero value leaves everything to the file, its config.json, its
// name and its tensors.
type Foreign struct {
	Model string
	Input pretrained.Input
}

// A Checkpoint is an opened file of weights with what they mean: one of our own runs, or one of another program.
type Checkpoint struct {
	Spec  Spec
	Named bool     // the classes have names; otherwise they are numbered
	Notes []string // what was assumed

	file *checkpoint.File
}

// OpenCheckpoint opens the weights at path, a file or the directory of a run, under torchvision's names. Errors wrap ErrConfig for what the user says that
// cannot be, ErrWeights for tensors that are no model's, or those of package checkpoint.
func OpenCheckpoint(path string, as Foreign) (*Checkpoint, error) {
	path, err := WeightsFile(path)
	if err != nil {
		return nil, err
	}
	f, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{file: f.TorchvisionNames()}
	if _, own := f.Metadata()[specKey]; own {
		err = c.own(as)
	} else {
		err = c.foreign(as)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

// Close releases the file.
func (c *Checkpoint) Close() error { return c.file.Close() }

// Path returns the file's name.
func (c *Checkpoint) Path() string { return c.file.Path() }

// own takes the description that a run has written. The size of the input may be another, for networks that do not mind.
func (c *Checkpoint) own(as Foreign) (err error) {
	if c.Spec, err = ReadSpec(c.file); err != nil {
		return err
	}
	c.Named = true
	if as.Model != "" && as.Model != c.Spec.Model {
		return fmt.Errorf("%w: %s holds a %s, wanted that as the model, got %s", ErrConfig, c.Path(), c.Spec.Model, as.Model)
	}
	rest := as.Input
	if rest.Size = 0; !rest.Zero() {
		return fmt.Errorf("%w: %s says itself how its images are prepared; wanted no other preprocessing beside it", ErrConfig, c.Path())
	}
	return c.prepare(as.Input, c.Spec.Preprocess)
}

// prepare sets how images become the network's input.
func (c *Checkpoint) prepare(in pretrained.Input, base augment.Preprocess) error {
	p, err := in.Apply(base)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	c.Spec.Preprocess, c.Spec.Input = p, [3]int{p.Size[0], p.Size[1], p.Channels}
	return nil
}

// foreign finds out what another program's checkpoint holds.
func (c *Checkpoint) foreign(as Foreign) error {
	d, err := pretrained.Describe(c.Path())
	if err != nil {
		return err
	}
	c.Spec.Model = as.Model
	if c.Spec.Model == "" {
		c.Spec.Model = d.Model
	}
	if c.Spec.Model == "" {
		if c.Spec.Model, err = c.inferModel(as.Input.Size); err != nil {
			return err
		}
	}
	info, err := zoo.Lookup(c.Spec.Model)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	channels := c.channels(info)
	base := pretrained.ImageNet()
	if info.Input.H <= 64 {
		base, _ = pretrained.Input{Preset: "cifar", Size: info.Input.H}.Apply(base)
	}
	if channels == 1 {
		base.Channels = 1
		if base, err = (pretrained.Input{Preset: "imagenet", Size: info.Input.H, CropPct: 1}).Apply(base); err != nil {
			return err
		}
	}
	switch {
	case d.Preprocess != nil:
		base = *d.Preprocess
	case as.Input.Zero():
		note := "nothing says how the images of " + c.Path() + " are to be prepared; taken as for torchvision's weights (--preprocess imagenet)"
		if text := c.file.Metadata()["preprocess"]; text != "" {
			note += fmt.Sprintf("; its author notes: %q", text)
		}
		c.Notes = append(c.Notes, note)
	}
	if err := c.prepare(as.Input, base); err != nil {
		return err
	}
	classes, err := c.classes(info, channels)
	if err != nil {
		return err
	}
	if c.Named = len(d.Labels) == classes; c.Named {
		c.Spec.Classes = d.Labels
		return nil
	}
	for i := range classes {
		c.Spec.Classes = append(c.Spec.Classes, strconv.Itoa(i))
	}
	return nil
}

// channels returns the channels that the first filters read, where the file tells.
func (c *Checkpoint) channels(info zoo.Info) int {
	g, err := zoo.Build(info.Name, info.Input, info.Classes, zoo.Options{})
	if err == nil && len(g.Params()) > 0 {
		if t, err := c.file.Info(g.Params()[0].Name); err == nil && len(t.Shape) == 4 && (t.Shape[1] == 1 || t.Shape[1] == 3) {
			return t.Shape[1]
		}
	}
	return info.Input.C
}

// classes returns how many classes the head in the file tells apart. Where it has none, the comparison of all tensors will say so.
func (c *Checkpoint) classes(info zoo.Info, channels int) (int, error) {
	in := info.Input
	in.C = channels
	g, err := zoo.Build(info.Name, in, info.Classes, zoo.Options{})
	if err != nil {
		return 0, err
	}
	if t, err := c.file.Info(transfer.HeadParams(g)[0].Name); err == nil && len(t.Shape) > 0 && t.Shape[0] > 0 {
		return t.Shape[0], nil
	}
	return info.Classes, nil
}

// inferModel returns the one model of the zoo whose tensors the file holds, for images of that size if it is not 0: the tensors of some depend on it.
func (c *Checkpoint) inferModel(size int) (string, error) {
	var fit []string
	for _, info := range zoo.Models() {
		channels := c.channels(info)
		classes, err := c.classes(info, channels)
		if err != nil {
			continue
		}
		in := info.Input
		in.C = channels
		if size > 0 {
			in.H, in.W = size, size
		}
		g, err := zoo.Build(info.Name, in, classes, zoo.Options{})
		if err == nil && c.file.Match("", wants(g.Params())) == nil {
			fit = append(fit, info.Name)
		}
	}
	switch len(fit) {
	case 1:
		return fit[0], nil
	case 0:
		return "", fmt.Errorf("%s: %w: its tensors are those of no model here; say which it is to see in what they differ, and with --image-size for what size of image", c.Path(), ErrWeights)
	}
	return "", fmt.Errorf("%w: %s may hold any of %s, whose tensors have the same names and shapes; say which with --model", ErrConfig, c.Path(), strings.Join(fit, ", "))
}

// wants describes parameters as tensors of a checkpoint.
func wants(params []*graph.Param) []checkpoint.Want {
	wanted := make([]checkpoint.Want, len(params))
	for i, p := range params {
		wanted[i] = checkpoint.Want{Name: p.Name, Shape: p.Export}
	}
	return wanted
}

// verify checks the digests or checksums of the file, if it has any.
func (c *Checkpoint) verify() error {
	if err := c.file.Verify(); !errors.Is(err, checkpoint.ErrNoDigests) {
		return err
	}
	return nil
}

// load copies all tensors into the weights of a network with as many classes.
func (c *Checkpoint) load(w *graph.Weights) error {
	if err := c.verify(); err != nil {
		return err
	}
	return importTensors(c.file, "", w.Graph().Params(), w.SetPart)
}

// loadBody copies all tensors but the head's into the weights of the same network with another head. Every tensor of the file is compared first,
// the head's too, which must be one of c's classes.
func (c *Checkpoint) loadBody(w *graph.Weights, in graph.Shape) error {
	if err := c.verify(); err != nil {
		return err
	}
	whole, err := zoo.Build(c.Spec.Model, in, len(c.Spec.Classes), zoo.Options{})
	if err != nil {
		return err
	}
	if err := checkTensors(c.file, "", whole.Params()); err != nil {
		return err
	}
	head := map[*graph.Param]bool{}
	for _, p := range transfer.HeadParams(w.Graph()) {
		head[p] = true
	}
	var body []*graph.Param
	for _, p := range w.Graph().Params() {
		if !head[p] {
			body = append(body, p)
		}
	}
	return copyTensors(c.file, "", body, w.SetPart)
}
