//go:build cuda && cgo && linux

package gpu

import (
	"errors"
	"testing"

	"github.com/cnnctl/cnnctl/device"
)

// paces are the times at which the emulated driver does what is put on a stream; see kernels/emu/stream.cc.
var paces = []string{"lazy", "eager", "rash"}

// through sends numbered batches through an inlet, each while the step before it may still be at work, and returns what the steps have made of them:
// each adds its batch to a sum. Left out is a call that is not made: a mistake.
func through(t *testing.T, d *Device, batches int, leftOut string) (sums []float32) {
	t.Helper()
	const n = 5000
	m, sum := alloc(t, d, n+64), alloc(t, d, n)
	in, err := d.NewInlet(m)
	if err != nil {
		t.Fatal(err)
	}
	add, err := d.Bind(device.Add{N: n, A: m.Slice(device.AlignUp(16), 4*n), B: sum, Y: sum})
	if err != nil {
		t.Fatal(err)
	}
	call := func(name string, f func() error) {
		if err == nil && name != leftOut {
			err = f()
		}
	}
	data := make([]float32, n)
	send := func(i int) {
		for j := range data {
			data[j] = float32(int(1) << i)
		}
		call("Send", func() error { return in.Send(make([]byte, 16), device.Bytes(data)) })
	}
	send(0)
	for i := range batches {
		call("Receive", in.Receive)
		call("step", add)
		call("Release", in.Release)
		if i+1 < batches {
			send(i + 1)
		}
	}
	sums = make([]float32, n)
	if err := errors.Join(err, d.Download(device.Bytes(sums), sum), d.Sync()); err != nil {
		t.Fatal(err)
	}
	return sums
}

// Every batch arrives once, whole and in time, whenever copies and kernels happen.
func TestInlet(t *testing.T) {
	for _, pace := range paces {
		t.Run(pace, func(t *testing.T) {
			emulated(t, "CNNCTL_EMU_STREAMS", pace)
			d := open(t)
			defer d.Close()
			const batches = 7
			for i, v := range through(t, d, batches, "") {
				if v != 1<<batches-1 {
					t.Fatalf("element %d is %b, want %b", i, int(v), 1<<batches-1)
				}
			}
		})
	}
}

// A wait that is missing shows at one of the paces: the emulated driver has streams, and not only their names.
func TestMissingWaitShows(t *testing.T) {
	for _, leftOut := range []string{"Receive", "Release"} {
		shows := false
		for _, pace := range paces {
			emulated(t, "CNNCTL_EMU_STREAMS", pace)
			d := open(t)
			func() {
				defer d.Close()
				for _, v := range through(t, d, 7, leftOut) {
					shows = shows || v != 1<<7-1
				}
			}()
		}
		if !shows {
			t.Errorf("without %s the result is right at every pace", leftOut)
		}
	}
}

func TestInletMisuse(t *testing.T) {
	d := open(t)
	defer d.Close()
	if _, err := d.NewInlet(device.Mem{Arena: 9, Len: 4}); !errors.Is(err, device.ErrGeometry) {
		t.Errorf("an inlet to nowhere: got error %v, want ErrGeometry", err)
	}
	in, err := d.NewInlet(alloc(t, d, 4))
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Send(make([]byte, 20)); !errors.Is(err, device.ErrGeometry) {
		t.Errorf("too much for an inlet: got error %v, want ErrGeometry", err)
	}
	if err := errors.Join(in.Send(), in.Send(make([]byte, 16)), in.Receive(), in.Release(), d.Sync()); err != nil {
		t.Error(err)
	}
}
