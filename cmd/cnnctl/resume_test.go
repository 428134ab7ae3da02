package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/philox"
)

// finished is a run of two epochs with two state files: one from within the second epoch, one from its end.
type finished struct {
	work, dir, data string
}

func newFinished(t *testing.T) finished {
	t.Helper()
	f := finished{work: t.TempDir(), data: writeIDX(t, 320, 80, 16)}
	f.dir = filepath.Join(f.work, "p", "lenet5")
	cnnctl(t, f.work, "train", "lenet5", "--data", f.data, "--epochs", "2", "-b", "8", "--save-every", "7", "--project", "p").want(t, exitDone, "Done")
	if n := len(stateFiles(t, f.dir)); n != 2 {
		t.Fatalf("%d state files, want 2", n)
	}
	return f
}

// copy makes another run directory with the same contents.
func (f finished) copy(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.CopyFS(dir, os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestResume(t *testing.T) {
	if testing.Short() {
		t.Skip("dozens of processes")
	}
	f := newFinished(t)
	t.Run("complete", func(t *testing.T) {
		dir := f.copy(t)
		cnnctl(t, f.work, "train", "--resume", dir).want(t, exitDone, "The run is complete", "--epochs")
		sameRun(t, dir, f.dir)
	})
	t.Run("extended", func(t *testing.T) {
		dir := f.copy(t)
		cnnctl(t, f.work, "train", "--resume", dir, "--epochs", "3").want(t, exitDone, "continues after 2 epochs", "epoch 3/3")
		if rows := results(t, dir); len(rows) != 1+3 {
			t.Errorf("%d rows in results.csv, want 3 and headings", len(rows))
		}
		cnnctl(t, f.work, "train", "--resume", dir).want(t, exitDone, "The run is complete") // args.yaml says 3 now
	})
	t.Run("fewer epochs", func(t *testing.T) {
		for _, n := range []string{"0", "1"} {
			dir := f.copy(t)
			cnnctl(t, f.work, "train", "--resume", dir, "--epochs", n).want(t, exitUsage, "--epochs "+n, "at least the 2")
			sameRun(t, dir, f.dir)
		}
	})
	t.Run("changed settings", func(t *testing.T) {
		dir := f.copy(t)
		cnnctl(t, f.work, "train", "--resume", dir, "--lr", "0.5", "--seed", "3").want(t, exitUsage, "--lr, --seed")
		cnnctl(t, f.work, "train", "--resume", dir, "--batch-size", "8", "--workers", "0").want(t, exitDone) // what it is already, and what may change
		cnnctl(t, f.work, "train", "--resume", dir, "lenet5").want(t, exitUsage, "--resume takes model and settings from the run")
		sameRun(t, dir, f.dir)
	})
	t.Run("no run", func(t *testing.T) {
		for _, dir := range []string{"absent", f.work, filepath.Join(f.dir, "args.yaml")} {
			cnnctl(t, f.work, "train", "--resume", dir).want(t, exitRun, "args.yaml")
		}
	})
	t.Run("other data", func(t *testing.T) {
		other := filepath.Join(t.TempDir(), "moved")
		if err := os.CopyFS(other, os.DirFS(f.data)); err != nil {
			t.Fatal(err)
		}
		cnnctl(t, f.work, "train", "--resume", f.copy(t), "--data", other).want(t, exitDone) // the same, elsewhere
		pixels := read(t, filepath.Join(other, "train-images-idx3-ubyte"))
		pixels[1000] ^= 1
		write(t, filepath.Join(other, "train-images-idx3-ubyte"), pixels)
		cnnctl(t, f.work, "train", "--resume", f.copy(t), "--data", other).want(t, exitRun, "is not the one that the run began with")
	})
}

// A run is continued from anywhere, although its data was given by a relative path.
func TestResumeFromAnotherFolder(t *testing.T) {
	t.Parallel()
	work := writeIDX(t, 64, 16, 12)
	cnnctl(t, work, "train", "lenet5", "--data", ".", "--epochs", "1", "-b", "16", "--project", "p").want(t, exitDone)
	run := filepath.Join(work, "p", "lenet5")
	cnnctl(t, t.TempDir(), "train", "--resume", run, "--epochs", "2").want(t, exitDone, "epoch 2/2")
	cnnctl(t, t.TempDir(), "eval", "--run", run).want(t, exitDone, "on 16 samples")
}

// A settings file that is not the run's own is refused, whatever has happened to it: continuing would give numbers that belong to no settings.
func TestResumeWithDamagedArgs(t *testing.T) {
	if testing.Short() {
		t.Skip("several processes")
	}
	f := newFinished(t)
	args := string(read(t, filepath.Join(f.dir, "args.yaml")))
	for name, text := range map[string]string{
		"empty":        "",
		"binary":       "\x00\x01\xff\xfe",
		"no mapping":   "- a\n- b\n",
		"unknown key":  args + "colour: red\n",
		"wrong type":   strings.Replace(args, "epochs: 2", "epochs: many", 1),
		"out of range": strings.Replace(args, "batch-size: 8", "batch-size: -8", 1),
		"other model":  strings.Replace(args, "model: lenet5", "model: lenet6", 1),
		"edited":       strings.Replace(args, "momentum: 0.9", "momentum: 0.8", 1),
		"cut":          args[:strings.Index(args, "seed:")],
	} {
		t.Run(name, func(t *testing.T) {
			if text == args {
				t.Fatal("nothing was changed")
			}
			dir := f.copy(t)
			write(t, filepath.Join(dir, "args.yaml"), []byte(text))
			cnnctl(t, f.work, "train", "--resume", dir).want(t, exitRun, "args.yaml")
			if !bytes.Equal(read(t, filepath.Join(dir, "args.yaml")), []byte(text)) {
				t.Error("args.yaml was overwritten")
			}
		})
	}
}

// A damaged checkpoint costs the steps since the one before it, and nothing else.
func TestDamagedState(t *testing.T) {
	if testing.Short() {
		t.Skip("several trainings")
	}
	f := newFinished(t)
	size := len(read(t, newestState(t, f.dir)))
	random := philox.New(6, philox.Test, 0, 0)
	damage := map[string]func([]byte) []byte{
		"empty":        func(b []byte) []byte { return nil },
		"cut":          func(b []byte) []byte { return b[:len(b)/2] },
		"one byte off": func(b []byte) []byte { return b[:len(b)-1] },
		"longer":       func(b []byte) []byte { return append(b, 0) },
	}
	for i, at := range []int{0, 7, 8, 100, 1500, size - 1, random.IntN(size), random.IntN(size)} {
		damage[fmt.Sprintf("byte %d (%d)", at, i)] = func(b []byte) []byte {
			b[at] ^= 0x10
			return b
		}
	}
	for name, change := range damage {
		t.Run(name, func(t *testing.T) {
			dir := f.copy(t)
			files := stateFiles(t, dir)
			older, newest := files[0], files[1]
			write(t, newest, change(read(t, newest)))
			cnnctl(t, f.work, "train", "--resume", dir).want(t, exitDone, "falling back to the checkpoint before it, "+older, "continues after 1 epochs", "Done")
			sameRun(t, dir, f.dir)
			for _, file := range stateFiles(t, dir) {
				openState(t, file) // the damaged one is not counted as one of the last two
			}
			if _, err := os.Stat(newest + ".damaged"); err != nil || len(stateFiles(t, dir)) != 2 {
				t.Errorf("the damaged state was not set aside: %v, %v", err, stateFiles(t, dir))
			}
		})
	}
	t.Run("both", func(t *testing.T) {
		dir := f.copy(t)
		for _, file := range stateFiles(t, dir) {
			write(t, file, read(t, file)[:5000])
		}
		best := read(t, filepath.Join(dir, "weights", "best.safetensors"))
		cnnctl(t, f.work, "train", "--resume", dir).want(t, exitRun, "none of its checkpoints can be read")
		if !bytes.Equal(best, read(t, filepath.Join(dir, "weights", "best.safetensors"))) {
			t.Error("the best weights were touched")
		}
	})
}

// Two processes that wrote one run directory would spoil it.
func TestSecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	p := start(t, work, "train", "lenet5", "--data", writeIDX(t, 320, 80, 16), "--epochs", "100000", "-b", "8", "--project", "p")
	p.await(1, "start")
	holder := fmt.Sprintf("in use by process %d on ", p.cmd.Process.Pid)
	cnnctl(t, work, "train", "--resume", "p/lenet5").want(t, exitRun, holder)
	p.signal(os.Interrupt)
	p.end().want(t, exitInterrupt)
	r := start(t, work, "train", "--resume", "p/lenet5") // the lock went with the process
	r.await(1, "start")
}

// A run that has stopped early stays stopped: going on for an epoch at each --resume would give another result than a run that was never killed.
func TestEarlyStopStays(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	cnnctl(t, work, "train", "lenet5", "--data", writeIDX(t, 64, 16, 12), "--epochs", "5", "-b", "16", "--lr", "0", "--patience", "2", "--project", "p").
		want(t, exitDone, "Stopped early: the accuracy has not improved since epoch 1.")
	rows := func(want int) {
		t.Helper()
		if got := len(results(t, filepath.Join(work, "p", "lenet5"))) - 1; got != want {
			t.Errorf("%d epochs, want %d", got, want)
		}
	}
	rows(3)
	cnnctl(t, work, "train", "--resume", "p/lenet5").want(t, exitDone, "The run is complete", "Stopped early")
	rows(3)
	cnnctl(t, work, "train", "--resume", "p/lenet5", "--patience", "0").want(t, exitDone, "epoch 5/5")
	rows(5)
}
