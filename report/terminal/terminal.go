// Package terminal shows a run to the person who started it: one live line on a terminal, plain lines elsewhere.
package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/cnnctl/cnnctl/train"
	"golang.org/x/term"
)

// Printer prints the events of a run.
type Printer struct {
	w     io.Writer
	width func() int // columns of the terminal; nil where w is none
	color bool
	live  bool // the live line is on screen
	plain time.Time
}

// New returns a printer to f. On a terminal it redraws one line; elsewhere it prints a plain line now and then. It obeys NO_COLOR and TERM=dumb.
func New(f *os.File) *Printer {
	p := &Printer{w: f, plain: time.Now()}
	if term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.color = os.Getenv("NO_COLOR") == ""
		p.width = func() int {
			if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
				return w
			}
			return 80
		}
	}
	return p
}

// plainInterval is the time between two progress lines where there is no terminal.
const plainInterval = 10 * time.Second

// Observe prints an event. It is a train.Observer.
func (p *Printer) Observe(e train.Event) {
	switch e := e.(type) {
	case train.Started:
		p.started(e)
	case train.Progress:
		p.progress(e)
	case train.StageStarted:
		p.line("thawed    %s", stageText(e))
	case train.Extracting:
		p.Status(e.Done, e.Total, fmt.Sprintf("computing features: %d of %d images", e.Done, e.Total))
	case train.EpochDone:
		p.epoch(e)
	case train.Warning:
		p.line("%s %s", p.paint(yellow, "warning:"), e.Message)
	case train.Finished:
		p.finished(e)
	}
}

type paint string

const (
	bold   paint = "\x1b[1m"
	green  paint = "\x1b[32m"
	yellow paint = "\x1b[33m"
	reset        = "\x1b[0m"
)

func (p *Printer) paint(c paint, s string) string {
	if !p.color {
		return s
	}
	return string(c) + s + reset
}

// Clear removes the live line, so that something else can be printed.
func (p *Printer) Clear() {
	if p.live {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.live = false
	}
}

func (p *Printer) line(format string, args ...any) {
	p.Clear()
	fmt.Fprintf(p.w, format+"\n", args...)
}

func (p *Printer) started(e train.Started) {
	verb := "Training"
	if e.Resumed {
		verb = "Resuming"
	}
	p.line("%s %s: %s parameters, input %dx%dx%d, %d classes", verb, p.paint(bold, e.Model), Count(e.Params), e.Input[0], e.Input[1], e.Input[2], len(e.Classes))
	if e.Weights != "" {
		p.line("  from      %s", e.Weights)
	}
	if e.Strategy != "" {
		p.line("  strategy  %s", e.Strategy)
	}
	for _, s := range e.Stages {
		when := ""
		if len(e.Stages) > 1 {
			when = fmt.Sprintf("from epoch %d on: ", s.Epoch)
		}
		p.line("  trained   %s%s", when, stageText(s))
	}
	if len(e.Stages) == 0 && e.Trainable != e.Params {
		p.line("  trained   %s of %s parameters", Count(e.Trainable), Count(e.Params))
	}
	p.line("  device    %s", e.Device)
	p.line("  data      %s (%s), %d training and %d validation samples", e.Data, e.Format, e.Train, e.Val)
	p.line("  augment   %s", e.Augment)
	m := e.Memory
	p.line("  memory    %s: weights %s, gradients %s, optimizer %s, activations %s, workspace %s, exchange %s", Bytes(m.Total()), Bytes(m.Weights+m.EMA), Bytes(m.Gradients),
		Bytes(m.Optimizer), Bytes(m.Activations), Bytes(m.Workspace), Bytes(m.Exchange))
	p.line("  schedule  %d epochs of %d steps, batch size %d", e.Epochs, e.Steps, e.Batch)
	p.line("  run       %s", p.paint(bold, e.Dir))
	for _, n := range e.Notes {
		p.line("  note      %s", n)
	}
	if e.StartEpoch > 0 || e.StartBatch > 0 {
		p.line("  continues after %d epochs and %d steps", e.StartEpoch, e.StartBatch)
	}
	p.plain = time.Now()
}

// stageText says what a stage of fine-tuning trains and takes.
func stageText(s train.StageStarted) string {
	text := fmt.Sprintf("%s (%s parameters), in %s beside the weights", s.Layers, Count(s.Trainable), Bytes(s.Memory))
	if s.FrozenNorms > 0 {
		text += fmt.Sprintf("; %d frozen batch norms use their stored statistics", s.FrozenNorms)
	}
	return text
}

func (p *Printer) progress(e train.Progress) { p.Status(e.Step, e.Steps, progressText(e)) }

// Status shows how far something has come: in the live line of a terminal, and now and then in a plain line elsewhere.
func (p *Printer) Status(done, all int, text string) {
	if p.width == nil {
		if now := time.Now(); now.Sub(p.plain) >= plainInterval && done < all {
			p.plain = now
			p.line("%s", text)
		}
		return
	}
	p.redraw(done, all, text)
}

// redraw replaces the live line by a bar and as much of the text as fits.
func (p *Printer) redraw(done, all int, text string) {
	width := p.width()
	line := []rune(bar(done, all, min(20, width/5)) + " " + text)
	if len(line) >= width {
		line = line[:max(width-1, 0)]
	}
	fmt.Fprintf(p.w, "\r%s\x1b[K", string(line))
	p.live = true
}

func progressText(e train.Progress) string {
	return fmt.Sprintf("epoch %d/%d  step %d/%d  loss %.4f  acc %.2f%%  %.0f img/s  data wait %s  ETA %s",
		e.Epoch, e.Epochs, e.Step, e.Steps, e.Loss, 100*e.Top1, e.Rate, e.Wait.Round(10*time.Millisecond), Duration(e.ETA))
}

func bar(done, all, width int) string {
	n := 0
	if all > 0 {
		n = done * width / all
	}
	return strings.Repeat("━", n) + strings.Repeat("─", max(width-n, 0))
}

func (p *Printer) epoch(e train.EpochDone) {
	mark := ""
	if e.Best {
		mark = "  " + p.paint(green, "best")
	}
	digits := len(fmt.Sprint(e.Epochs))
	p.line("epoch %*d/%d  train loss %.4f acc %6.2f%%  val loss %.4f  top-1 %6.2f%%  top-5 %6.2f%%  %6.0f img/s  wait %.1fs%s",
		digits, e.Epoch, e.Epochs, e.TrainLoss, 100*e.TrainAcc, e.ValLoss, 100*e.Top1, 100*e.Top5, e.Rate, e.Wait, mark)
	p.plain = time.Now()
}

func (p *Printer) finished(e train.Finished) {
	if e.Epochs == 0 {
		p.line("No epoch was asked for: the initial weights are in %s", e.Dir)
		return
	}
	if e.Already {
		p.line("The run is complete: there is nothing left to train. --epochs %d, for example, trains it for longer.", 2*e.Epochs)
	}
	if e.Early {
		p.line("Stopped early: the accuracy has not improved since epoch %d.", e.BestEpoch)
	}
	p.line("Done: %s top-1 at epoch %d, after %s. Results are in %s", p.paint(bold, fmt.Sprintf("%.2f%%", 100*e.BestTop1)), e.BestEpoch,
		Duration(time.Duration(e.Seconds*float64(time.Second))), p.paint(bold, e.Dir))
}
