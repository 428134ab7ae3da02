package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cnnctl/cnnctl/philox"
)

// moment is when a process is killed. All of them count what the process does rather than the clock alone, so that a slow machine is killed at
// the same places.
type moment int

const (
	afterSaves   moment = iota // anywhere within an epoch
	whileSaving                // when a temporary file appears
	inValidation               // when the last batch of an epoch is done
	atStart                    // before or while the state is loaded
)

// A run that is killed at random moments and continued ends with the same bits as one that was left alone. Each line is one such run.
func TestKilledRunEqualsUninterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("dozens of processes")
	}
	t.Run("lenet5", func(t *testing.T) {
		killed(t, 25, "train", "lenet5", "--data", writeIDX(t, 640, 160, 16), "--epochs", "10", "-b", "8", "--save-every", "3", "--rotation", "10", "--lr", "0.02")
	})
	t.Run("mixup-ema-dropout-adamw", func(t *testing.T) {
		dir := writeFolder(t, 30, 32)
		killed(t, 6, "train", "squeezenet1_1", "--data", dir, "--epochs", "2", "-b", "4", "--save-every", "2", "--opt", "adamw", "--lr", "0.001", "--mixup", "0.2", "--cutmix", "1",
			"--model-ema", "--model-ema-decay", "0.9", "--dropout", "0.3", "--clip-grad", "1", "--label-smoothing", "0.1", "--color-jitter", "0.3,0.3,0.3,0.1", "--reprob", "0.5", "--recount", "3",
			"--aa", "rand-m9-n2-mstd0.5", "--mixup-mode", "elem",
			"--scale", "0.5,1", "--crop-padding", "2", "--image-size", "32")
	})
	t.Run("finetune-gradual", func(t *testing.T) {
		weights := filepath.Join(trained(t), "runs", "train", "lenet5", "weights", "best.safetensors")
		killed(t, 6, "finetune", "lenet5", "--weights", weights, "--data", writeFolder(t, 60, 16), "--strategy", "gradual", "--freeze-epochs", "2", "--epochs", "8", "-b", "8", "--save-every", "3")
	})
}

// killed runs train or finetune with args twice in one project: undisturbed, and killed so many times.
func killed(t *testing.T, kills int, verb string, args ...string) {
	work := t.TempDir()
	args = append([]string{verb}, append(args, "--project", "p", "--json", "--quiet")...)
	cnnctl(t, work, args...).want(t, exitDone)
	want, got := filepath.Join(work, "p", args[1]), filepath.Join(work, "p", args[1]+"-2")

	random := philox.New(5, philox.Test, 0, kills)
	hits, half := map[moment]int{}, 0
	for n := range kills {
		if _, err := os.Stat(filepath.Join(got, "args.yaml")); err == nil {
			args = []string{verb, "--resume", got, "--json", "--quiet"}
		}
		at := []moment{afterSaves, whileSaving, afterSaves, atStart, afterSaves, whileSaving, afterSaves, inValidation}[n%8]
		if len(args) > 5 {
			at = afterSaves // the first process gets as far as its first checkpoint
		}
		if !kill(t, work, got, at, random, args) {
			t.Fatalf("the run was complete after %d kills, want %d: it is too short", n, kills)
		}
		hits[at]++
		intact(t, got)
		if left, _ := filepath.Glob(filepath.Join(got, "*", ".*cnnctl-tmp*")); len(left) > 0 {
			half++
		}
	}
	t.Logf("%d kills, of which %d left a half-written file", kills, half)
	for _, m := range []moment{afterSaves, whileSaving, atStart} {
		if hits[m] == 0 {
			t.Errorf("no process was killed at moment %d", m)
		}
	}
	cnnctl(t, work, verb, "--resume", got).want(t, exitDone, "Resuming", "Done")
	sameRun(t, got, want)
	for _, where := range []string{"", "*"} {
		if left, _ := filepath.Glob(filepath.Join(got, where, ".*cnnctl-tmp*")); len(left) > 0 {
			t.Errorf("temporary files are left: %v", left)
		}
	}
}

// intact checks that whatever a killed process has left under its final name is whole, and that the weights of a finished epoch are there.
func intact(t *testing.T, run string) {
	t.Helper()
	weights, err := filepath.Glob(filepath.Join(run, "weights", "*.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(weights, stateFiles(t, run)...) {
		openState(t, file)
	}
	if rows, err := os.ReadFile(filepath.Join(run, "results.csv")); err == nil && strings.Count(string(rows), "\n") > 1 && len(weights) != 2 {
		t.Errorf("after an epoch there are the weights %v, want best and last", weights)
	}
}

// kill starts a process and kills it with SIGKILL. It returns false if the process ended by itself before that.
func kill(t *testing.T, work, run string, at moment, random *philox.Stream, args []string) bool {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := command(ctx, args...)
	cmd.Dir = work
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	switch delay := time.Duration(random.IntN(20_000)) * time.Microsecond; at {
	case atStart:
		time.Sleep(2 * delay)
	case whileSaving:
		if !awaitEvents(t, bufio.NewScanner(out), 1+random.IntN(2), "save") || !awaitTemporary(run) {
			return false
		}
	case afterSaves:
		if !awaitEvents(t, bufio.NewScanner(out), 1+random.IntN(2), "save") {
			t.Log(errs.String())
			return false
		}
		time.Sleep(delay / 2)
	case inValidation:
		if !awaitEvents(t, bufio.NewScanner(out), 1, "last batch") {
			return false
		}
		time.Sleep(delay / 4)
	}
	if err := cmd.Process.Kill(); err != nil {
		return false
	}
	return cmd.Wait() != nil && !cmd.ProcessState.Success()
}

// awaitEvents reads events until one has come n times; it returns false if the process ends before that.
func awaitEvents(t *testing.T, s *bufio.Scanner, n int, name string) bool {
	for s.Scan() {
		var e struct {
			Event       string
			Step, Steps int
		}
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatalf("%s: %v", s.Bytes(), err)
		}
		if e.Event == "progress" && e.Step == e.Steps {
			e.Event = "last batch"
		}
		if e.Event == name {
			if n--; n == 0 {
				return true
			}
		}
	}
	return false
}

// awaitTemporary waits until a checkpoint is being written.
func awaitTemporary(run string) bool {
	for start := time.Now(); time.Since(start) < 10*time.Second; {
		for _, sub := range []string{"state", "weights"} {
			if found, _ := filepath.Glob(filepath.Join(run, sub, ".*")); len(found) > 0 {
				return true
			}
		}
	}
	return false
}
