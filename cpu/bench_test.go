package cpu

import (
	"testing"

	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/device/devicetest"
)

// BenchmarkCall runs layers of well-known networks on one thread; GFLOP/s and GB/s are for each second of processor time.
func BenchmarkCall(b *testing.B) {
	cases := devicetest.Layers(device.FP32)
	d := New(1)
	defer d.Close()
	bench := devicetest.NewBench(b, d, cases)
	for _, c := range cases {
		b.Run(c.Name, func(b *testing.B) {
			step, call := bench.Load(b, c)
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				if err := step(); err != nil {
					b.Fatal(err)
				}
			}
			perSecond := float64(b.N) / (cpuTime(b) - before).Seconds()
			if cost := call.Cost(); cost.FLOPs > 0 {
				b.ReportMetric(float64(cost.FLOPs)*perSecond/1e9, "GFLOP/s")
			} else {
				b.ReportMetric(float64(cost.Bytes)*perSecond/1e9, "GB/s")
			}
		})
	}
}

// BenchmarkLeNet5Step is the calls of one training step of LeNet-5 (tanh and average pooling) on 64 images of 28x28.
func BenchmarkLeNet5Step(b *testing.B) {
	const batch = 64
	d := New(0)
	defer d.Close()
	steps := lenet5(b, d, batch)
	b.ReportAllocs()
	for b.Loop() {
		for _, s := range steps {
			if err := s(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(batch*float64(b.N)/b.Elapsed().Seconds(), "images/s")
}

func BenchmarkTanh(b *testing.B) {
	y := make([]float32, 4096)
	for b.Loop() {
		for i := range y {
			y[i] = float32(i)/1024 - 2
		}
		activate(device.Tanh, y)
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/float64(len(y)), "ns/element")
}

// BenchmarkPhase is what a phase costs beside its tasks.
func BenchmarkPhase(b *testing.B) {
	c := newCrew(2)
	defer c.stop()
	b.ReportAllocs()
	for b.Loop() {
		c.run(2, func(_, _ int) {})
	}
}
