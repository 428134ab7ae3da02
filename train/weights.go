package train

import (
	"fmt"
	"slices"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/graph"
)

// This file is the boundary between the engine's layout (KRSC filters, features in the order H, W, C) and that of checkpoints (PyTorch's).

// getter and setter read and write one parameter, or the optimiser's state of one, in the order of graph.Param.Dims.
type (
	getter func(p *graph.Param, dst []float32) error
	setter func(p *graph.Param, src []float32) error
)

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
	var file, mem []float32
	for _, p := range params {
		n := p.Len()
		file = slices.Grow(file[:0], n)[:n]
		if err := f.Float32s(prefix+p.Name, file); err != nil {
			return err
		}
		if p.Perm == nil {
			if err := set(p, file); err != nil {
				return err
			}
			continue
		}
		mem = slices.Grow(mem[:0], n)[:n]
		if err := checkpoint.Permute(mem, file, permuted(p.Dims, p.Perm), inverse(p.Perm)); err != nil {
			return err
		}
		if err := set(p, mem); err != nil {
			return err
		}
	}
	return nil
}

// checkTensors reports all that is missing, unexpected or of another shape.
func checkTensors(f *checkpoint.File, prefix string, params []*graph.Param) error {
	wanted := make([]checkpoint.Want, len(params))
	for i, p := range params {
		wanted[i] = checkpoint.Want{Name: p.Name, Shape: p.Export}
	}
	if err := f.Match(prefix, wanted); err != nil {
		return fmt.Errorf("%w: %w", ErrWeights, err)
	}
	return nil
}

// permuted returns the extents after a permutation of axes, inverse the permutation that undoes it.
func permuted(dims, perm []int) []int {
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
