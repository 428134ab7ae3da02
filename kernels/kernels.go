// Package kernels holds the CUDA kernels: their sources and what nvcc made of them.
//
// A family is one source file, such as elementwise.cu, and becomes one fat binary: machine code for each architecture of the
// Makefile, and PTX that the driver compiles for newer GPUs. The same sources are the emulated driver of the folder emu.
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
