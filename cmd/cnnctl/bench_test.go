package main

import (
	"context"
	"encoding/csv"
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

// The columns that scripts/gpu-check.sh reads.
func TestBenchOpsCSV(t *testing.T) {
	t.Parallel()
	r := cnnctl(t, t.TempDir(), "bench", "ops", "lenet5", "-b", "2", "--rounds", "1", "--device", "cpu", "--csv").want(t, exitDone)
	rows, err := csv.NewReader(strings.NewReader(r.out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rows[0], " "); got != "layer pass call seconds flops bytes" {
		t.Errorf("columns are %s", got)
	}
	seen := false
	for _, row := range rows[1:] {
		seconds, err := strconv.ParseFloat(row[3], 64)
		if err != nil || seconds <= 0 {
			t.Errorf("%v: %q seconds", row, row[3])
		}
		// 28x28x6 sums of 25 products each for two samples, and the bias.
		seen = seen || row[0] == "conv1" && row[2] == "ConvForward" && row[4] == strconv.Itoa(2*28*28*6*(2*25+2))
	}
	if !seen {
		t.Errorf("no row for the forward pass of conv1 with its work:\n%s", r.out)
	}
}
