package report

import (
	"encoding/csv"
	"io"
	"strconv"
)

// ConfusionCSV writes a confusion matrix, matrix[true class][predicted class], as counts: the first line holds the
// predicted classes, the first column the true ones.
func ConfusionCSV(w io.Writer, matrix [][]int, classes []string) error {
	if err := checkMatrix(matrix, classes); err != nil {
		return err
	}
	c := csv.NewWriter(w)
	record := append([]string{`true\predicted`}, classes...)
	if err := c.Write(record); err != nil {
		return err
	}
	for i, row := range matrix {
		record[0] = classes[i]
		for j, n := range row {
			record[1+j] = strconv.Itoa(n)
		}
		if err := c.Write(record); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}
