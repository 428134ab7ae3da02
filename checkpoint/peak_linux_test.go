package checkpoint

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	peakRows = 16 << 10 // of each of two tensors
	peakCols = 1 << 10
)

// In a process of its own, so that nothing else counts: opening a file and reading every tensor to where it is used takes less than a fifth more
// memory than these tensors, for every container and layout.
func TestPeakMemoryOfReading(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and depends on nothing that varies between builds")
	}
	const size = 4 * peakRows * peakCols
	if path := os.Getenv("CNNCTL_TEST_PEAK"); path != "" {
		fmt.Println(readPeak(t, path))
		return
	}
	storage := bytes.Repeat(le.AppendUint32(nil, 0x3f800000), size/4)
	pickle := func(legacy bool) string {
		p := new(pickler).op(opEmptyDict)
		p.text("plain").tensor("0", size/4, 0, []int64{peakRows, peakCols}, []int64{peakCols, 1}, legacy).op(opSetItem)
		p.text("transposed").tensor("0", size/4, 0, []int64{peakCols, peakRows}, []int64{1, peakCols}, legacy).op(opSetItem)
		return p.String() + "."
	}
	dir := t.TempDir()
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("zip.pth", torchArchive(t, pickle(false), string(storage)))
	write("legacy.pth", slicesOf(torchStream(pickle(true), "]X\x01\x00\x00\x000a.", ""), le.AppendUint64(nil, size/4), storage))
	var tensors []Tensor
	for _, name := range []string{"plain", "transposed"} {
		open := func() (io.Reader, error) { return bytes.NewReader(storage), nil }
		tensors = append(tensors, Tensor{Name: name, DType: F32, Shape: []int{peakRows, peakCols}, Open: open})
	}
	if err := Write(filepath.Join(dir, "st.safetensors"), tensors, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"zip.pth", "legacy.pth", "st.safetensors"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPeakMemoryOfReading$")
		cmd.Env = append(os.Environ(), "CNNCTL_TEST_PEAK="+filepath.Join(dir, name))
		out, err := cmd.CombinedOutput()
		var used int64
		if _, scanErr := fmt.Sscan(string(out), &used); err != nil || scanErr != nil {
			t.Fatalf("%s: %v, %v: %s", name, err, scanErr, out)
		}
		t.Logf("%s: %.3f times the tensors", name, float64(used)/(2*size))
		if float64(used) > 1.2*2*size {
			t.Errorf("%s: reading %d bytes took %d more of memory at the peak, want at most a fifth more", name, 2*size, used)
		}
	}
}

func slicesOf(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// readPeak returns by how many bytes the peak of the process has grown.
func readPeak(t *testing.T, path string) int64 {
	before := peakBytes(t)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	slab := make([]float32, 2*peakRows*peakCols)
	for i, info := range f.Tensors() {
		if err := f.Float32s(info.Name, slab[i*peakRows*peakCols:][:info.Elems()]); err != nil {
			t.Fatal(err)
		}
	}
	for i, v := range slab {
		if v != 1 {
			t.Fatalf("element %d is %g", i, v)
		}
	}
	return peakBytes(t) - before
}

// peakBytes returns the largest size that this process has had in memory.
func peakBytes(t *testing.T) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(status), "VmHWM:")
	var kib int64
	if _, err := fmt.Sscan(rest, &kib); !ok || err != nil { // some sandboxes leave it out
		t.Skip("the system does not report the peak of memory")
	}
	return kib << 10
}
