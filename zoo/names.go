package zoo

import (
	"fmt"
	"slices"
	"strings"
)

// find returns the model of that name, or an error that lists the names that are close to it.
func find(name string) (model, error) {
	for _, m := range models {
		if m.Name == name {
			return m, nil
		}
	}
	if close := similar(name); len(close) > 0 {
		return model{}, fmt.Errorf("%w %q; did you mean %s?", ErrUnknown, name, strings.Join(close, ", "))
	}
	all := make([]string, len(models))
	for i, m := range models {
		all[i] = m.Name
	}
	return model{}, fmt.Errorf("%w %q; there are %s", ErrUnknown, name, strings.Join(all, ", "))
}

// similar returns the models whose names are few changes away from name once case and punctuation are set aside, nearest first, and
// those that begin with it: "VGG-16" is vgg16, "vgg61" might be vgg11 or vgg16, and "vgg" any of its family.
func similar(name string) []string {
	const most = 2 // changes: a typing error or two
	want := plain(name)
	if want == "" {
		return nil
	}
	var near [most + 1][]string
	for _, m := range models {
		have := plain(m.Name)
		d := distance(want, have)
		if d > most && strings.HasPrefix(have, want) {
			d = most
		}
		if d <= most {
			near[d] = append(near[d], m.Name)
		}
	}
	if len(near[0]) > 0 {
		return near[0]
	}
	return slices.Concat(near[:]...)
}

// plain keeps letters and digits, in lower case.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

// distance is the number of insertions, deletions and substitutions that turn a into b (Levenshtein 1966).
func distance(a, b string) int {
	row := make([]int, len(b)+1) // row[j]: from the part of a seen so far to b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
