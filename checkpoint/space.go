package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
)

// CheckWritable finds out, before hours are spent on it, whether files of need bytes in total can be written to dir: it
// creates and removes a temporary file and compares need with the free space, where the system reports that. The errors
// wrap ErrReadOnly and ErrDiskFull.
func CheckWritable(dir string, need int64) error {
	f, err := createTemp(filepath.Join(dir, "probe"))
	if err != nil {
		return ExplainWrite(filepath.Join(dir, "probe"), err)
	}
	_, err = f.Write([]byte{0}) // a full disk may still have room for a name
	f.Close()
	os.Remove(f.Name())
	if err != nil {
		return ExplainWrite(filepath.Join(dir, "probe"), err)
	}
	if free, ok := freeBytes(dir); ok && free < need {
		return fmt.Errorf("%s: want %d bytes of free space, got %d; free some or write to another disk: %w", dir, need, free, ErrDiskFull)
	}
	return nil
}
