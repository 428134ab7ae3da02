package train

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/cnnctl/cnnctl/graph"
)

// looking trains as c says, with a look at the results of steps every so often.
func looking(t *testing.T, c Config, every time.Duration) (*Run, error) {
	t.Helper()
	dev := newDevice(t)
	return train(t, func(ctx context.Context, o ...Observer) (*Run, error) {
		r, err := Start(ctx, c, dev, o...)
		if err == nil {
			r.interval = every
		}
		return r, err
	}, nil)
}

// When the host looks at the results decides nothing: not with more steps than the device keeps results of, either.
func TestTimeOfLookingLeavesNoTrace(t *testing.T) {
	c := defaults(t, "lenet5_relu", t.TempDir())
	c.Data, c.Batch, c.Epochs, c.Opt, c.LR = writeStrokes(t, 170, 16), 1, 1, "sgd", 0.01
	var want *Run
	for _, every := range []time.Duration{0, time.Hour} {
		r, err := looking(t, c, every)
		if err != nil {
			t.Fatal(err)
		}
		if r.batches.Batches() <= graph.MaxUnread {
			t.Fatalf("an epoch has %d steps: the check shows nothing", r.batches.Batches())
		}
		if want == nil {
			want = r
		}
		sameEnd(t, r, want)
	}
}

// A step that diverges is found late with the right number, layer and samples, and neither it nor what follows is saved.
func TestDivergenceIsDated(t *testing.T) {
	c := defaults(t, "lenet5_relu", t.TempDir())
	c.Data, c.Batch, c.Epochs, c.Opt, c.Sched, c.WarmupEpochs, c.LR = writeStrokes(t, 60, 16), 4, 2, "sgd", "constant", 0, 3e3
	var want string
	for _, every := range []time.Duration{0, time.Hour} {
		r, err := looking(t, c, every)
		if !errors.Is(err, ErrDiverged) {
			t.Fatalf("got error %v, want ErrDiverged", err)
		}
		if want == "" {
			want = err.Error()
			t.Log(want)
		} else if err.Error() != want {
			t.Errorf("a look every %v gives\n%v\nafter each step\n%v", every, err, want)
		}
		for _, folder := range []string{"weights", "state"} {
			if left, err := os.ReadDir(r.Dir.File(folder)); err != nil || len(left) > 0 {
				t.Errorf("a look every %v: %s holds %v, %v, want nothing", every, folder, left, err)
			}
		}
	}
}
