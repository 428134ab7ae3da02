// Command cnnctl trains and uses convolutional networks.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run()) }

// run executes the command line and returns the exit code.
func run() (code int) {
	defer func() {
		// A panic is a bug of ours. The user gets one line that can be reported, and CNNCTL_TRACE gets the trace.
		if os.Getenv("CNNCTL_TRACE") == "" {
			if p := recover(); p != nil {
				fmt.Fprintf(os.Stderr, "cnnctl: internal error: %v; please report this; CNNCTL_TRACE=1 shows where it happened\n", p)
				code = exitInternal
			}
		}
	}()
	ctx, stop := withSignals(context.Background())
	defer stop()
	root := rootCommand()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if !errors.Is(err, errReported) {
		fmt.Fprintf(os.Stderr, "cnnctl: %v\n", oneLine(err))
	}
	return exitCode(ctx, err)
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "cnnctl",
		Short: "Train and use convolutional networks",
		Long: `cnnctl trains and uses convolutional networks.

  cnnctl train lenet5          trains on the embedded digits: no data set, no flags, about a minute
  cnnctl train --help          shows what can be set`,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(trainCommand(), evalCommand(), predictCommand(), summaryCommand(), modelsCommand(), devicesCommand(),
		inspectCommand(), dataCommand(), exitCodesTopic())
	wrapArgs(root)
	return root
}

// wrapArgs makes wrong arguments of every command usage errors that name the remedy.
func wrapArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{fmt.Errorf("%w; usage: %s", err, c.UseLine())}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
}

// printf writes to a command's standard output and reports a failure, such as a full disk behind a redirection, as what it is.
func printf(w io.Writer, format string, args ...any) error {
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}
