package diagnose

import (
	"testing"

	"github.com/cnnctl/cnnctl/philox"
	"github.com/cnnctl/cnnctl/train"
)

func invert(pix []uint8) {
	for i, v := range pix {
		pix[i] = 255 - v
	}
}

// verdict fails unless the first finding is of the kind.
func (r *Report) verdict(t *testing.T, want Kind) {
	t.Helper()
	if got := r.Findings[0].Kind; got != want {
		t.Errorf("the verdict is %s, want %s", got, want)
	}
}

// Every verdict is reached on data that shows it. The pictures of the targets are none of those that the networks were pretrained on.
func TestVerdicts(t *testing.T) {
	if testing.Short() {
		t.Skip("trains two dozen small networks")
	}
	// Ten digits, and the coarse task of telling 0-4 from 5-9, after which a trunk has no use for what else distinguishes them.
	const digits = "digits"
	source := pretrain(t, "lenet5_relu", digits, nil)
	halves := world{train: 300, val: 50, label: func(d, _ int) int { return d / 5 }}.folder(t)
	coarse := pretrain(t, "lenet5_relu", halves, func(c *train.Config) { c.Epochs = 8 })

	t.Run("healthy", func(t *testing.T) {
		r := diagnose(t, "lenet5_relu", source, world{fresh: true, train: 10, val: 30}.folder(t), digits, nil)
		r.verdict(t, Healthy)
		if r.Reference != "source data" || r.Distance > 0.2 || r.LogME < r.LogMERandom || r.Forgotten.Samples != 4000 || r.Forgotten.Before < 0.9 {
			t.Errorf("the same kind of pictures: %+v, %+v", r, r.Forgotten)
		}
		for _, l := range r.Layers {
			if (l.Moved == 0) != l.Head || l.Moved > 0.5 || (l.Distance == nil) != l.Head {
				t.Errorf("layer %+v", l)
			}
		}
	})
	t.Run("domain mismatch", func(t *testing.T) {
		r := diagnose(t, "lenet5_relu", source, world{fresh: true, train: 30, val: 30, change: invert}.folder(t), digits, nil)
		r.verdict(t, DomainMismatch)
	})
	t.Run("over-freezing", func(t *testing.T) {
		r := diagnose(t, "lenet5_relu", coarse, world{fresh: true, train: 30, val: 30}.folder(t), halves, func(c *train.Config) { c.Epochs = 30 })
		r.verdict(t, OverFreezing)
		if r.Distance > 0.2 {
			t.Errorf("a distance of %.2f: these are pictures of the same kind", r.Distance)
		}
	})
	t.Run("too little data", func(t *testing.T) {
		r := diagnose(t, "lenet5_relu", coarse, world{fresh: true, train: 2, val: 30}.folder(t), "", func(c *train.Config) { c.Epochs, c.LRMult = 120, 1 })
		r.verdict(t, TooLittleData)
	})
	t.Run("forgetting", func(t *testing.T) {
		r := diagnose(t, "lenet5_relu", source, world{fresh: true, train: 20, val: 50, digits: 3}.folder(t), digits, func(c *train.Config) { c.LRMult, c.LR = 1, 0.01 })
		r.verdict(t, OverFineTuning)
		if r.Forgotten.Before-r.Forgotten.After < Forgets {
			t.Errorf("nothing was forgotten: %+v", r.Forgotten)
		}
	})
	t.Run("learned by heart", func(t *testing.T) {
		r := diagnose(t, "lenet5_relu", source, world{fresh: true, train: 3, val: 60}.folder(t), "", func(c *train.Config) { c.LRMult, c.LR, c.Epochs = 1, 0.02, 20 })
		r.verdict(t, OverFineTuning)
		if r.Reference != "" || r.Forgotten != nil {
			t.Errorf("compared with %q, forgotten %+v, without source data", r.Reference, r.Forgotten)
		}
	})
	t.Run("negative transfer", func(t *testing.T) {
		// Pretrained on labels that mean nothing.
		random := philox.New(1, philox.Test, 0, 0)
		noise := world{train: 200, val: 20, label: func(_, _ int) int { return random.IntN(10) }}.folder(t)
		spoilt := pretrain(t, "lenet5_relu", noise, func(c *train.Config) { c.Epochs, c.LR, c.Opt, c.Sched = 20, 0.003, "adamw", "constant" })
		r := diagnose(t, "lenet5_relu", spoilt, world{fresh: true, train: 30, val: 30}.folder(t), "", nil)
		r.verdict(t, NegativeTransfer)
		if r.LogME > r.LogMERandom {
			t.Errorf("LogME %.3f, of random weights %.3f", r.LogME, r.LogMERandom)
		}
	})
}
