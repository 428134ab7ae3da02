package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A signal ends a run after the step under way, with everything saved: continued, it ends like a run that was left alone.
func TestSignalSavesAndResumes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("several trainings")
	}
	work, data := t.TempDir(), writeIDX(t, 1280, 160, 16)
	args := []string{"train", "lenet5", "--data", data, "--epochs", "6", "-b", "8", "--save-every", "50", "--project", "p"}
	cnnctl(t, work, args...).want(t, exitDone)
	for i, c := range []struct {
		sig   syscall.Signal
		event string
		code  int
	}{{syscall.SIGTERM, "save", exitTerminate}, {syscall.SIGINT, "epoch", exitInterrupt}, {syscall.SIGTERM, "last batch", exitTerminate}} {
		t.Run(c.event, func(t *testing.T) {
			p := start(t, work, args...)
			p.await(1, c.event)
			p.signal(c.sig)
			dir := fmt.Sprintf("p/lenet5-%d", i+2)
			p.end().want(t, c.code, "stopping after this step", "saved; continue with: cnnctl train --resume "+dir)
			cnnctl(t, work, "train", "--resume", dir).want(t, exitDone, "continues after")
			sameRun(t, filepath.Join(work, dir), filepath.Join(work, "p", "lenet5"))
		})
	}
}

// Whoever does not want to wait for the step gives the signal again.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a step of seconds")
	}
	work := t.TempDir()
	p := start(t, work, "train", "squeezenet1_1", "--data", writeFolder(t, 40, 32), "--image-size", "224", "-b", "64", "--project", "p")
	p.await(1, "start")
	run := filepath.Join(work, "p", "squeezenet1_1")
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) { // the picture comes right before the first step
		if _, err := os.Stat(filepath.Join(run, "train_batch0.jpg")); err == nil {
			break
		}
		if time.Since(start) > limit {
			t.Fatal("the first step does not come")
		}
	}
	time.Sleep(100 * time.Millisecond)
	p.signal(syscall.SIGINT)
	time.Sleep(100 * time.Millisecond) // two signals at once may be delivered as one
	again := time.Now()
	p.signal(syscall.SIGINT)
	r := p.end().want(t, exitInterrupt, "once more stops at once")
	if strings.Contains(r.err, "saved") {
		t.Errorf("the step was finished: it is too short for this test, or the second signal was ignored\n%s", r.err)
	}
	t.Logf("it ended after %v", time.Since(again))
}

func TestStoppedBeforeTheFirstStep(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(stopSignal{syscall.SIGTERM})
	if got := message(ctx, ctx.Err()); got != "stopped by a signal: terminated; there was nothing to save" {
		t.Errorf("message %q", got)
	}
	if got := exitCode(ctx, fmt.Errorf("measuring: %w", ctx.Err())); got != exitTerminate {
		t.Errorf("exit code %d, want %d", got, exitTerminate)
	}
}
