package cpu

// tanh is the hyperbolic tangent with an error below 1 ulp, at a third of the time of math.Tanh. LeNet-5 spends a
// quarter of its forward pass here otherwise.
//
// It is x·P(x²)/Q(x²) with the minimax rational function of degree (4, 4) for tanh(x)/x on |x| <= 9.02, whose relative error is
// 2.1e-8; scripts/fit-tanh.py computes the coefficients. The arithmetic is float64, which costs the same for single values
// and leaves the rounding of the result as the only other error.
func tanh(x float32) float32 {
	if x > 9.02 { // where float32(tanh(x)) is 1
		return 1
	}
	if x < -9.02 {
		return -1
	}
	v := float64(x)
	u := v * v
	p := (((1.3317634259103749e-08*u+2.0582454444908862e-05)*u+0.003493973594317795)*u+0.1337966745645841)*u + 0.9999999792070934
	q := (((7.761432722227812e-07*u+0.0003282991910923212)*u+0.02587084366783566)*u+0.46712982772080475)*u + 1
	return float32(v * p / q)
}
