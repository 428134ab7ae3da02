package device

// RecordWords is the number of float32 words that Record keeps of a step: those of Stats, then the length of the gradient.
const RecordWords = StatsWords + 1

// Record keeps the results of a step on the device, so that the host need not wait for each step to learn them, and ends the training there
// when they are no longer finite numbers.
//
// It copies Stats and Norm to row Hyper.Step mod Slots of Log. If the loss or the norm is not finite it sets Halt to 1, and while Halt is not 0 it
// makes Norm NaN: this Update and every later one then changes nothing, however late the host looks.
type Record struct {
	Slots int
	Stats Mem // (StatsWords)
	Norm  Mem // (1), from Norm2
	Hyper Mem // (HyperWords)
	Halt  Mem // (1), 0 before the first step
	Log   Mem // (Slots, RecordWords)
}

// Cost implements Call.
func (r Record) Cost() Cost { return Cost{0, 4 * (2*RecordWords + 2)} }

// Check implements Call.
func (r Record) Check() error {
	c := checker{call: "record"}
	c.that(r.Slots > 0, "%d slots, wanted a positive number", r.Slots)
	c.size(r.Slots, RecordWords)
	c.mem("Stats", r.Stats, StatsWords)
	c.mem("Norm", r.Norm, 1)
	c.mem("Hyper", r.Hyper, HyperWords)
	c.mem("Halt", r.Halt, 1)
	c.mem("Log", r.Log, r.Slots*RecordWords)
	return c.err
}
