//go:build cgo

package kernel

// #include "kernel.h"
import "C"

import "unsafe"

// first returns the address of a slice for C; nil stays nil.
func first(s []float32) *C.float { return (*C.float)(unsafe.SliceData(s)) }

func first64(s []float64) *C.double { return (*C.double)(unsafe.SliceData(s)) }

// Act computes y = act(x), where act is a device.Act; y may be x. This and the following functions take the length of their first slice.
func Act(act int, y, x []float32) {
	C.cnn_run_act(C.int64_t(act), first(y), first(x), C.int64_t(len(y)))
}

// ActBackward computes dx (+)= dy·act'(x) from the output y; dx may be dy.
func ActBackward(act int, dx, dy, y []float32, add bool) {
	C.cnn_run_act_backward(C.int64_t(act), first(dx), first(dy), first(y), C.int64_t(len(dx)), truth(add))
}

// Add computes y = a + b; y may be either.
func Add(y, a, b []float32) { C.cnn_run_add(first(y), first(a), first(b), C.int64_t(len(y))) }

// Dropout computes the elements of y (+)= x·scale that blocks [b0, b1) of the generator decide on.
func Dropout(y, x []float32, b0, b1 int, m *Mask, scale float32, add bool) {
	C.cnn_run_dropout(first(y), first(x), C.int64_t(len(y)), C.int64_t(b0), C.int64_t(b1), (*C.uint32_t)(&m.Key[0]),
		C.uint32_t(m.Step), C.uint32_t(m.Layer), C.uint32_t(m.Threshold), C.float(scale), truth(add))
}

// SGD is a part of device.SGD; v may be nil.
func SGD(w, g, v []float32, r Rate, nesterov bool) {
	C.cnn_run_sgd(first(w), first(g), first(v), C.int64_t(len(w)), C.float(r.Clip), C.float(r.LR), C.float(r.Decay), C.float(r.Momentum),
		truth(nesterov))
}

// AdamW is a part of device.AdamW; beta1 is the momentum, inv1 and inv2 are the inverse corrections of the bias.
func AdamW(w, g, m, v []float32, r Rate, beta2, eps, inv1, inv2 float32) {
	C.cnn_run_adamw(first(w), first(g), first(m), first(v), C.int64_t(len(w)), C.float(r.Clip), C.float(r.LR), C.float(r.Decay),
		C.float(r.Momentum), C.float(beta2), C.float(eps), C.float(inv1), C.float(inv2))
}

// RMSprop is a part of device.RMSprop; v may be nil.
func RMSprop(w, g, s, v []float32, r Rate, alpha, eps float32) {
	C.cnn_run_rmsprop(first(w), first(g), first(s), first(v), C.int64_t(len(w)), C.float(r.Clip), C.float(r.LR), C.float(r.Decay),
		C.float(alpha), C.float(eps), C.float(r.Momentum))
}

// EMA computes e = d·e + (1-d)·w.
func EMA(e, w []float32, d float32) { C.cnn_run_ema(first(e), first(w), C.int64_t(len(e)), C.float(d)) }
