// Package turbojpeg decodes JPEG files with libjpeg-turbo, where that is installed.
//
// The library is looked for when it is first needed, with dlopen, through the TurboJPEG API of version 2.0: its functions are declared here, so that
// neither headers nor the library are needed to build, and a program starts without them. Debian and Ubuntu have it as libturbojpeg0.
// Outside of Linux, and without cgo, there is none.
package turbojpeg

// Variable is the environment variable that names a library to use in place of libturbojpeg.so.0.
const Variable = "CNNCTL_TURBOJPEG"

// Reduced returns what becomes of a width or height at 1/reduction of the size.
func Reduced(n, reduction int) int { return (n + reduction - 1) / reduction }
