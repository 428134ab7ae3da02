package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// beMain is the environment variable that makes the test binary be cnnctl: what the tests run is the very code that they are linked with.
const beMain = "CNNCTL_TEST_BE_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(beMain) != "" {
		main()
		return
	}
	dir, err := os.MkdirTemp("", "cnnctl-cache")
	if err != nil {
		panic(err)
	}
	os.Setenv("XDG_CACHE_HOME", dir) // for the processes of the tests, in place of the user's cache
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// command prepares a run of cnnctl.
func command(ctx context.Context, args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = append(os.Environ(), beMain+"=1", "NO_COLOR=", "TERM=xterm")
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// result is how a process ended and what it printed.
type result struct {
	args     []string
	code     int
	out, err string
}

// limit ends a process that hangs.
const limit = 2 * time.Minute

// cnnctl runs the command line in dir.
func cnnctl(t *testing.T, dir string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := command(ctx, args...)
	cmd.Dir = dir
	return finish(t, cmd)
}

// finish runs a prepared process to its end. No input may make it show a stack trace, hang, or blame itself.
func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", cmd.Args[1:], err)
	}
	r := result{cmd.Args[1:], cmd.ProcessState.ExitCode(), out.String(), errs.String()}
	if strings.Contains(r.out+r.err, "goroutine ") || r.code == exitInternal || r.code < 0 {
		t.Fatalf("cnnctl %q ended with %v\n%s%s", r.args, cmd.ProcessState, r.out, r.err)
	}
	return r
}

// want checks the exit code and that every text was printed, on either stream.
func (r result) want(t *testing.T, code int, texts ...string) result {
	t.Helper()
	if r.code != code {
		t.Errorf("cnnctl %q: exit code %d, want %d\n%s%s", r.args, r.code, code, r.out, r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.out+r.err, text) {
			t.Errorf("cnnctl %q: want %q in\n%s%s", r.args, text, r.out, r.err)
		}
	}
	return r
}
