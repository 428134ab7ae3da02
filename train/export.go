package train

import (
	"fmt"
	"io"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/onnx"
	"github.com/cnnctl/cnnctl/zoo"
)

// ExportONNX writes the weights at path, a checkpoint or the directory of a run, as an ONNX model to out, atomically. The spec goes into its
// metadata under the key of the checkpoint's, so that its reader knows the classes and how an image is prepared. With fold, batch norms become a part of the
// convolutions before them. Errors are those of OpenCheckpoint and wrap onnx.ErrUnsupported for a network that cannot be written.
func ExportONNX(path, out string, as Foreign, fold bool) (Spec, error) {
	c, err := OpenCheckpoint(path, as)
	if err != nil {
		return Spec{}, err
	}
	defer c.Close()
	if err := c.verify(); err != nil {
		return c.Spec, err
	}
	g, err := c.Spec.Graph(zoo.Options{})
	if err != nil {
		return c.Spec, fmt.Errorf("%s: %w: %w", c.Path(), ErrWeights, err)
	}
	if err := checkTensors(c.file, "", g.Params()); err != nil {
		return c.Spec, err
	}
	metadata, err := c.Spec.metadata()
	if err != nil {
		return c.Spec, err
	}
	delete(metadata, "format") // of a checkpoint
	err = checkpoint.AtomicWrite(out, func(w io.Writer) error {
		return onnx.Write(w, g, c.file, onnx.Options{Name: c.Spec.Model, FoldBatchNorm: fold, Metadata: metadata})
	})
	return c.Spec, err
}
