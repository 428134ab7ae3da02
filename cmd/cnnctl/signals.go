package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// stopSignal is why a context was cancelled.
type stopSignal struct{ sig os.Signal }

func (s stopSignal) Error() string { return "stopped by a signal: " + s.sig.String() }

// withSignals returns a context that the first SIGINT or SIGTERM cancels; a second one ends the process at once.
func withSignals(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	go func() {
		first, ok := <-ch
		if !ok {
			return
		}
		fmt.Fprintln(os.Stderr, "\ncnnctl: stopping after this step; once more stops at once")
		cancel(stopSignal{first})
		if second, ok := <-ch; ok {
			os.Exit(codeOf(second))
		}
	}()
	return ctx, func() {
		signal.Stop(ch)
		close(ch)
		cancel(nil)
	}
}

func codeOf(s os.Signal) int {
	if s == syscall.SIGTERM {
		return exitTerminate
	}
	return exitInterrupt
}

// signalCode returns the exit code for the signal that cancelled ctx.
func signalCode(ctx context.Context) int {
	var s stopSignal
	if errors.As(context.Cause(ctx), &s) {
		return codeOf(s.sig)
	}
	return exitInterrupt
}
