package cpu

import (
	"math"
	"testing"
)

// Every 997th float32 of either sign, which is some of each exponent, and the values around which tanh becomes 1.
func TestTanh(t *testing.T) {
	worst, at := 0.0, float32(0)
	check := func(x float32) {
		want := math.Tanh(float64(x))
		ulp := float64(math.Nextafter32(float32(math.Abs(want)), 2)) - math.Abs(float64(float32(want)))
		if e := math.Abs(float64(tanh(x))-want) / ulp; e > worst {
			worst, at = e, x
		}
		if y := tanh(x); y < -1 || y > 1 || tanh(-x) != -y {
			t.Fatalf("tanh(%v) = %v, tanh(%v) = %v: out of range or not odd", x, y, -x, tanh(-x))
		}
	}
	for b := uint32(0); b < 0x7f800000; b += 997 {
		check(math.Float32frombits(b))
	}
	for x := float32(8.9); x < 9.1; x = math.Nextafter32(x, 10) {
		check(x)
	}
	t.Logf("largest error %.3f ulp, at %v", worst, at)
	if worst >= 1 {
		t.Errorf("error of %.3f ulp at %v, want less than 1", worst, at)
	}
	if y := tanh(float32(math.NaN())); y == y {
		t.Errorf("tanh(NaN) = %v", y)
	}
	if y := tanh(float32(math.Inf(-1))); y != -1 {
		t.Errorf("tanh(-Inf) = %v", y)
	}
}
