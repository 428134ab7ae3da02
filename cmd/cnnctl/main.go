// Command cnnctl trains and uses convolutional networks.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

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
	fmt.Fprintf(os.Stderr, "cnnctl: %s\n", message(ctx, err))
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
	root.AddCommand(trainCommand(), finetuneCommand(), evalCommand(), predictCommand(), summaryCommand(), modelsCommand(), devicesCommand(),
		inspectCommand(), convertCommand(), exportCommand(), dataCommand(), lrFindCommand(), diagnoseCommand(), benchCommand(), exitCodesTopic())
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" {
			cmd.Args = helpTopic
		}
	}
	wrapArgs(root)
	root.SuggestionsMinimumDistance = 2
	root.Args = unknownCommand
	return root
}

// unknownCommand fails for whatever is left of a command line that names none of the commands.
func unknownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	remedy := "cnnctl --help lists them"
	if names := root.SuggestionsFor(args[0]); len(names) > 0 {
		remedy = fmt.Sprintf("did you mean %s?", strings.Join(names, ", "))
	}
	return usageError{fmt.Errorf("unknown command %q; %s", args[0], remedy)}
}

// helpTopic fails where cobra's own help command prints that there is no such topic and succeeds.
func helpTopic(cmd *cobra.Command, args []string) error {
	if found, rest, err := cmd.Root().Find(args); err != nil || len(rest) > 0 && found.Runnable() {
		return fmt.Errorf("unknown help topic %q", strings.Join(args, " "))
	}
	return nil
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
