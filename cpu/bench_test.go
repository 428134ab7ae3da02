package cpu

import (
	"fmt"
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

// BenchmarkWinograd runs 3x3 convolutions of ResNet-18 at batch 16 in each way, on one thread; GFLOP/s are those of the sums of products, for each
// second of processor time.
func BenchmarkWinograd(b *testing.B) {
	for _, v := range []device.Conv{conv3(16, 56, 64, 64), conv3(16, 28, 128, 128), conv3(16, 14, 256, 256), conv3(16, 7, 512, 512)} {
		for pass, name := range []string{"forward", "data", "filter"} {
			for _, w := range []Winograd{WinogradOff, WinogradF2, WinogradF4} {
				b.Run(fmt.Sprintf("%dx%d,%s/%v", v.H, v.C, name, w), func(b *testing.B) {
					d := New(1)
					defer d.Close()
					d.SetWinograd(w)
					r := newRig(b, d, v, 0)
					c, _ := r.pass(v, pass)
					step := r.bind(b, c)
					before := cpuTime(b)
					for b.Loop() {
						if err := step(); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(c.Cost().FLOPs)*float64(b.N)/(cpuTime(b)-before).Seconds()/1e9, "GFLOP/s")
				})
			}
		}
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
