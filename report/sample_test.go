package report

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/cnnctl/cnnctl/philox"
	"github.com/cnnctl/cnnctl/train"
)

// A history with the shape of a real one: falling losses, overfitting at the end, cosine learning rate after a warm-up.
func sampleHistory(epochs int) []train.Row {
	noise := philox.New(1, philox.Test, epochs, 0)
	jitter := func(scale float64) float64 { return scale * (float64(noise.Uint32())/math.MaxUint32 - 0.5) }
	var h []train.Row
	for e := 1; e <= epochs; e++ {
		x := float64(e) / float64(epochs)
		h = append(h, train.Row{
			Epoch:     e,
			Seconds:   3.2 * float64(e),
			TrainLoss: 2.2*math.Exp(-4*x) + 0.03 + jitter(0.02),
			ValLoss:   2*math.Exp(-5*x) + 0.08 + 0.06*x + jitter(0.03),
			Top1:      0.991 - 0.3*math.Exp(-5*x) + jitter(0.01),
			Top5:      0.9995 - 0.04*math.Exp(-6*x) + jitter(0.0004),
			LR:        0.05 * (1 + math.Cos(math.Pi*x)) / 2 * min(1, 10*x),
		})
	}
	return h
}

// keep writes a picture to the folder that REPORT_SAMPLES names, if it does, for people to look at.
func keep(t *testing.T, name string, b *bytes.Buffer) {
	t.Helper()
	dir := os.Getenv("REPORT_SAMPLES")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
