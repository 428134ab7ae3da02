package bench

import (
	"testing"
	"time"

	"github.com/cnnctl/cnnctl/cpu"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/data/loader"
	"github.com/cnnctl/cnnctl/data/synth"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/train"
	"github.com/cnnctl/cnnctl/zoo"
)

func lenet(t *testing.T) (*graph.Graph, train.Config) {
	info, err := zoo.Lookup("lenet5")
	if err != nil {
		t.Fatal(err)
	}
	g, err := zoo.Build(info.Name, info.Input, info.Classes, zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := train.Defaults(info)
	c.Batch = 8
	return g, c
}

func TestCallsAddUpToTheStep(t *testing.T) {
	g, c := lenet(t)
	dev := cpu.New(1)
	defer dev.Close()
	work, err := Training(g, dev, c)
	if err != nil {
		t.Fatal(err)
	}
	step, err := work.Measure(t.Context(), time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if len(step.Times) < 5 || step.Median() <= 0 || step.Ceiling.FLOPS[device.FP32] <= 0 || step.Ceiling.Bytes <= 0 {
		t.Errorf("measured %d steps, median %v, ceiling %+v", len(step.Times), step.Median(), step.Ceiling)
	}
	calls, _, err := Calls(g, dev, c, 1)
	if err != nil {
		t.Fatal(err)
	}
	var sum device.Cost
	for _, k := range calls {
		if k.Time <= 0 || k.Call == "" {
			t.Errorf("call without a time or a name: %+v", k)
		}
		sum = sum.Plus(k.Cost)
	}
	if sum != step.Cost {
		t.Errorf("the calls cost %+v, the step %+v", sum, step.Cost)
	}
	if first := calls[0]; first.Layer != "conv1" || first.Pass != "forward" || first.Call != "ConvForward" {
		t.Errorf("the first call is %+v", first)
	}
}

func TestFloor(t *testing.T) {
	c := Ceiling{FLOPS: [...]float64{100, 100, 200}, Bytes: 10}
	for _, k := range []struct {
		cost device.Cost
		want time.Duration
	}{
		{device.Cost{FLOPs: 200, Bytes: 10}, 2 * time.Second}, // bound by arithmetic
		{device.Cost{FLOPs: 200, Bytes: 50}, 5 * time.Second}, // bound by traffic
	} {
		if got := c.Floor(k.cost, device.FP32); got != k.want {
			t.Errorf("floor of %+v is %v, want %v", k.cost, got, k.want)
		}
	}
}

func TestDataCountsWholeBatches(t *testing.T) {
	src, _ := synth.Open("digits", 0)
	pipe, err := augment.Eval(augment.Default(28, 28, 1))
	if err != nil {
		t.Fatal(err)
	}
	l, err := loader.New(src.Train, pipe, loader.Config{Batch: 50, Workers: 1, DropLast: true})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Data(t.Context(), l, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if r.Images == 0 || r.Images%50 != 0 || r.Elapsed < 20*time.Millisecond || r.Rate() <= 0 {
		t.Errorf("%+v", r)
	}
}
