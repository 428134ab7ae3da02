package terminal

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cnnctl/cnnctl/train"
)

var half = train.Progress{Epoch: 2, Epochs: 10, Step: 50, Steps: 100, Loss: 0.25, Top1: 0.875, Rate: 1234.4, Wait: 1500 * time.Millisecond, ETA: 125 * time.Second}

// The live line is redrawn in place and never wraps, which would leave its remains on the screen; other lines clear it first.
func TestLiveLine(t *testing.T) {
	for _, width := range []int{1, 2, 5, 30, 80, 200} {
		var b bytes.Buffer
		p := &Printer{w: &b, width: func() int { return width }}
		p.Observe(half)
		line := strings.TrimSuffix(strings.TrimPrefix(b.String(), "\r"), "\x1b[K")
		if n := utf8.RuneCountInString(line); n >= width || strings.ContainsAny(line, "\r\n\x1b") {
			t.Errorf("width %d: a line of %d columns: %q", width, n, b.String())
		}
		if width == 200 {
			want := strings.Repeat("━", 10) + strings.Repeat("─", 10) + " epoch 2/10  step 50/100  loss 0.2500  acc 87.50%  1234 img/s  data wait 1.5s  ETA 2m05s"
			if line != want {
				t.Errorf("got  %q\nwant %q", line, want)
			}
		}
		b.Reset()
		p.Observe(train.Warning{Message: "beware"})
		if b.String() != "\r\x1b[Kwarning: beware\n" {
			t.Errorf("a line after the live one: %q", b.String())
		}
	}
}

// Where there is no terminal, progress shows now and then, as a whole line.
func TestPlainProgress(t *testing.T) {
	var b bytes.Buffer
	p := &Printer{w: &b, plain: time.Now()}
	p.Observe(half)
	if b.Len() > 0 {
		t.Errorf("at once: %q", b.String())
	}
	p.plain = time.Now().Add(-plainInterval)
	p.Observe(half)
	p.Observe(half)
	if got := b.String(); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "epoch 2/10  step 50/100") || strings.ContainsAny(got, "\r\x1b━") {
		t.Errorf("after %v: %q", plainInterval, got)
	}
}

// How a run ended, in words.
func TestFinished(t *testing.T) {
	done := train.Finished{Dir: "runs/x", Epochs: 7, BestEpoch: 5, BestTop1: 0.9876, Seconds: 61}
	early, already, none := done, done, train.Finished{Dir: "runs/x"}
	early.Early, already.Already = true, true
	for _, c := range []struct {
		e    train.Finished
		want string
	}{
		{done, "Done: 98.76% top-1 at epoch 5, after 1m01s. Results are in runs/x\n"},
		{early, "Stopped early: the accuracy has not improved since epoch 5.\nDone: 98.76% top-1 at epoch 5, after 1m01s. Results are in runs/x\n"},
		{already, "The run is complete: there is nothing left to train. --epochs 14, for example, trains it for longer.\nDone: 98.76% top-1 at epoch 5, after 1m01s. Results are in runs/x\n"},
		{none, "No epoch was asked for: the initial weights are in runs/x\n"},
	} {
		var b bytes.Buffer
		(&Printer{w: &b}).Observe(c.e)
		if b.String() != c.want {
			t.Errorf("got  %q\nwant %q", b.String(), c.want)
		}
	}
}

// A file is no terminal, whatever the environment says of colours.
func TestNewOnFile(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if p := New(f); p.width != nil || p.color {
		t.Error("a file is taken for a terminal")
	}
}
