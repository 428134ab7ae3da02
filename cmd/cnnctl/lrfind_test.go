package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestLRFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := writeIDX(t, 320, 16, 16)
	cnnctl(t, dir, "lr-find", "lenet5_relu", "--data", data, "-b", "16").want(t, exitDone, "valley", "steepest", "runs/lr-find/lenet5_relu")
	out := filepath.Join(dir, "runs", "lr-find", "lenet5_relu")
	if b := decodePicture(t, filepath.Join(out, "lr_find.png")).Bounds(); b.Dx() != 800 || b.Dy() != 500 {
		t.Errorf("a picture of %v", b)
	}
	f, err := os.Open(filepath.Join(out, "lr_find.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 50 || rows[0][1] != "lr" || number(t, rows[1][1]) != 1e-7 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	r := cnnctl(t, dir, "lr-find", "lenet5_relu", "--data", data, "-b", "16", "--start-lr", "1e-9", "--end-lr", "1e-8", "--steps", "40", "--json", "--name", "low", "--project", "x").want(t, exitDone)
	var got struct {
		Points   []struct{ LR, Loss float64 }
		Valley   float64
		Diverged bool
		Dir      string
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Points) != 40 || got.Valley != 0 || got.Diverged || got.Dir != "x/low" {
		t.Errorf("%d points, valley %g, diverged %v, in %s; want 40 without a suggestion", len(got.Points), got.Valley, got.Diverged, got.Dir)
	}
	cnnctl(t, dir, "lr-find", "lenet5", "--data", data, "--steps", "5").want(t, exitUsage, "5 steps", "at least 20")
	cnnctl(t, dir, "lr-find", "lenet5", "--data", data, "--start-lr", "1", "--end-lr", "0.1").want(t, exitUsage, "0 < start < end")
	cnnctl(t, dir, "lr-find", "lenet6").want(t, exitUsage, "lenet6")
}
