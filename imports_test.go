// Package cnnctl holds nothing but the test that keeps the imports of the project pointing one way.
package cnnctl

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/cnnctl/cnnctl"

// A layer is a package, or a folder of packages, with what its sources may import of the project.
type layer struct {
	place string
	may   []string // places; a folder stands for the packages below it too, if these have no layer of their own
	why   string
}

// layers lists the lowest first, and a layer may import only what stands above it in this list: so no arrow can point back, whatever is
// added. It is the table of docs/architecture.md.
var layers = []layer{
	{"philox", nil, "philox is a leaf: the same random bits for everyone"},
	{"checkpoint", nil, "checkpoint knows names and numbers, not models"},
	{"data/turbojpeg", nil, "turbojpeg knows one library and no data sets"},
	{"data", []string{"philox", "data/turbojpeg"}, "data reads and knows nothing of networks"},
	{"data/augment", []string{"data", "philox"}, "data reads and knows nothing of networks"},
	{"data/synth", []string{"data", "philox"}, "data reads and knows nothing of networks"},
	{"data/loader", []string{"data", "data/augment", "data/synth", "philox"}, "data reads and knows nothing of networks"},
	{"pretrained", []string{"checkpoint", "data/augment"}, "pretrained finds files and says what their images look like, and builds no network"},
	{"device", []string{"philox"}, "device is the waist: it may know neither who emits calls nor who executes them"},
	{"kernels", nil, "kernels are sources and their compiled form, without Go code that uses them"},
	{"cpu/ref", []string{"device", "philox"}, "the oracle must not share code with what it judges"},
	{"cpu", []string{"device", "philox"}, "a device does arithmetic and keeps no books"},
	{"gpu", []string{"device", "kernels", "philox"}, "a device does arithmetic and keeps no books"},
	{"device/devicetest", []string{"device", "cpu/ref", "philox"}, "the conformance suite compares any device with the oracle and knows no other"},
	{"graph", []string{"device", "philox"}, "a graph is compiled for any device: only cmd/cnnctl names a concrete one"},
	{"zoo", []string{"graph"}, "a model is a table of layers"},
	{"onnx", []string{"device", "graph"}, "onnx writes what a graph says, with tensors from whoever has them"},
	{"train/transfer", []string{"philox", "checkpoint", "data", "data/augment", "data/loader", "device", "graph"}, "transfer says what is trained and keeps features; the loop is train's"},
	{"train", []string{"philox", "checkpoint", "data", "data/augment", "data/synth", "data/loader", "pretrained", "device", "graph", "onnx", "zoo", "train/transfer"}, "train runs on the device that it is given and reports through events: it neither draws nor prints"},
	{"train/diagnose", []string{"philox", "checkpoint", "data", "data/augment", "data/synth", "data/loader", "device", "graph", "zoo", "train/transfer", "train"}, "diagnose trains through train, measures and judges"},
	{"bench", []string{"philox", "data/augment", "data/loader", "data/synth", "device", "graph", "zoo", "train"}, "bench measures what others have built"},
	{"report/tensorboard", nil, "the event format stands alone"},
	{"report/terminal", []string{"train"}, "the terminal shows events"},
	{"report", []string{"checkpoint", "data", "data/augment", "data/loader", "report/tensorboard", "train"}, "report draws what a run has left"},
	{"cmd/cnnctl", []string{"philox", "checkpoint", "data", "data/augment", "data/synth", "data/loader", "data/turbojpeg", "pretrained", "device", "cpu", "gpu", "graph", "onnx", "zoo", "train/transfer", "train", "train/diagnose", "bench", "report/tensorboard", "report/terminal", "report"},
		"cmd uses what the library offers, and leaves the oracle and the conformance suite to tests"},
}

// testOnly is what tests of every layer may import beside the layer's own list. (A layer below these could not: Go forbids cycles.)
var testOnly = []string{"philox", "device", "cpu", "cpu/ref", "gpu", "device/devicetest"}

// layerOf returns the layer that a package, given relative to the module, belongs to: that of the longest place above it.
func layerOf(pkg string) *layer {
	for p := pkg; p != "."; p = path.Dir(p) {
		if i := slices.IndexFunc(layers, func(l layer) bool { return l.place == p }); i >= 0 {
			return &layers[i]
		}
	}
	return nil
}

// checkImport says what is wrong with a package's import of another; both are relative to the module.
func checkImport(from, to string, inTest bool) error {
	f, t := layerOf(from), layerOf(to)
	switch {
	case f == nil:
		return fmt.Errorf("package %s has no layer; add it to the table of imports_test.go and of docs/architecture.md", from)
	case t == nil:
		return fmt.Errorf("%s imports %s, which has no layer; add it to the table of imports_test.go and of docs/architecture.md", from, to)
	case f == t, slices.Contains(f.may, t.place), inTest && slices.Contains(testOnly, t.place):
		return nil
	}
	may := "nothing of the project"
	if len(f.may) > 0 {
		may = strings.Join(f.may, ", ")
	}
	return fmt.Errorf("%s imports %s; it may import %s: %s", from, to, may, f.why)
}

// TestImports reads the import lines of every Go file. It does not ask go list, which sees only the files of one platform and one set
// of build tags: a wrong import must not hide in a file for another.
func TestImports(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") || d.Name() == "testdata") {
			return filepath.SkipDir // as the go command does
		}
		if d.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		src, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files++
		from := filepath.ToSlash(filepath.Dir(name))
		for _, spec := range src.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			to, ours := strings.CutPrefix(imported, module+"/")
			if !ours {
				continue
			}
			if err := checkImport(from, to, strings.HasSuffix(name, "_test.go")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 2 {
		t.Fatalf("read %d Go files, wanted those of the whole project", files)
	}
}

// TestLayersPointOneWay keeps the table itself honest.
func TestLayersPointOneWay(t *testing.T) {
	for i, l := range layers {
		for _, m := range l.may {
			if !slices.ContainsFunc(layers[:i], func(below layer) bool { return below.place == m }) {
				t.Errorf("%s may import %s, which is not listed before it: the arrow points back", l.place, m)
			}
		}
	}
}

func TestCheckImport(t *testing.T) {
	for _, c := range []struct {
		from, to string
		inTest   bool
		want     string // part of the error; empty: allowed
	}{
		{from: "graph", to: "device"},
		{from: "graph", to: "cpu/ref", inTest: true},
		{from: "cmd/cnnctl", to: "cpu"},
		{from: "kernels/emu", to: "kernels"},
		{from: "report", to: "train"},
		{from: "graph", to: "cpu", want: "only cmd/cnnctl names a concrete one"},
		{from: "graph", to: "cpu/ref", want: "graph imports cpu/ref; it may import device, philox"},
		{from: "train", to: "cpu", want: "on the device that it is given"},
		{from: "train", to: "report", want: "neither draws nor prints"},
		{from: "graph", to: "zoo", inTest: true, want: "graph imports zoo"},
		{from: "data/loader", to: "graph", want: "knows nothing of networks"},
		{from: "philox", to: "device", want: "nothing of the project"},
		{from: "cmd/cnnctl", to: "cpu/ref", want: "leaves the oracle"},
		{from: "utils", to: "device", want: "utils has no layer"},
		{from: "graph", to: "utils", want: "imports utils, which has no layer"},
	} {
		err := checkImport(c.from, c.to, c.inTest)
		if c.want == "" && err != nil {
			t.Errorf("%s -> %s: %v, want it allowed", c.from, c.to, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s -> %s: error %v, want one that contains %q", c.from, c.to, err, c.want)
		}
	}
}
