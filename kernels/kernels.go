// Package kernels holds the CUDA kernels: their sources and what nvcc made of them.
//
// A family is one source file, such as elementwise.cu, and becomes one fat binary: machine code for each architecture of the
// Makefile, and PTX that the driver compiles for newer GPUs. The same sources are the emulated driver of the folder emu.
//
// # Adding a kernel
//
//  1. Write it in the .cu file of its family, with EXPORT_KERNEL, SHARED and the functions of cuda.cuh and tensor.cuh. A new file is a new
//     family; the Makefile finds it.
//  2. In package gpu, write bindX for its call in the Go file of the family: operands from binder.mem, scratch from
//     binder.workspace and binder.scratch, then binder.launch with the family, the kernel's name, the grid and the arguments, whose types are
//     those of the kernel's parameters. The block has as many threads as the kernel was declared with.
//  3. Name bindX in the table of gpu/bind.go. The conformance suite runs the cases of every call in that table.
//  4. Add mistakes that a test must notice to gpu/mutation_test.go.
//
// make -C kernels resources tells registers and shared memory; spills and warnings fail the build.
package kernels

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

//go:embed all:bin
var binaries embed.FS

// Sources are the kernels' sources. They are embedded so that Go's build cache notices a change, and for diagnosis.
//
//go:embed *.cu *.cuh
var Sources embed.FS

// ErrNotBuilt says that the program was linked without compiled kernels.
var ErrNotBuilt = errors.New("this program was built without compiled kernels; run make where nvcc is installed")

// FatBinary returns the compiled form of a family. The error wraps ErrNotBuilt if there is none.
func FatBinary(family string) ([]byte, error) {
	b, err := binaries.ReadFile("bin/" + family + ".fatbin")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("kernels %s: %w", family, ErrNotBuilt)
	}
	return b, err
}
