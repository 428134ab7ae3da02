package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// --json prints one event a line, and each kind has the fields that others rely on. events.jsonl holds the same but for the frequent ones.
func TestEvents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := cnnctl(t, dir, "train", "lenet5", "--data", writeIDX(t, 64, 16, 12), "--epochs", "2", "-b", "16", "--save-every", "2", "--json", "--quiet").want(t, exitDone)
	if r.err != "" {
		t.Errorf("--quiet printed %q", r.err)
	}
	fields := map[string][]string{
		"start":    {"model", "params", "input", "device", "data", "format", "train", "val", "classes", "batch", "epochs", "steps_per_epoch", "dir", "memory"},
		"progress": {"epoch", "step", "steps", "loss", "top1", "images_per_second", "wait_ns", "eta_ns", "lr"},
		"epoch":    {"epoch", "time", "train_loss", "top1", "top5", "val_loss", "lr", "best"},
		"save":     {"path", "updates"},
		"done":     {"dir", "epochs", "best_epoch", "best_top1", "seconds", "early_stop", "already_complete"},
	}
	kinds := func(text string) (all []string) {
		for line := range strings.Lines(text) {
			var e map[string]any
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			kind, _ := e["event"].(string)
			for _, f := range fields[kind] {
				if e[f] == nil {
					t.Errorf("event %s has no %s: %s", kind, f, line)
				}
			}
			all = append(all, kind)
		}
		return all
	}
	printed := kinds(r.out)
	if printed[0] != "start" || printed[len(printed)-1] != "done" {
		t.Errorf("the events are %v", printed)
	}
	for kind := range fields {
		if !slices.Contains(printed, kind) {
			t.Errorf("no event %s in %v", kind, printed)
		}
	}
	logged := kinds(string(read(t, filepath.Join(dir, "runs", "train", "lenet5", "events.jsonl"))))
	if want := slices.DeleteFunc(printed, func(k string) bool { return k == "progress" }); !slices.Equal(logged, want) {
		t.Errorf("events.jsonl has %v, want %v", logged, want)
	}
}

// Where there is no terminal, lines are plain: they end up in files.
func TestPlainLines(t *testing.T) {
	t.Parallel()
	r := cnnctl(t, t.TempDir(), "train", "lenet5", "--data", writeIDX(t, 64, 16, 12), "--epochs", "1", "-b", "16").want(t, exitDone,
		"Training lenet5", "device    cpu", "64 training and 16 validation samples", "memory    ", "epoch 1/1", "Done: ", "runs/train/lenet5")
	if strings.ContainsAny(r.err, "\r\x1b") || r.out != "" {
		t.Errorf("standard error %q\nstandard output %q", r.err, r.out)
	}
}

func TestQuiet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if r := cnnctl(t, dir, "train", "lenet5", "--data", writeIDX(t, 64, 16, 12), "--epochs", "1", "--quiet").want(t, exitDone); r.out+r.err != "" {
		t.Errorf("--quiet printed %q and %q", r.out, r.err)
	}
	if r := cnnctl(t, dir, "train", "lenet5", "--data", "absent", "--quiet").want(t, exitData); !strings.Contains(r.err, "absent") {
		t.Error("--quiet hides why a run has failed")
	}
}

// On a terminal one line is redrawn in place, in colours unless these are unwelcome.
func TestTerminal(t *testing.T) {
	t.Parallel()
	script, err := exec.LookPath("script")
	if err != nil {
		t.Skip("no program that gives a terminal:", err)
	}
	data := writeIDX(t, 320, 16, 16)
	for _, c := range []struct {
		env           string
		colour, moves bool
	}{{"NO_COLOR=", true, true}, {"NO_COLOR=1", false, true}, {"TERM=dumb", false, false}} {
		inner := command(t.Context(), "train", "lenet5", "--data", data, "--epochs", "2", "-b", "8")
		cmd := exec.CommandContext(t.Context(), script, "-qec", strings.Join(inner.Args, " "), os.DevNull)
		cmd.Env, cmd.Dir = append(inner.Env, c.env), t.TempDir()
		r := finish(t, cmd).want(t, exitDone, "epoch 2/2")
		if got := strings.Contains(r.out, "\x1b[32m"); got != c.colour {
			t.Errorf("%s: colours %v, want %v", c.env, got, c.colour)
		}
		live := regexp.MustCompile(`\r━+[^\r\n]*step \d+/\d+[^\r\n]*img/s[^\r\n]*`)
		if got := live.MatchString(r.out); got != c.moves {
			t.Errorf("%s: a live line %v, want %v\n%q", c.env, got, c.moves, r.out)
		}
	}
}
