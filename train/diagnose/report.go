// Package diagnose tells whether transfer helps: whether a network that was pretrained on other images serves for these, and if not, what goes
// wrong. It trains the same network three times at an equal budget, measures what happened, and judges.
package diagnose

// Report is what was measured, and the verdict. Accuracies are shares from 0 to 1.
type Report struct {
	Model      string `json:"model"`
	Weights    string `json:"weights"`
	Data       string `json:"data"`
	SourceData string `json:"source_data,omitempty"`

	Classes int `json:"classes"`
	Train   int `json:"train_samples"`
	Val     int `json:"val_samples"`
	Epochs  int `json:"epochs"`
	Batch   int `json:"batch"`

	Probe   Outcome `json:"probe"`   // the head alone, on the frozen trunk
	Full    Outcome `json:"full"`    // all layers
	Scratch Outcome `json:"scratch"` // all layers from random weights

	// Reference says what the activation statistics of the target's images were compared with: "batch-norm statistics" or "source data"; empty if
	// there was neither.
	Reference string  `json:"reference,omitempty"`
	Distance  float64 `json:"distance"` // the mean of the layers', if there is a reference
	Layers    []Layer `json:"layers"`

	LogME       float64 `json:"logme"`        // of the pretrained features
	LogMERandom float64 `json:"logme_random"` // of those of the same network with random weights

	Forgotten *Forgotten `json:"forgotten,omitempty"`

	Findings []Finding `json:"findings"` // the first one is the verdict
	Dir      string    `json:"dir"`
}

// Outcome is how one of the trainings ended.
type Outcome struct {
	Strategy  string  `json:"strategy"`
	Top1      float64 `json:"top1"`       // the best validation accuracy
	BestEpoch int     `json:"best_epoch"` // its epoch, from 1
	Last      float64 `json:"last"`       // validation accuracy after the last epoch
	Fit       float64 `json:"fit"`        // accuracy of the last weights on training images, as they are for evaluation
	Seconds   float64 `json:"seconds"`
	Diverged  bool    `json:"diverged,omitempty"`
}

// Layer is what was measured of one layer with parameters.
type Layer struct {
	Name     string   `json:"name"`
	Distance *float64 `json:"distance,omitempty"` // of activation statistics, see Distance; nil if they were not compared
	Moved    float64  `json:"moved"`              // |fine-tuned - pretrained| / |pretrained| of the weights (L2), after full fine-tuning
	Head     bool     `json:"head,omitempty"`     // the head has not moved: it is new
}

// Forgotten is the accuracy on the source's validation images with the pretrained head, before and after full fine-tuning of the trunk.
type Forgotten struct {
	Before  float64 `json:"before"`
	After   float64 `json:"after"`
	Samples int     `json:"samples"`
	Note    string  `json:"note,omitempty"` // why it could not be measured
}

// Kind is the name of a finding.
type Kind string

// The findings.
const (
	Healthy          Kind = "healthy transfer"
	NoDifference     Kind = "no difference"
	NegativeTransfer Kind = "negative transfer"
	DomainMismatch   Kind = "domain mismatch"
	OverFreezing     Kind = "over-freezing"
	OverFineTuning   Kind = "over-fine-tuning"
	TooLittleData    Kind = "too little data"
)

// Finding is a statement with the numbers behind it, and what to do.
type Finding struct {
	Kind   Kind   `json:"kind"`
	Why    string `json:"why"`
	Remedy string `json:"remedy,omitempty"`
}
