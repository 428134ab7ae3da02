package checkpoint

import (
	"fmt"
	"slices"
	"strings"
)

// Want is a tensor that a model needs.
type Want struct {
	Name  string
	Shape []int
}

// A Mismatch tells how a checkpoint differs from what a model needs. As an error it wraps ErrMismatch.
type Mismatch struct {
	Path       string
	Missing    []Want // needed, but not in the file
	Unexpected []Info // in the file, but not needed
	Different  []Difference
}

// A Difference is a tensor that has another shape than the model's, or holds no floating-point numbers.
type Difference struct {
	Want Want
	Got  Info
}

// Match compares the file's tensors with all those that a model needs, before anything is read. The model's names, with
// prefix before them, are the file's; tensors without the prefix are not compared. It returns nil or a *Mismatch.
//
// Counters named num_batches_tracked are ignored: PyTorch's batch norm counts its steps, and nothing here depends on it.
func (f *File) Match(prefix string, wanted []Want) error {
	m := &Mismatch{Path: f.path}
	known := make(map[string]bool, len(wanted))
	for _, w := range wanted {
		known[prefix+w.Name] = true
		t, err := f.Info(prefix + w.Name)
		switch {
		case err != nil:
			m.Missing = append(m.Missing, w)
		case !slices.Equal(t.Shape, w.Shape) || !t.DType.IsFloat():
			m.Different = append(m.Different, Difference{w, t})
		}
	}
	for _, t := range f.tensors {
		if strings.HasPrefix(t.Name, prefix) && !known[t.Name] && !strings.HasSuffix(t.Name, "num_batches_tracked") {
			m.Unexpected = append(m.Unexpected, t)
		}
	}
	if len(m.Missing)+len(m.Unexpected)+len(m.Different) == 0 {
		return nil
	}
	return m
}

func (m *Mismatch) Error() string {
	var parts []string
	add := func(what string, n int, item func(i int) string) {
		const most = 6
		if n == 0 {
			return
		}
		var items []string
		for i := range min(n, most) {
			items = append(items, item(i))
		}
		text := fmt.Sprintf("%d %s: %s", n, what, strings.Join(items, ", "))
		if n > most {
			text += fmt.Sprintf(" and %d more", n-most)
		}
		parts = append(parts, text)
	}
	add("missing", len(m.Missing), func(i int) string { return fmt.Sprintf("%s %v", m.Missing[i].Name, m.Missing[i].Shape) })
	add("unexpected", len(m.Unexpected), func(i int) string { return fmt.Sprintf("%s %v", m.Unexpected[i].Name, m.Unexpected[i].Shape) })
	add("different", len(m.Different), func(i int) string {
		d := m.Different[i]
		if !d.Got.DType.IsFloat() {
			return fmt.Sprintf("%s is of type %s, wanted floating-point numbers", d.Got.Name, d.Got.DType)
		}
		return fmt.Sprintf("%s is %v, wanted %v", d.Got.Name, d.Got.Shape, d.Want.Shape)
	})
	return fmt.Sprintf("%s: its tensors are not the model's, so nothing was loaded: %s; choose the model that they were trained as: %v",
		m.Path, strings.Join(parts, "; "), ErrMismatch)
}

// Unwrap returns ErrMismatch.
func (m *Mismatch) Unwrap() error { return ErrMismatch }
