package graph

import (
	"fmt"
)

// Never is the stage of a parameter that no stage of a training trains.
const Never = -1

// Freeze sets for every parameter whether training leaves it alone. A batch norm whose scale and shift are both
// frozen also keeps its running statistics and normalises by them.
func (g *Graph) Freeze(frozen func(*Param) bool) {
	g.Thaw(func(p *Param) int {
		if frozen(p) {
			return Never
		}
		return 0
	})
}

// Thaw describes a training in stages: from says for every parameter in which stage it begins to be trained, counted from 0, or Never. Every
// stage trains what the one before it does, and more. The graph is in stage 0 afterwards.
func (g *Graph) Thaw(from func(*Param) int) {
	for _, p := range g.params {
		p.thaw = max(from(p), Never)
	}
	g.Enter(0)
}

// Stages returns the number of stages, at least 1.
func (g *Graph) Stages() int {
	last := 0
	for _, p := range g.params {
		if !p.Stat {
			last = max(last, p.thaw)
		}
	}
	return last + 1
}

// Stage returns the stage that the graph is in.
func (g *Graph) Stage() int { return g.stage }

// Enter sets which parameters are frozen in a stage. Weights serve all stages; programs belong to the one that they were compiled in.
func (g *Graph) Enter(stage int) {
	g.stage = stage
	for _, p := range g.params {
		p.Frozen = p.thaw == Never || p.thaw > stage
	}
}

// CompileStages binds a program for each stage of the training that Thaw has described, in their order. The programs share the memory of
// gradients, optimiser state, moving average and activations, which is that of the largest, so that changing from one to the next takes
// nothing but Begin. With an EMA the average starts as a copy of w, so fill the weights first.
func CompileStages(g *Graph, w *Weights, c TrainConfig) ([]*Training, error) {
	return compileStages(g, w, c, 0, g.Stages())
}

// compileStages is CompileStages for the stages lo to hi-1.
func compileStages(g *Graph, w *Weights, c TrainConfig, lo, hi int) ([]*Training, error) {
	if lo < 0 || hi > g.Stages() {
		return nil, fmt.Errorf("graph: stage %d of a training that has %d", hi-1, g.Stages())
	}
	defer g.Enter(g.stage)
	emissions, plans := make([]*Emit, hi-lo), make([]*Plan, hi-lo)
	bytes := int64(0)
	for i := range plans {
		g.Enter(lo + i)
		var err error
		if emissions[i], plans[i], err = rehearse(g, w, c.config()); err != nil {
			return nil, err
		}
		bytes = max(bytes, plans[i].Arena)
	}
	mem, err := newTraining(g, w, c)
	if err != nil {
		return nil, err
	}
	arena, err := newArena(w.dev, bytes, c.Batch)
	if err != nil {
		return nil, err
	}
	trs := make([]*Training, hi-lo)
	for i := range trs {
		g.Enter(lo + i)
		trs[i] = &Training{training: *mem, trained: w.upTo[lo+i], opt: c.Optimizer}
		if trs[i].program, err = bind(emissions[i], plans[i], w, mem, arena); err != nil {
			return nil, err
		}
	}
	return trs, nil
}

// Begin makes tr the program in use after a number of updates by others: the optimiser starts afresh, as in fastai's fit (one optimiser for each
// stage of gradual unfreezing; Howard and Ruder, arXiv:1801.06146, section 3.3). What has just thawed has no moments yet, and AdamW's
// correction for that must count from here.
func (tr *Training) Begin(updates int) error {
	tr.began = updates
	zeros := make([]byte, min(4*tr.trained, 1<<20))
	for _, state := range tr.state {
		for off := 0; off < 4*tr.trained; off += len(zeros) {
			part := zeros[:min(len(zeros), 4*tr.trained-off)]
			if err := tr.dev.Upload(state.Slice(int64(off), int64(len(part))), part); err != nil {
				return err
			}
		}
	}
	return nil
}

// Resume makes tr the program in use, with optimiser state that SetState restores and that has begun after `began` updates.
func (tr *Training) Resume(began int) { tr.began = began }
