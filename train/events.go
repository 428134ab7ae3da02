package train

import (
	"bytes"
	"encoding/json"
	"os"
	"time"

	"github.com/cnnctl/cnnctl/graph"
)

// Event is something that a run tells its observers. The types below are all there are.
type Event interface{ kind() string }

// Started comes once, before the first step.
type Started struct {
	Model      string   `json:"model"`
	Params     int      `json:"params"`
	Trainable  int      `json:"trainable"`
	Input      [3]int   `json:"input"` // height, width, channels
	Device     string   `json:"device"`
	Data       string   `json:"data"`
	Format     string   `json:"format"`
	Train      int      `json:"train"` // samples
	Val        int      `json:"val"`
	Classes    []string `json:"classes"`
	Augment    string   `json:"augment"`
	Batch      int      `json:"batch"`
	Epochs     int      `json:"epochs"`
	StartEpoch int      `json:"start_epoch"` // epochs that are done already
	StartBatch int      `json:"start_batch"`
	Steps      int      `json:"steps_per_epoch"`
	Dir        string   `json:"dir"`
	Resumed    bool     `json:"resumed"`

	Strategy string         `json:"strategy,omitempty"` // of fine-tuning
	Weights  string         `json:"weights,omitempty"`  // the pretrained checkpoint
	Stages   []StageStarted `json:"stages,omitempty"`   // of fine-tuning

	Memory graph.Memory `json:"memory"`
	Notes  []string     `json:"notes,omitempty"`
}

// StageStarted says what a stage of fine-tuning trains. It comes when the stage begins, and all of them with Started.
type StageStarted struct {
	Epoch       int    `json:"epoch"`  // the first of the stage, from 1
	Layers      string `json:"layers"` // that are trained
	Trainable   int    `json:"trainable"`
	FrozenNorms int    `json:"frozen_norms"` // batch norms that use their stored statistics
	Memory      int64  `json:"memory"`       // bytes of gradients, optimiser state, activations and workspace
}

// Extracting comes now and then while features are computed for the cache, before Started.
type Extracting struct {
	Done  int `json:"done"` // images
	Total int `json:"total"`
}

// Progress comes several times a second while an epoch runs.
type Progress struct {
	Epoch  int           `json:"epoch"` // from 1
	Epochs int           `json:"epochs"`
	Step   int           `json:"step"` // batches done
	Steps  int           `json:"steps"`
	Loss   float64       `json:"loss"` // mean over the epoch so far
	Top1   float64       `json:"top1"` // on the training batches, 0 to 1
	Rate   float64       `json:"images_per_second"`
	Wait   time.Duration `json:"wait_ns"` // in this epoch, for data
	ETA    time.Duration `json:"eta_ns"`  // until the run ends
	LR     float64       `json:"lr"`
}

// EpochDone comes after each validation.
type EpochDone struct {
	Row
	Epochs   int     `json:"epochs"`
	Best     bool    `json:"best"` // the best accuracy so far
	TrainAcc float64 `json:"train_top1"`
	Rate     float64 `json:"images_per_second"`
	Wait     float64 `json:"wait_seconds"`
}

// Saved comes after each checkpoint.
type Saved struct {
	Path    string `json:"path"`
	Updates int    `json:"updates"`
}

// Warning is a remark that the user should see.
type Warning struct {
	Message string `json:"message"`
}

// Finished comes last, when the run has ended by itself.
type Finished struct {
	Dir       string  `json:"dir"`
	Epochs    int     `json:"epochs"`
	BestEpoch int     `json:"best_epoch"`
	BestTop1  float64 `json:"best_top1"`
	Seconds   float64 `json:"seconds"`
	Early     bool    `json:"early_stop"`
	Already   bool    `json:"already_complete"` // there was nothing left to do
}

func (Started) kind() string      { return "start" }
func (StageStarted) kind() string { return "stage" }
func (Extracting) kind() string   { return "features" }
func (Progress) kind() string     { return "progress" }
func (EpochDone) kind() string    { return "epoch" }
func (Saved) kind() string        { return "save" }
func (Warning) kind() string      { return "warning" }
func (Finished) kind() string     { return "done" }

// Observer is told what a run does. It is called between steps and must not keep the run waiting.
type Observer func(Event)

// AppendJSON appends an event as one line of JSON: its fields after "event" and "time" (RFC 3339).
func AppendJSON(b []byte, e Event, now time.Time) ([]byte, error) {
	head, err := json.Marshal(struct {
		Event string    `json:"event"`
		Time  time.Time `json:"time"`
	}{e.kind(), now.UTC().Round(time.Millisecond)})
	if err != nil {
		return b, err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return b, err
	}
	b = append(b, head...)
	if !bytes.Equal(body, []byte("{}")) {
		b[len(b)-1] = ','
		b = append(b, body[1:]...)
	}
	return append(b, '\n'), nil
}

// eventLog appends events to events.jsonl, all but the frequent ones.
type eventLog struct{ f *os.File }

func openEventLog(path string) (*eventLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	return &eventLog{f}, nil
}

func (l *eventLog) write(e Event) error {
	switch e.(type) {
	case Progress, Extracting:
		return nil
	}
	b, err := AppendJSON(nil, e, time.Now())
	if err != nil {
		return err
	}
	_, err = l.f.Write(b)
	return err
}
