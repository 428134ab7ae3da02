package diagnose

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/cnnctl/cnnctl/checkpoint"
)

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s from %s on %s", r.Model, r.Weights, r.Data)
	line("%d training and %d validation images of %d classes, %d epochs each, batch size %d", r.Train, r.Val, r.Classes, r.Epochs, r.Batch)
	line("")
	line("%-24s %-9s %-12s %-9s %-13s %s", "", "val top-1", "best epoch", "at end", "on training", "time")
	for _, o := range []struct {
		name string
		Outcome
	}{{"linear probe", r.Probe}, {"all layers", r.Full}, {"scratch", r.Scratch}} {
		name := fmt.Sprintf("%s (%s)", o.name, o.Strategy)
		note := ""
		if o.Diverged {
			note = "  diverged"
		}
		line("%-24s %-9s %-12d %-9s %-13s %.0fs%s", name, percent(o.Top1), o.BestEpoch, percent(o.Last), percent(o.Fit), o.Seconds, note)
	}
	line("")
	line("LogME of the features     %.3f, of those of random weights %.3f", r.LogME, r.LogMERandom)
	if r.Reference == "" {
		line("activation statistics     not compared: the network has no batch norm; --source-data gives something to compare with")
	} else {
		line("activation statistics     %.2f standard deviations from the %s", r.Distance, r.Reference)
	}
	if f := r.Forgotten; f != nil && f.Note != "" {
		line("source accuracy           not measured: %s", f.Note)
	} else if f != nil {
		line("source accuracy           %s before, %s with the fine-tuned trunk (%d images)", percent(f.Before), percent(f.After), f.Samples)
	}
	line("")
	line("%-20s %-8s %s", "layer", "moved", "distance")
	for _, l := range r.Layers {
		distance, moved := "-", fmt.Sprintf("%.3f", l.Moved)
		if l.Distance != nil {
			distance = fmt.Sprintf("%.2f", *l.Distance)
		}
		if l.Head {
			moved = "new"
		}
		line("%-20s %-8s %s", l.Name, moved, distance)
	}
	line("")
	for i, f := range r.Findings {
		if i == 0 {
			line("Verdict: %s", f.Kind)
		} else {
			line("Also: %s", f.Kind)
		}
		line("  %s.", upperFirst(f.Why))
		if f.Remedy != "" {
			line("  %s.", upperFirst(f.Remedy))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// MarshalJSON writes infinite evidence, of features that are all zero, as the lowest number, for JSON knows no infinity.
func (r *Report) MarshalJSON() ([]byte, error) {
	type plain Report
	p := plain(*r)
	p.LogME, p.LogMERandom = max(p.LogME, -math.MaxFloat64), max(p.LogMERandom, -math.MaxFloat64)
	return json.Marshal(p)
}

// write leaves the report in the directory.
func (d *diagnosis) write() error {
	if err := d.dir.SaveConfig(d.Config); err != nil {
		return err
	}
	r := &d.report
	for name, f := range map[string]func(io.Writer) error{
		"report.txt": r.Text,
		"report.json": func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			return e.Encode(r)
		},
		"layers.csv": r.layersCSV,
	} {
		if err := checkpoint.AtomicWrite(d.dir.File(name), f); err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) layersCSV(w io.Writer) error {
	rows := [][]string{{"layer", "moved", "distance"}}
	for _, l := range r.Layers {
		distance := ""
		if l.Distance != nil {
			distance = strconv.FormatFloat(*l.Distance, 'g', -1, 64)
		}
		rows = append(rows, []string{l.Name, strconv.FormatFloat(l.Moved, 'g', -1, 64), distance})
	}
	return csv.NewWriter(w).WriteAll(rows)
}
