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

// digits suits networks of LeNet's size on small grey images.
//
// With 60,000 parameters the gradient of 64 images is a good one and steps are cheap, so the rate is high and falls along a cosine, which
// makes the last epochs count and needs no tuning of steps. Nesterov's momentum is a little faster here than the plain one.
var digits = Defaults{Epochs: 10, Batch: 64, Optimizer: "nesterov", LR: 0.05, Momentum: 0.9, WeightDecay: 5e-4,
	Schedule: "cosine", WarmupEpochs: 1, ImageSize: 28}

// photos suits networks with tens of millions of parameters on colour images.
//
// Rate and decay are those of the papers and of torchvision's reference, which for VGG and AlexNet stay at 0.01, with or without batch
// norm; the papers' batch sizes and their rate that falls by ten when progress ends give way to a cosine. The warm-up keeps the first
// steps of a deep network without batch norm from diverging. Label smoothing costs nothing and calibrates (Szegedy et al.,
// arXiv:1512.00567). Thirty epochs are enough for the data sets that one trains on a single machine; ImageNet takes ninety.
func photos(lr, decay float64) Defaults {
	return Defaults{Epochs: 30, Batch: 64, Optimizer: "sgd", LR: lr, Momentum: 0.9, WeightDecay: decay,
		Schedule: "cosine", WarmupEpochs: 2, LabelSmoothing: 0.1, ImageSize: 224}
}
