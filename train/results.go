package train

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"github.com/cnnctl/cnnctl/checkpoint"
)

// Row is one epoch in results.csv.
type Row struct {
	Epoch     int     `json:"epoch"` // from 1
	Seconds   float64 `json:"time"`  // since the run began, breaks not counted
	TrainLoss float64 `json:"train_loss"`
	Top1      float64 `json:"top1"` // share of the validation part, 0 to 1
	Top5      float64 `json:"top5"`
	ValLoss   float64 `json:"val_loss"`
	LR        float64 `json:"lr"` // at the last update of the epoch
}

// columns are the headings of results.csv, in the form that Ultralytics uses for its classification runs.
var columns = []string{"epoch", "time", "train/loss", "metrics/accuracy_top1", "metrics/accuracy_top5", "val/loss", "lr"}

// saveResults rewrites results.csv. It is derived from the state, so that a run that continues after a crash has neither lost nor doubled a
// row.
func saveResults(path string, rows []Row) error {
	num := func(v float64) string { return strconv.FormatFloat(v, 'g', 8, 64) }
	return checkpoint.AtomicWrite(path, func(w io.Writer) error {
		c := csv.NewWriter(w)
		c.Write(columns)
		for _, r := range rows {
			c.Write([]string{strconv.Itoa(r.Epoch), fmt.Sprintf("%.3f", r.Seconds), num(r.TrainLoss), num(r.Top1), num(r.Top5), num(r.ValLoss), num(r.LR)})
		}
		c.Flush()
		return c.Error()
	})
}
