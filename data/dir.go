package data

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// maxDepth bounds how many folders deep a tree is searched. Data sets need four: extra/train/class/part.
const maxDepth = 16

// openDir lists the files below a folder. Symbolic links are followed, since large data sets are often linked into
// place; a link to one of the folders that lead to it is a loop and is left out.
func openDir(root string) (*tree, error) {
	t := &tree{path: root, store: dirStore(root)}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, fmt.Errorf("cannot read the data set: %w", err)
	}
	if err := t.walk(root, "", []string{real}); err != nil {
		return nil, fmt.Errorf("cannot read the data set: %w", err)
	}
	t.sortFiles()
	return t, nil
}

// walk adds the files of folder dir, whose name in the tree is name. Chain holds the real paths from the root to dir.
func (t *tree) walk(dir, name string, chain []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if hidden(e.Name()) {
			continue
		}
		full, rel := filepath.Join(dir, e.Name()), path.Join(name, e.Name())
		info, err := e.Info()
		if err == nil && info.Mode()&os.ModeSymlink != 0 {
			info, err = os.Stat(full)
		}
		switch {
		case os.IsNotExist(err):
			t.notes = append(t.notes, fmt.Sprintf("%s: left out, a link to nothing", full))
		case err != nil:
			return err
		case info.Mode().IsRegular():
			t.files = append(t.files, file{name: rel, size: info.Size()})
		case info.IsDir():
			next, loop := chain, false
			if real, err := filepath.EvalSymlinks(full); err == nil {
				next, loop = descend(chain, real)
			}
			if loop || len(next) > maxDepth {
				t.notes = append(t.notes, fmt.Sprintf("%s: left out, folders are nested too deeply", full))
				continue
			}
			if err := t.walk(full, rel, next); err != nil {
				return err
			}
		}
	}
	return nil
}

// descend appends real to a copy of chain and tells whether it was there already.
func descend(chain []string, real string) (next []string, loop bool) {
	for _, c := range chain {
		if c == real {
			return nil, true
		}
	}
	return append(chain[:len(chain):len(chain)], real), false
}

// dirStore reads the files of a folder. Nothing is held open between reads.
type dirStore string

func (d dirStore) read(f *file, n int64, buf *[]byte) ([]byte, error) {
	r, err := os.Open(filepath.Join(string(d), filepath.FromSlash(f.name)))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := grow(buf, min(n, f.size))
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err // a file that shrank since it was listed ends early
	}
	return b, nil
}

func (dirStore) Close() error { return nil }
