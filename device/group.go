package device

// A Grouper runs several calls as one. A step of a small network is dozens of calls of a few microseconds each; a device that sees
// them together can take a few samples through all of them while their activations are in its nearest memory.
//
// In a group a sample may be at the last call while another is at the first. So whoever lays out memory must treat the calls of a group as
// one: operands that any of them touches share no bytes, except for those that an in-place call overwrites.
type Grouper interface {
	// Groups cuts a program into groups: the first is the first n[0] calls, and so on. A group of one is bound as ever. The operands may be
	// place holders that say no more than which of them are the same.
	Groups(calls []Call) (n []int)
	// BindGroup binds a group. Its step leaves what the calls' own steps would leave one after another, up to the order in which sums were
	// added, but for inner operands: those that nothing reads but calls of the group. What a step leaves in them is the device's own affair.
	BindGroup(calls []Call, inner func(Mem) bool) (Step, error)
}
