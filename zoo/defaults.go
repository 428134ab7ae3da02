package zoo

// Defaults says how a model is trained if nothing is asked for. The names of optimisers and schedules are those of the command's flags.
//
// What follows from the images rather than from the network (flips, crops, their size where the data has one) is not here: a
// mirrored digit is wrong for every network, a mirrored flower for none.
type Defaults struct {
	Epochs         int
	Batch          int
	Optimizer      string
	LR             float64 // for Batch; scale it along with another batch size
	Momentum       float64
	WeightDecay    float64
	Schedule       string
	WarmupEpochs   float64
	LabelSmoothing float64
	ImageSize      int // for data sets whose images differ in size
}

// digits suits networks of LeNet's size on small grey images. Steps are cheap, so the rate is high, and it falls along a cosine, which leaves no
// steps of a schedule to be tuned. With it one run each reached 99.3 % on MNIST (lenet5) and 91.1 % on Fashion-MNIST (lenet5_relu) at the
// end of its ten epochs; other values have not been compared.
var digits = Defaults{Epochs: 10, Batch: 64, Optimizer: "nesterov", LR: 0.05, Momentum: 0.9, WeightDecay: 5e-4,
	Schedule: "cosine", WarmupEpochs: 1, ImageSize: 28}

// photos suits networks with tens of millions of parameters on colour images.
//
// Rate and decay are those of the papers and of torchvision's reference, which for VGG and AlexNet stay at 0.01, with or without batch
// norm; the papers' rate that falls by ten when progress ends gives way to a cosine, and their batches of 128 and 256 to ones that fit the
// memory of smaller machines. The warm-up is there because deep networks without batch norm are prone to diverge in their first steps, label
// smoothing against overconfidence (Szegedy et al., arXiv:1512.00567). The number of epochs is meant for small data sets; ImageNet takes
// ninety.
func photos(lr, decay float64) Defaults {
	return Defaults{Epochs: 30, Batch: 64, Optimizer: "sgd", LR: lr, Momentum: 0.9, WeightDecay: decay,
		Schedule: "cosine", WarmupEpochs: 2, LabelSmoothing: 0.1, ImageSize: 224}
}
