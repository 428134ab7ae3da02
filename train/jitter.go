package train

import (
	"fmt"
	"strconv"
	"strings"
)

// Jitter is the strength of random changes of brightness, contrast, saturation and hue; see augment.ColorJitter. As a flag and in YAML it is one
// number, which stands for the first three (timm's meaning of it), or three or four with commas between them.
type Jitter [4]float64

// String returns the shortest form.
func (j Jitter) String() string {
	if j[0] == j[1] && j[0] == j[2] && j[3] == 0 {
		return strconv.FormatFloat(j[0], 'g', -1, 64)
	}
	parts := make([]string, len(j))
	for i, v := range j {
		parts[i] = strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strings.Join(parts, ",")
}

// Set is the inverse of String.
func (j *Jitter) Set(s string) error {
	var v Jitter
	parts := strings.Split(s, ",")
	if n := len(parts); n != 1 && n != 3 && n != 4 {
		return fmt.Errorf("wanted one, three or four numbers, such as 0.4 or 0.4,0.4,0.4,0.1, got %q", s)
	}
	for i, part := range parts {
		x, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return fmt.Errorf("wanted numbers such as 0.4 or 0.4,0.4,0.4,0.1, got %q", s)
		}
		v[i] = x
	}
	if len(parts) == 1 {
		v[1], v[2] = v[0], v[0]
	}
	*j = v
	return nil
}

// Type names the form in help texts.
func (j *Jitter) Type() string { return "strength" }

// MarshalText and UnmarshalText serve YAML.
func (j Jitter) MarshalText() ([]byte, error) { return []byte(j.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (j *Jitter) UnmarshalText(b []byte) error { return j.Set(string(b)) }
