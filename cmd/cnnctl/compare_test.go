package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/cnnctl/cnnctl/checkpoint"
)

// sameRun checks that two runs ended with the same bits: weights, the state from which both would go on, and results but for the time.
func sameRun(t *testing.T, got, want string) {
	t.Helper()
	for _, name := range []string{"best.safetensors", "last.safetensors"} {
		if !bytes.Equal(read(t, filepath.Join(got, "weights", name)), read(t, filepath.Join(want, "weights", name))) {
			t.Errorf("%s differs", name)
		}
	}
	gotRows, wantRows := results(t, got), results(t, want)
	if len(gotRows) != len(wantRows) {
		t.Fatalf("%d rows in results.csv, want %d", len(gotRows), len(wantRows))
	}
	for i := range wantRows {
		gotRows[i][1], wantRows[i][1] = "", ""
		if !slices.Equal(gotRows[i], wantRows[i]) {
			t.Errorf("results.csv: got %v, want %v", gotRows[i], wantRows[i])
		}
	}
	sameState(t, newestState(t, got), newestState(t, want))
}

// results reads results.csv, its headings included.
func results(t *testing.T, run string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(read(t, filepath.Join(run, "results.csv")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// stateFiles lists a run's state files, the newest last.
func stateFiles(t *testing.T, run string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(run, "state", "step-*.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

func newestState(t *testing.T, run string) string {
	t.Helper()
	files := stateFiles(t, run)
	if len(files) == 0 {
		t.Fatalf("%s has no state", run)
	}
	return files[len(files)-1]
}

// sameState compares two state files tensor by tensor and counter by counter.
func sameState(t *testing.T, got, want string) {
	t.Helper()
	if filepath.Base(got) != filepath.Base(want) {
		t.Errorf("the newest state is %s, want %s", filepath.Base(got), filepath.Base(want))
	}
	a, b := openState(t, got), openState(t, want)
	if len(a.Tensors()) != len(b.Tensors()) {
		t.Fatalf("%d tensors in the state, want %d", len(a.Tensors()), len(b.Tensors()))
	}
	for i, info := range b.Tensors() {
		if a.Tensors()[i].Name != info.Name {
			t.Fatalf("tensor %d is %s, want %s", i, a.Tensors()[i].Name, info.Name)
		}
		x, y := make([]float32, info.Elems()), make([]float32, info.Elems())
		if err := a.Float32s(info.Name, x); err != nil {
			t.Fatal(err)
		}
		if err := b.Float32s(info.Name, y); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(x, y) { // there is no NaN in a state
			t.Errorf("%s differs", info.Name)
		}
	}
	if x, y := counters(t, a), counters(t, b); x != y {
		t.Errorf("counters %s\nwant %s", x, y)
	}
}

func openState(t *testing.T, path string) *checkpoint.File {
	t.Helper()
	f, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Verify(); err != nil {
		t.Fatal(err)
	}
	return f
}

// counters returns what a state holds beside tensors, without times.
func counters(t *testing.T, f *checkpoint.File) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(f.Metadata()["cnnctl.progress"]), &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "seconds")
	for _, row := range m["rows"].([]any) {
		delete(row.(map[string]any), "time")
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
