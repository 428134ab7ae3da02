// Package train runs trainings: the loop, its settings, evaluation, and the run directory in which a run leaves its traces and from which it
// can be continued.
package train

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/data/loader"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"github.com/cnnctl/cnnctl/zoo"
)

// Config is everything that decides what a run computes, and where it keeps it. It is what args.yaml holds; the keys are the names of the
// command's flags, which are those of torchvision's and timm's training scripts where these have one.
type Config struct {
	Model string `yaml:"model"`
	Data  string `yaml:"data"` // a path, or the name of an embedded set

	Strategy     string              `yaml:"strategy,omitempty"`      // of fine-tuning; empty: the run begins with random weights
	Weights      string              `yaml:"weights,omitempty"`       // the pretrained checkpoint
	LRMult       float64             `yaml:"lr-mult,omitempty"`       // of the layers below the head; 0: the strategy's
	LayerDecay   float64             `yaml:"layer-decay,omitempty"`   // of the rate from layer to layer below the head; 0: none
	FreezeEpochs int                 `yaml:"freeze-epochs,omitempty"` // train the head alone for so long; gradual: epochs of each stage
	HeadInit     string              `yaml:"head-init,omitempty"`     // one of HeadInits; empty: keep a head that fits, else the model's
	Preprocess   *augment.Preprocess `yaml:"preprocess,omitempty"`    // nil: the checkpoint's, or from the data
	NoAug        bool                `yaml:"no-aug,omitempty"`        // prepare training images as for evaluation

	Epochs         int     `yaml:"epochs"`
	Batch          int     `yaml:"batch-size"`
	Opt            string  `yaml:"opt"`
	LR             float64 `yaml:"lr"`
	Momentum       float64 `yaml:"momentum"` // SGD and RMSprop; beta1 of AdamW is 0.9
	WeightDecay    float64 `yaml:"weight-decay"`
	NoNormDecay    bool    `yaml:"no-bias-norm-decay"` // leave biases and normalisation layers out of weight decay
	Sched          string  `yaml:"sched"`
	WarmupEpochs   float64 `yaml:"warmup-epochs"`
	MinLR          float64 `yaml:"min-lr"`
	DecayEpochs    float64 `yaml:"decay-epochs"`
	DecayRate      float64 `yaml:"decay-rate"`
	LabelSmoothing float64 `yaml:"label-smoothing"`
	ClipGrad       float64 `yaml:"clip-grad"` // 0: no limit
	EMA            bool    `yaml:"model-ema"`
	EMADecay       float64 `yaml:"model-ema-decay"`
	Patience       int     `yaml:"patience"` // epochs without a better accuracy before the run ends; 0: never
	Dropout        float64 `yaml:"dropout"`  // negative: as the model has it

	ImageSize   int        `yaml:"image-size"` // 0: the model's
	ValSplit    float64    `yaml:"val-split"`
	HFlip       float64    `yaml:"hflip"`
	VFlip       float64    `yaml:"vflip"`
	Rotation    float64    `yaml:"rotation"`
	Scale       [2]float64 `yaml:"scale,flow"`
	Ratio       [2]float64 `yaml:"ratio,flow"`
	CropPadding int        `yaml:"crop-padding"`
	CropPct     float64    `yaml:"crop-pct"`
	AutoAugment string     `yaml:"aa"`
	ColorJitter Jitter     `yaml:"color-jitter"`
	ReProb      float64    `yaml:"reprob"`
	ReMode      string     `yaml:"remode"`
	ReCount     int        `yaml:"recount"`
	MixUp       float64    `yaml:"mixup"`
	CutMix      float64    `yaml:"cutmix"`
	MixProb     float64    `yaml:"mixup-prob"`
	MixSwitch   float64    `yaml:"mixup-switch-prob"`
	MixMode     string     `yaml:"mixup-mode"`
	SkipCorrupt int        `yaml:"skip-corrupt"`
	MaxPixels   int64      `yaml:"max-pixels"`
	JPEG        data.JPEG  `yaml:"jpeg"` // what decodes JPEG files; empty, as in old runs: Go's decoder

	Seed      uint64           `yaml:"seed"`
	Workers   int              `yaml:"workers"`
	Device    string           `yaml:"device"`
	Precision device.Precision `yaml:"precision"`
	Winograd  string           `yaml:"winograd"`   // minimal filtering of convolutions on a CPU: auto, off, f2, f4
	SaveEvery int              `yaml:"save-every"` // also save every so many steps; 0: after each epoch only
	Project   string           `yaml:"project"`    // parent of the run directories
	Name      string           `yaml:"name"`       // empty: the model's
}

// Defaults returns the settings of a run of a model for which nothing was asked.
func Defaults(info zoo.Info) Config {
	d := info.Defaults
	return Config{Model: info.Name, Epochs: d.Epochs, Batch: d.Batch, Opt: d.Optimizer, LR: d.LR, Momentum: d.Momentum, WeightDecay: d.WeightDecay,
		Sched: d.Schedule, WarmupEpochs: d.WarmupEpochs, DecayEpochs: 30, DecayRate: 0.1, LabelSmoothing: d.LabelSmoothing, EMADecay: 0.9999, Dropout: -1,
		ValSplit: data.DefaultValSplit, HFlip: -1, CropPadding: -1, ReMode: string(augment.ErasePixel), ReCount: 1, MixProb: 1, MixSwitch: 0.5,
		MixMode: string(loader.MixBatch), MaxPixels: data.DefaultMaxPixels, JPEG: data.JPEGAuto,
		Workers: runtime.GOMAXPROCS(0), Device: "auto", Winograd: "auto", Project: "runs/train"}
}

// Optimizers lists the names that Config.Opt takes.
var Optimizers = []string{"sgd", "nesterov", "adamw", "rmsprop"}

// maxWorkers bounds Config.Workers: beyond it, goroutines only wait for each other.
const maxWorkers = 1024

// Check reports every setting that is out of range, all at once. Errors wrap ErrConfig.
func (c Config) Check() error {
	var errs []error
	want := func(ok bool, flag string, got any, wanted string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%w: --%s %v, wanted %s", ErrConfig, flag, got, wanted))
		}
	}
	share := func(flag string, v float64) { want(v >= 0 && v <= 1, flag, v, "a value from 0 to 1") }
	least0 := func(flag string, v float64) { want(v >= 0 && !math.IsInf(v, 1), flag, v, "at least 0") }
	want(c.Epochs >= 0, "epochs", c.Epochs, "at least 0")
	want(c.Batch >= 1 || c.Batch == AutoBatch, "batch-size", c.Batch, "at least 1, or auto")
	want(slices.Contains(Optimizers, c.Opt), "opt", fmt.Sprintf("%q", c.Opt), fmt.Sprintf("one of %v", Optimizers))
	want(c.Momentum >= 0 && c.Momentum < 1, "momentum", c.Momentum, "a value from 0 up to, not including, 1")
	least0("weight-decay", c.WeightDecay)
	want(c.LabelSmoothing >= 0 && c.LabelSmoothing < 1, "label-smoothing", c.LabelSmoothing, "a value from 0 up to, not including, 1")
	least0("clip-grad", c.ClipGrad)
	want(c.EMADecay > 0 && c.EMADecay < 1, "model-ema-decay", c.EMADecay, "a value between 0 and 1")
	want(c.Patience >= 0, "patience", c.Patience, "at least 0")
	want(c.Dropout == -1 || c.Dropout >= 0 && c.Dropout < 1, "dropout", c.Dropout, "a probability below 1, or -1 for the published one")
	want(c.ImageSize >= 0, "image-size", c.ImageSize, "a positive size")
	want(c.ValSplit > 0 && c.ValSplit < 1, "val-split", c.ValSplit, "a value between 0 and 1")
	want(c.HFlip == -1 || c.HFlip >= 0 && c.HFlip <= 1, "hflip", c.HFlip, "a value from 0 to 1, or -1 for the usual one")
	want(c.CropPadding >= -1, "crop-padding", c.CropPadding, "at least 0, or -1 for the usual one")
	share("crop-pct", c.CropPct)
	share("vflip", c.VFlip)
	for _, v := range c.ColorJitter[:3] {
		least0("color-jitter", v)
	}
	want(c.ColorJitter[3] >= 0 && c.ColorJitter[3] <= 0.5, "color-jitter", c.ColorJitter[3], "a hue of 0 to 0.5")
	if _, err := augment.ParseAutoAugment(c.AutoAugment); err != nil {
		errs = append(errs, fmt.Errorf("%w: --aa: %w", ErrConfig, err))
	}
	share("reprob", c.ReProb)
	want(slices.Contains(augment.EraseModes, augment.EraseMode(c.ReMode)), "remode", fmt.Sprintf("%q", c.ReMode), fmt.Sprintf("one of %v", augment.EraseModes))
	want(c.ReCount >= 1 && c.ReCount <= 100, "recount", c.ReCount, "1 to 100")
	least0("mixup", c.MixUp)
	least0("cutmix", c.CutMix)
	share("mixup-prob", c.MixProb)
	share("mixup-switch-prob", c.MixSwitch)
	want(slices.Contains(loader.MixModes, loader.MixMode(c.MixMode)), "mixup-mode", fmt.Sprintf("%q", c.MixMode), fmt.Sprintf("one of %v", loader.MixModes))
	want(c.SkipCorrupt >= 0, "skip-corrupt", c.SkipCorrupt, "at least 0")
	want(c.JPEG == "" || slices.Contains(data.JPEGs, c.JPEG), "jpeg", fmt.Sprintf("%q", c.JPEG), fmt.Sprintf("one of %v", data.JPEGs))
	want(c.MaxPixels > 0, "max-pixels", c.MaxPixels, "a positive number")
	want(c.Workers >= 0 && c.Workers <= maxWorkers, "workers", c.Workers, fmt.Sprintf("0 to %d", maxWorkers))
	want(c.SaveEvery >= 0, "save-every", c.SaveEvery, "at least 0")
	want(c.Project != "", "project", `""`, "a folder")
	least0("lr-mult", c.LRMult)
	want(c.LayerDecay >= 0 && c.LayerDecay <= 1, "layer-decay", c.LayerDecay, "a value above 0, at most 1")
	want(c.FreezeEpochs >= 0, "freeze-epochs", c.FreezeEpochs, "at least 0")
	want(c.HeadInit == "" || slices.Contains(HeadInits, c.HeadInit), "head-init", fmt.Sprintf("%q", c.HeadInit), fmt.Sprintf("one of %v", HeadInits))
	if err := c.checkStrategy(); err != nil {
		errs = append(errs, err)
	}
	if err := c.schedule(1).check(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Augments reports whether training images are asked to be augmented beyond what a model does by itself: the usual crops and flips.
func (c Config) Augments() bool {
	return c.MixUp > 0 || c.CutMix > 0 || c.ColorJitter != (Jitter{}) || c.AutoAugment != "" || c.ReProb > 0 || c.VFlip > 0 || c.Rotation > 0
}

// schedule returns the learning rate's course.
func (c Config) schedule(stepsPerEpoch int) Schedule {
	return Schedule{Kind: c.Sched, Base: c.LR, Min: c.MinLR, Epochs: c.Epochs, StepsPerEpoch: stepsPerEpoch,
		WarmupEpochs: c.WarmupEpochs, DecayEpochs: c.DecayEpochs, DecayRate: c.DecayRate}
}

// Training returns what the graph's compiler needs to know, for a batch size.
func (c Config) Training(batch int) graph.TrainConfig {
	return graph.TrainConfig{Batch: batch, Precision: c.Precision, Seed: c.Seed, LabelSmoothing: float32(c.LabelSmoothing), Optimizer: c.optimizer(), Group: c.group,
		ClipNorm: float32(c.ClipGrad), EMA: c.EMA}
}

// Inference is Training for evaluation.
func (c Config) Inference(batch int) graph.InferConfig {
	return graph.InferConfig{Batch: batch, Precision: c.Precision}
}

// optimizer returns the optimiser with PyTorch's defaults for what has no flag.
func (c Config) optimizer() graph.Optimizer {
	switch c.Opt {
	case "adamw":
		return graph.AdamW{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8}
	case "rmsprop":
		return graph.RMSprop{Alpha: 0.99, Eps: 1e-8, Momentum: float32(c.Momentum)}
	}
	return graph.SGD{Momentum: float32(c.Momentum), Nesterov: c.Opt == "nesterov"}
}

// group is the weight decay of one parameter.
func (c Config) group(p *graph.Param) graph.Group {
	g := graph.Group{LRScale: 1, Decay: float32(c.WeightDecay)}
	if c.NoNormDecay && !p.Decay {
		g.Decay = 0
	}
	return g
}

// emaDecay is the weight of the old average at an update. It climbs with the number of updates, so that the random weights of the beginning
// are forgotten soon (the schedule of TensorFlow's ExponentialMovingAverage).
func (c Config) emaDecay(updates int) float32 {
	u := float64(updates)
	return float32(math.Min(c.EMADecay, (1+u)/(10+u)))
}
