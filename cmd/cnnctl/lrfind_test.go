package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestLRFind(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // for the features
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
	// Fine-tuning: rates for the new head, and the pretrained weights stay as they are.
	weights := filepath.Join(dir, "runs", "train", "lenet5_relu", "weights", "best.safetensors")
	cnnctl(t, dir, "train", "lenet5_relu", "--data", data, "--epochs", "1", "-b", "16", "--quiet").want(t, exitDone)
	before := read(t, weights)
	for _, strategy := range []string{"head", "gradual", "features"} {
		cnnctl(t, dir, "lr-find", "--weights", weights, "--strategy", strategy, "--head-init", "model", "--data", data, "-b", "16", "--name", strategy).want(t, exitDone, "runs/lr-find/"+strategy)
	}
	if !bytes.Equal(before, read(t, weights)) {
		t.Error("the pretrained weights were changed")
	}
	cnnctl(t, dir, "lr-find", "--strategy", "head", "lenet5", "--data", data).want(t, exitUsage, "pretrained weights")
	cnnctl(t, dir, "lr-find").want(t, exitUsage, "no model")
	cnnctl(t, dir, "lr-find", "lenet5", "--data", data, "--steps", "5").want(t, exitUsage, "5 steps", "at least 20")
	cnnctl(t, dir, "lr-find", "lenet5", "--data", data, "--start-lr", "1", "--end-lr", "0.1").want(t, exitUsage, "0 < start < end")
	cnnctl(t, dir, "lr-find", "lenet6").want(t, exitUsage, "lenet6")
}
