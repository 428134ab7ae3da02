package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every optimiser and schedule lowers the loss of a small run.
func TestOptimizersAndSchedules(t *testing.T) {
	t.Parallel()
	data, dir := writeIDX(t, 320, 80, 16), t.TempDir()
	for _, c := range []string{
		"--opt sgd --lr 0.1 --sched constant --no-bias-norm-decay",
		"--opt nesterov --lr 0.05 --sched cosine --min-lr 0.001",
		"--opt adamw --lr 0.002 --sched onecycle",
		"--opt rmsprop --momentum 0 --lr 0.001 --sched step --decay-epochs 1 --decay-rate 0.5",
		"--clip-grad 0.5 --label-smoothing 0.1",
		"--model-ema --model-ema-decay 0.9",
		"--mixup 0.2 --cutmix 0.5 --mixup-switch-prob 0.3",
		"--workers 0",
		"--rotation 10 --vflip 0.1 --reprob 0.2 --scale 0.8,1 --ratio 0.9,1.1",
	} {
		name := strings.ReplaceAll(strings.Trim(c, "-"), " ", "_")
		cnnctl(t, dir, append([]string{"train", "lenet5", "--data", data, "-b", "8", "--epochs", "3", "--name", name}, strings.Fields(c)...)...).want(t, exitDone)
		rows := results(t, filepath.Join(dir, "runs", "train", name))
		if first, last := number(t, rows[1][2]), number(t, rows[3][2]); !(last < first) {
			t.Errorf("%s: the training loss goes from %g to %g", c, first, last)
		}
	}
}

// The moving average is what is evaluated and kept: after the same steps its accuracy and its weights are others.
func TestEMAIsEvaluated(t *testing.T) {
	t.Parallel()
	data, dir := writeIDX(t, 160, 80, 16), t.TempDir()
	args := []string{"train", "lenet5", "--data", data, "-b", "8", "--epochs", "1", "--lr", "0.02"}
	cnnctl(t, dir, append(args, "--name", "plain")...).want(t, exitDone)
	cnnctl(t, dir, append(args, "--name", "ema", "--model-ema", "--model-ema-decay", "0.999")...).want(t, exitDone)
	plain, ema := filepath.Join(dir, "runs", "train", "plain"), filepath.Join(dir, "runs", "train", "ema")
	a, b := results(t, plain)[1], results(t, ema)[1]
	if a[2] != b[2] {
		t.Errorf("the average changes training: loss %s and %s", a[2], b[2])
	}
	if a[5] == b[5] {
		t.Errorf("the validation loss is %s with and without the average", a[5])
	}
	state, best := openState(t, newestState(t, ema)), openState(t, filepath.Join(ema, "weights", "best.safetensors"))
	same := func(name string) bool {
		var x, y [6]float32
		if err := state.Float32s(name, x[:]); err != nil {
			t.Fatal(err)
		}
		if err := best.Float32s("conv1.bias", y[:]); err != nil {
			t.Fatal(err)
		}
		return x == y
	}
	if !same("ema.conv1.bias") || same("model.conv1.bias") {
		t.Error("best.safetensors does not hold the average")
	}
}

// The same seed gives the same bits, with any number of workers; another seed gives others.
func TestReproducible(t *testing.T) {
	t.Parallel()
	data, dir := writeFolder(t, 20, 16), t.TempDir()
	args := []string{"train", "lenet5_relu", "--data", data, "-b", "4", "--epochs", "2", "--image-size", "16", "--cutmix", "1", "--project", "p"}
	cnnctl(t, dir, append(args, "--name", "a", "-j", "0")...).want(t, exitDone)
	cnnctl(t, dir, append(args, "--name", "b", "-j", "3")...).want(t, exitDone)
	cnnctl(t, dir, append(args, "--name", "c", "--seed", "1")...).want(t, exitDone)
	best := func(name string) string {
		return string(read(t, filepath.Join(dir, "p", name, "weights", "last.safetensors")))
	}
	if best("a") != best("b") {
		t.Error("the number of workers changes the weights")
	}
	if best("a") == best("c") {
		t.Error("the seed does not change the weights")
	}
}

// No epoch: the initial weights are written, and the run can be extended.
func TestNoEpochs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cnnctl(t, dir, "train", "lenet5", "--data", writeIDX(t, 64, 16, 12), "-b", "16", "--epochs", "0").want(t, exitDone, "No epoch was asked for")
	run := filepath.Join(dir, "runs", "train", "lenet5")
	openState(t, filepath.Join(run, "weights", "best.safetensors"))
	if rows := results(t, run); len(rows) != 1 {
		t.Errorf("results.csv: %v", rows)
	}
	cnnctl(t, dir, "train", "--resume", run).want(t, exitDone, "No epoch was asked for")
	cnnctl(t, dir, "train", "--resume", run, "--epochs", "1").want(t, exitDone, "epoch 1/1")
}

// A batch that is larger than the data set becomes the data set.
func TestBatchLargerThanData(t *testing.T) {
	t.Parallel()
	cnnctl(t, t.TempDir(), "train", "lenet5", "--data", writeIDX(t, 24, 8, 12), "-b", "1000", "--epochs", "2").want(t, exitDone, "2 epochs of 1 steps, batch size 24")
}

// The embedded sets, grey and colour, need no file; a colour set in a grey network's place is taken as it is.
func TestEmbeddedData(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("draws 40,000 pictures")
	}
	dir := t.TempDir()
	cnnctl(t, dir, "train", "lenet5", "--epochs", "0").want(t, exitDone, "input 28x28x1, 10 classes", "16000 training", "digits: drawn from seed 0")
	cnnctl(t, dir, "train", "lenet5", "--epochs", "0", "--data", "shapes").want(t, exitDone, "input 32x32x3, 10 classes")
}

// A data set may stay in its archive.
func TestArchives(t *testing.T) {
	t.Parallel()
	folder, idx, dir := writeFolder(t, 12, 16), writeIDX(t, 64, 16, 16), t.TempDir()
	tarball(t, filepath.Join(dir, "photos.tar.gz"), folder)
	zipped(t, filepath.Join(dir, "photos.zip"), folder)
	tarball(t, filepath.Join(dir, "digits.tgz"), idx)
	args := []string{"train", "lenet5", "--epochs", "1", "-b", "8", "--image-size", "16", "--data"}
	cnnctl(t, dir, append(args, folder, "--name", "folder")...).want(t, exitDone, "(folder)")
	cnnctl(t, dir, append(args, "photos.tar.gz", "--name", "tar")...).want(t, exitDone, "(folder.tar.gz)")
	cnnctl(t, dir, append(args, "photos.zip", "--name", "zip")...).want(t, exitDone, "(folder.zip)")
	cnnctl(t, dir, append(args, "digits.tgz", "--name", "idx")...).want(t, exitDone, "(idx.tar.gz)")
	want := read(t, filepath.Join(dir, "runs/train/folder/weights/best.safetensors"))
	for _, name := range []string{"tar", "zip"} {
		if string(read(t, filepath.Join(dir, "runs/train", name, "weights/best.safetensors"))) != string(want) {
			t.Errorf("training from the %s file gives other weights than from the folder", name)
		}
	}
}

// walk calls add for each file below dir, with its path from there.
func walk(t *testing.T, dir string, add func(name string, b []byte) error) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return add(name, read(t, filepath.Join(dir, name)))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func tarball(t *testing.T, path, dir string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	walk(t, dir, func(name string, b []byte) error {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(b))}); err != nil {
			return err
		}
		_, err := w.Write(b)
		return err
	})
	for _, c := range []io.Closer{w, z, f} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func zipped(t *testing.T, path, dir string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	walk(t, dir, func(name string, b []byte) error {
		entry, err := w.Create(name)
		if err != nil {
			return err
		}
		_, err = entry.Write(b)
		return err
	})
	for _, c := range []io.Closer{w, f} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
