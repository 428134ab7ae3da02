// Package driver stands between gorgonia.org/cu and NVIDIA's driver library, and adds the few driver functions that cu lacks.
//
// Package cu calls cuInit when the program starts, ends the process if that fails, and makes the linker record libcuda.so.1 as
// a dependency: a program that imports it starts on machines with an NVIDIA driver only. This package therefore defines the driver's
// functions itself, as trampolines through a table (table.c). Until Load is called the table answers success to cuInit and an error to
// everything else; Load opens the library and fills the table. The linker then finds nothing that it would need
// libcuda for, and -Wl,--as-needed drops it. A program that never uses the GPU never loads the driver either, which
// saves the tenths of a second that cuInit takes.
//
// The library is libcuda.so.1, or the one that the environment variable CNNCTL_CUDA_DRIVER names: the emulated driver of
// kernels/emu.
//
// The package is empty without the build tag cuda.
package driver
