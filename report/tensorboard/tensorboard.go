// Package tensorboard writes event files that TensorBoard shows: scalars and images over the steps of a run.
//
// A file is a sequence of TFRecords (tensorflow/core/lib/io/record_writer.h), each holding one Event message
// (tensorflow/core/util/event.proto). The handful of fields in use is encoded directly; generated code and its schemas
// would be most of the package.
package tensorboard

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// ErrClosed is returned by the methods of a closed Writer.
var ErrClosed = errors.New("tensorboard: writer is closed")

// Writer appends events to one file. Its methods may be called from several goroutines at once. Events are buffered:
// Flush shows them to a TensorBoard that is watching.
type Writer struct {
	mu   sync.Mutex
	file *os.File // nil once closed
	buf  *bufio.Writer
	err  error // the first one, which all later calls return
	path string
}

// New creates an event file in dir, which must exist. The name, events.out.tfevents.<seconds>.<host>.<process>.<n>, sorts
// by time, because TensorBoard reads the files of a folder in the order of their names; a resumed run adds a file.
func New(dir string, now time.Time) (*Writer, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	for n := 0; ; n++ {
		path := filepath.Join(dir, fmt.Sprintf("events.out.tfevents.%010d.%s.%d.%d", now.Unix(), host, os.Getpid(), n))
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("tensorboard: creating an event file: %w", err)
		}
		w := &Writer{file: f, buf: bufio.NewWriter(f), path: path}
		// Readers refuse a file that does not begin with its version.
		if err := w.write(fileVersion(now)); err != nil {
			f.Close()
			return nil, err
		}
		return w, w.Flush()
	}
}

// Path returns the name of the file.
func (w *Writer) Path() string { return w.path }

// Scalar records the value of a quantity at a step. TensorBoard groups tags by what comes before their slash.
func (w *Writer) Scalar(tag string, step int64, v float64, wall time.Time) error {
	return w.write(scalarEvent(tag, step, v, wall))
}

// Image records a picture at a step, as PNG.
func (w *Writer) Image(tag string, step int64, img image.Image, wall time.Time) error {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return fmt.Errorf("tensorboard: image %s: %w", tag, err)
	}
	return w.write(imageEvent(tag, step, img.Bounds().Size(), b.Bytes(), wall))
}

// Resume tells TensorBoard that the run starts again at step, so that it forgets what an earlier file, of a process that
// was killed, recorded from there on.
func (w *Writer) Resume(step int64, wall time.Time) error {
	return w.write(sessionStart(step, wall))
}

func (w *Writer) write(event []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return ErrClosed
	}
	if w.err == nil {
		w.note(writeRecord(w.buf, event))
	}
	return w.err
}

// Flush writes buffered events to the file.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return ErrClosed
	}
	if w.err == nil {
		w.note(w.buf.Flush())
	}
	return w.err
}

// note keeps the first error: after it the file ends in half a record, and appending would make the rest unreadable.
func (w *Writer) note(err error) {
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("tensorboard: writing %s: %w", w.path, err)
	}
}

// Close flushes and closes the file. Closing twice is no error.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	if w.err == nil {
		w.note(w.buf.Flush())
	}
	w.note(w.file.Close())
	w.file = nil
	return w.err
}
