package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// A run whose second epoch diverges ends there, says where, and leaves the first epoch's weights alone.
func TestDivergedRunKeepsBest(t *testing.T) {
	t.Parallel()
	work, data := t.TempDir(), writeIDX(t, 64, 16, 16)
	args := func(name string, more ...string) []string {
		return append([]string{"train", "lenet5_relu", "--data", data, "-b", "8", "--lr", "0.01", "--warmup-epochs", "0", "--sched", "step", "--decay-epochs", "1",
			"--decay-rate", "1e35", "--project", "p", "--name", name}, more...)
	}
	cnnctl(t, work, args("one", "--epochs", "1")...).want(t, exitDone)
	cnnctl(t, work, args("three", "--epochs", "3", "--save-every", "1")...).want(t, exitDiverged, "training diverged in epoch 2, step ", "layer ", "train-images-idx3-ubyte[",
		"the weights up to epoch 1 are kept in p/three/weights", "try a lower --lr")
	for _, name := range []string{"best.safetensors", "last.safetensors"} {
		if !bytes.Equal(read(t, filepath.Join(work, "p", "one", "weights", name)), read(t, filepath.Join(work, "p", "three", "weights", name))) {
			t.Errorf("%s is not the first epoch's", name)
		}
	}
	for _, file := range stateFiles(t, filepath.Join(work, "p", "three")) {
		openState(t, file)
	}
	cnnctl(t, work, "train", "--resume", "p/three").want(t, exitDiverged, "epoch 2") // it is the settings' doing
}

// Where the last update of an epoch spoils the weights, no step is left to notice: the validation does, before anything is saved.
func TestDivergedAtTheLastStep(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	for _, rate := range []string{"1e38", "1e300"} { // weights whose products overflow; weights that do themselves
		cnnctl(t, work, "train", "lenet5_relu", "--data", writeIDX(t, 64, 16, 16), "-b", "64", "--epochs", "2", "--warmup-epochs", "0", "--sched", "constant", "--lr", rate, "--name", "x"+rate).
			want(t, exitDiverged, "diverged", "validation", "t10k-images-idx3-ubyte[", "layer", "nothing was saved yet")
		if left, _ := os.ReadDir(filepath.Join(work, "runs", "train", "x"+rate, "weights")); len(left) > 0 {
			t.Errorf("--lr %s: %v was saved", rate, left)
		}
	}
}

// Weights that are not finite are not written into a state file either.
func TestDivergedWeightsAreNotSaved(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	cnnctl(t, work, "train", "lenet5", "--data", writeIDX(t, 64, 16, 16), "-b", "16", "--epochs", "2", "--warmup-epochs", "0", "--sched", "constant", "--lr", "1e300", "--save-every", "1").
		want(t, exitDiverged, "element 0 of conv1.bias is ")
	if files := stateFiles(t, filepath.Join(work, "runs", "train", "lenet5")); len(files) > 0 {
		t.Errorf("saved: %v", files)
	}
}
