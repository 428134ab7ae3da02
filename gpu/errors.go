//go:build cuda && cgo && linux

package gpu

import (
	"errors"
	"fmt"

	"github.com/cnnctl/cnnctl/gpu/internal/driver"
)

// wrap turns an error of the driver into an *Error. It leaves other errors as they are.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	r, ok := driver.Of(err)
	if !ok {
		return fmt.Errorf("cuda: %s: %w", op, err)
	}
	return &Error{Op: op, Code: int(r), Name: r.Name(), Text: r.Text()}
}

// check is wrap, and remembers an error that the context did not survive: every later call reports it again.
func (d *Device) check(op string, err error) error {
	if err == nil {
		return nil
	}
	err = wrap(op, err)
	if errors.Is(err, ErrLost) && d.lost == nil {
		d.lost = err
	}
	return err
}
