package train

import (
	"fmt"
	"slices"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/graph"
)

// This file is the boundary between the engine's layout (KRSC filters, features in the order H, W, C) and that of checkpoints (PyTorch's).

// getter reads one parameter, or the optimiser's state of one, in the order of graph.Param.Dims; setter writes the elements from first on.
type (
	getter func(p *graph.Param, dst []float32) error
	setter func(p *graph.Param, first int, src []float32) error
)

// importBlock is how many elements are in the host's memory at a time while weights are read. VGG's largest tensor alone has a hundred times as many.
const importBlock = 1 << 20

// exportTensors describes parameters as checkpoint tensors under prefix; the values are fetched while the file is written. A value that is not
// finite gives an error that wraps ErrDiverged: an update can spoil the weights after a step whose loss was still good, and such weights must
// not replace sound ones.
func exportTensors(prefix string, params []*graph.Param, read getter) []checkpoint.Tensor {
	get := func(p *graph.Param, dst []float32) error {
		if err := read(p, dst); err != nil {
			return err
		}
		if i := slices.IndexFunc(dst, func(v float32) bool { return !finite(v) }); i >= 0 {
			return fmt.Errorf("%w: element %d of %s is %v; try a lower --lr, --clip-grad 1, or a warm-up", ErrDiverged, i, p.Name, dst[i])
		}
		return nil
	}
	tensors := make([]checkpoint.Tensor, 0, len(params))
	var buf []float32
	for _, p := range params {
		fill := func(dst []float32) error { return get(p, dst) }
		if p.Perm != nil {
			fill = func(dst []float32) error {
				buf = slices.Grow(buf[:0], len(dst))[:len(dst)]
				if err := get(p, buf); err != nil {
					return err
				}
				return checkpoint.Permute(dst, buf, p.Dims, p.Perm)
			}
		}
		tensors = append(tensors, checkpoint.Tensor{Name: prefix + p.Name, Shape: p.Export, Fill: fill})
	}
	return tensors
}

// importTensors reads parameters that exportTensors wrote. Before anything is set, every name and shape is checked.
func importTensors(f *checkpoint.File, prefix string, params []*graph.Param, set setter) error {
	if err := checkTensors(f, prefix, params); err != nil {
		return err
	}
	return copyTensors(f, prefix, params, set)
}

// copyTensors reads parameters whose tensors were checked.
func copyTensors(f *checkpoint.File, prefix string, params []*graph.Param, set setter) error {
	var mem []float32
	for _, p := range params {
		shape := permuted(p.Dims, p.Perm)
		block := importBlock
		if p.Perm != nil {
			// Rows of the first axis can be permuted on their own if it stays the first.
			rows := shape[0]
			if row := p.Len() / rows; p.Perm[0] == 0 {
				rows = min(rows, max(1, importBlock/row))
			}
			block = p.Len() / shape[0] * rows
		}
		err := f.Float32Blocks(prefix+p.Name, block, func(first int, part []float32) error {
			if p.Perm != nil {
				mem = slices.Grow(mem[:0], len(part))[:len(part)]
				dims := append([]int{len(part) / (p.Len() / shape[0])}, shape[1:]...)
				if err := checkpoint.Permute(mem, part, dims, inverse(p.Perm)); err != nil {
					return err
				}
				part = mem
			}
			return set(p, first, part)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkTensors reports all that is missing, unexpected or of another shape.
func checkTensors(f *checkpoint.File, prefix string, params []*graph.Param) error {
	if err := f.Match(prefix, wants(params)); err != nil {
		return fmt.Errorf("%w: %w", ErrWeights, err)
	}
	return nil
}

// permuted returns the extents after a permutation of axes, inverse the permutation that undoes it.
func permuted(dims, perm []int) []int {
	if perm == nil {
		return dims
	}
	out := make([]int, len(perm))
	for i, a := range perm {
		out[i] = dims[a]
	}
	return out
}

func inverse(perm []int) []int {
	out := make([]int, len(perm))
	for i, a := range perm {
		out[a] = i
	}
	return out
}
