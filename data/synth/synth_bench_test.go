package synth

import "testing"

// BenchmarkDigits and BenchmarkShapes measure the whole of a start-up, the fonts' fields aside.
func BenchmarkDigits(b *testing.B) {
	for b.Loop() {
		Digits(1)
	}
}

func BenchmarkShapes(b *testing.B) {
	for b.Loop() {
		Shapes(1)
	}
}
