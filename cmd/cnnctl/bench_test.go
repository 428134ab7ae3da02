package main

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestBenchStep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"train lenet5", "one random batch"},
		{"train lenet5 --data digits", `waited for data \d+\.\d% of the time`},
		{"eval lenet5", "one random batch"},
	} {
		args := append([]string{"bench"}, strings.Fields(c.args)...)
		r := cnnctl(t, t.TempDir(), append(args, "-b", "8", "--time", "1ms", "--device", "cpu")...).want(t, exitDone)
		pattern := `^lenet5, input 28x28x1, batch size 8, nesterov, on cpu .*\n  [\d.]+ images/s, .*s per step \(median of \d+\), ` + c.want + `\n  [\d.]+ GFLOP/s: \d+% of the`
		if !regexp.MustCompile(pattern).MatchString(r.out) {
			t.Errorf("bench %s prints\n%s", c.args, r.out)
		}
	}
	cnnctl(t, t.TempDir(), "bench", "train", "lenet5", "--data", "nowhere").want(t, exitData)
}

// One line of times for each line of standard input, as scripts/bench-vs-torch.sh reads them.
func TestBenchPaced(t *testing.T) {
	t.Parallel()
	run := func(input string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		cmd := command(ctx, "bench", "eval", "lenet5", "-b", "2", "--device", "cpu", "--paced")
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.Output()
		return string(out), err
	}
	out, err := run("1\n3\n")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err != nil || len(lines) != 3 || !strings.HasPrefix(lines[0], "cpu (") || len(strings.Fields(lines[1])) != 1 || len(strings.Fields(lines[2])) != 3 {
		t.Fatalf("error %v, output\n%s", err, out)
	}
	for _, f := range strings.Fields(lines[1] + " " + lines[2]) {
		if v, err := strconv.ParseFloat(f, 64); err != nil || v <= 0 {
			t.Errorf("a step of %q seconds", f)
		}
	}
	if _, err := run("many\n"); err == nil {
		t.Error("a pace that is no number is accepted")
	}
}
