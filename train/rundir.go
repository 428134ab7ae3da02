package train

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/data/augment"
	"github.com/cnnctl/cnnctl/data/loader"
	"github.com/cnnctl/cnnctl/zoo"
	"go.yaml.in/yaml/v3"
)

// Dir is a run directory that this process holds.
//
//	args.yaml                     the settings
//	results.csv                   one row per epoch
//	events.jsonl                  what happened when
//	weights/best.safetensors      the weights with the best validation accuracy
//	weights/last.safetensors      the weights at the end of the last epoch
//	state/step-*.safetensors      everything that a continued run needs; the last two are kept
type Dir struct {
	Path string
	lock *lock
}

// CreateDir makes the run directory project/name, or project/name-2 and so on if that exists, and takes hold of it.
func CreateDir(project, name string) (*Dir, error) {
	if err := os.MkdirAll(project, 0o777); err != nil {
		return nil, fmt.Errorf("creating the run directory: %w", err)
	}
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return nil, fmt.Errorf("%w: --name %q, wanted a plain folder name", ErrConfig, name)
	}
	for i := 1; ; i++ {
		path := filepath.Join(project, name)
		if i > 1 {
			path = fmt.Sprintf("%s-%d", path, i)
		}
		err := os.Mkdir(path, 0o777)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("creating the run directory: %w", err)
		}
		return hold(path)
	}
}

// OpenDir takes hold of an existing run directory. Errors wrap ErrRun if it is none, or if another process holds it.
func OpenDir(path string) (*Dir, error) {
	if _, err := os.Stat(filepath.Join(path, "args.yaml")); err != nil {
		return nil, fmt.Errorf("%w: %s holds no args.yaml; wanted a folder that cnnctl train has made, such as runs/train/lenet5", ErrRun, path)
	}
	return hold(path)
}

func hold(path string) (*Dir, error) {
	l, err := takeLock(path)
	if err != nil {
		return nil, err
	}
	d := &Dir{Path: path, lock: l}
	for _, sub := range []string{".", "weights", "state"} {
		// What a killed process was writing.
		if _, err := checkpoint.RemoveTemporary(d.File(sub)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, d.Close())
		}
	}
	return d, nil
}

// makeFolders makes the folders of a training run. The directory of an evaluation has none.
func (d *Dir) makeFolders() error {
	for _, sub := range []string{"weights", "state"} {
		if err := os.MkdirAll(d.File(sub), 0o777); err != nil {
			return fmt.Errorf("creating the run directory: %w", err)
		}
	}
	return nil
}

// Close lets go of the directory.
func (d *Dir) Close() error { return d.lock.release() }

// File returns the path of a file in the directory.
func (d *Dir) File(elem ...string) string {
	return filepath.Join(append([]string{d.Path}, elem...)...)
}

// SaveConfig writes args.yaml.
func (d *Dir) SaveConfig(c Config) error {
	b, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	return WriteFile(d.File("args.yaml"), b)
}

// LoadConfig reads the args.yaml of a run directory. Errors wrap ErrRun.
func LoadConfig(dir string) (Config, error) {
	// What versions did that had no keys for it.
	c := Config{ReMode: string(augment.ErasePixel), ReCount: 1, MixMode: string(loader.MixBatch), Winograd: "off"}
	path := filepath.Join(dir, "args.yaml")
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return c, fmt.Errorf("%w: %s holds no args.yaml; wanted a folder that cnnctl train has made, such as runs/train/lenet5", ErrRun, dir)
	}
	if err != nil {
		return c, err
	}
	defer f.Close()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	err = d.Decode(&c)
	if err == nil {
		err = c.Check()
	}
	if err == nil {
		_, err = zoo.Lookup(c.Model)
	}
	if err != nil {
		// Not wrapped: what is wrong here is the run directory, not what the user typed.
		return c, fmt.Errorf("%w: %s is damaged: %v; restore it, or start a new run", ErrRun, path, err)
	}
	return c, nil
}

// WriteFile replaces a file atomically.
func WriteFile(path string, b []byte) error {
	return checkpoint.AtomicWrite(path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}
