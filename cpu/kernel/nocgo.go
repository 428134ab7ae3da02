//go:build !cgo

package kernel

// Available reports whether there are kernels at all.
const Available = false

const missing = "kernel: built without cgo"

// The functions of cgo.go. The CPU device asks Available first.

func Use(string) bool                                     { return false }
func Name() string                                        { return "" }
func Tile() (rows, cols int)                              { panic(missing) }
func Alloc(int) []float32                                 { panic(missing) }
func Free([]float32)                                      { panic(missing) }
func Pack(*Factor, int, int, []float32)                   { panic(missing) }
func (*Gather) Scratch(int) int                           { panic(missing) }
func (*Gather) Run(i0, i1, j0, j1 int, _ []float32)       { panic(missing) }
func (*Outer) Scratch(int) int                            { panic(missing) }
func (*Outer) Run(Block, []float32, int, bool, []float32) { panic(missing) }
