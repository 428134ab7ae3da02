package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"testing"
)

// process is a training that the test watches while it runs.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	events *bufio.Scanner
	errs   bytes.Buffer
}

// start begins a run of cnnctl with --json.
func start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	p := &process{t: t, cmd: command(ctx, append(args, "--json")...)}
	p.cmd.Dir, p.cmd.Stderr = dir, &p.errs
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.events = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel() // kills it, if the test has failed
		p.cmd.Wait()
	})
	return p
}

// await waits until an event has come n times.
func (p *process) await(n int, event string) {
	p.t.Helper()
	if !awaitEvents(p.t, p.events, n, event) {
		p.cmd.Wait()
		p.t.Fatalf("the process ended before its event %q: %v\n%s", event, p.cmd.ProcessState, p.errs.String())
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// end waits for the process and returns how it ended.
func (p *process) end() result {
	for p.events.Scan() { // Wait must not close the pipe before it is read
	}
	p.cmd.Wait()
	return result{args: p.cmd.Args[1:], code: p.cmd.ProcessState.ExitCode(), err: p.errs.String()}
}
