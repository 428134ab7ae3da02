package train

import (
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestJitter(t *testing.T) {
	for in, want := range map[string]struct {
		j    Jitter
		text string
	}{
		"0":               {Jitter{}, "0"},
		"0.4":             {Jitter{0.4, 0.4, 0.4}, "0.4"},
		"0.4,0.4,0.4":     {Jitter{0.4, 0.4, 0.4}, "0.4"},
		"0.1, 0.2, 0.3":   {Jitter{0.1, 0.2, 0.3}, "0.1,0.2,0.3,0"},
		"0.4,0.4,0.4,0.1": {Jitter{0.4, 0.4, 0.4, 0.1}, "0.4,0.4,0.4,0.1"},
	} {
		var j, again Jitter
		if err := j.Set(in); err != nil || j != want.j || j.String() != want.text {
			t.Errorf("%q: %v, %v, want %v", in, j, err, want)
		}
		b, err := yaml.Marshal(map[string]Jitter{"j": j})
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]Jitter{}
		if err := yaml.Unmarshal(b, &m); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if again = m["j"]; again != j {
			t.Errorf("%q: %v after YAML (%s)", in, again, b)
		}
	}
	var m map[string]Jitter
	if err := yaml.Unmarshal([]byte("j: 0.3"), &m); err != nil || m["j"] != (Jitter{0.3, 0.3, 0.3}) { // a number, as older versions wrote it
		t.Errorf("%v, %v", m, err)
	}
	for _, in := range []string{"", "x", "0.1,0.2", "1,2,3,4,5", "0.1,,0.2"} {
		j := Jitter{1, 2, 3, 0.4}
		if err := j.Set(in); err == nil || j != (Jitter{1, 2, 3, 0.4}) {
			t.Errorf("%q: %v, %v, want an error and no change", in, j, err)
		}
	}
}
