package checkpoint

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// tempInfix marks files that are being written: "." + name + tempInfix + number. The leading dot hides them from globs
// such as *.safetensors.
const tempInfix = ".cnnctl-tmp-"

// AtomicWrite replaces the file at path with what write produces. The data goes to a temporary file in the same folder,
// which is flushed to the disk and then renamed, and the folder is flushed too: whatever happens, a reader finds the old
// file or the new one. If path is a symbolic link, its target is replaced. A file that exists keeps its permissions.
//
// A full disk gives an error that wraps ErrDiskFull, a place without write permission ErrReadOnly, and an error of write
// is returned as it is, with the path. In all three cases the temporary file is gone; only a crash leaves it behind, and
// [RemoveTemporary] clears it away.
func AtomicWrite(path string, write func(w io.Writer) error) error {
	return atomicFile(path, func(f *os.File) error {
		b := bufio.NewWriterSize(f, chunkBytes)
		if err := write(b); err != nil {
			return err
		}
		return b.Flush()
	})
}

func atomicFile(path string, write func(f *os.File) error) (err error) {
	if target, linkErr := filepath.EvalSymlinks(path); linkErr == nil {
		path = target
	}
	f, err := createTemp(path)
	if err != nil {
		return ExplainWrite(path, err)
	}
	defer func() {
		if err != nil {
			f.Close() // a second Close only returns an error
			os.Remove(f.Name())
			err = ExplainWrite(path, err)
		}
	}()
	if st, statErr := os.Stat(path); statErr == nil {
		if !st.Mode().IsRegular() {
			return fmt.Errorf("want a file to replace, got a %s; choose another name", fileKind(st.Mode()))
		}
		if err := f.Chmod(st.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := write(f); err != nil {
		return err
	}
	// Without this the rename may reach the disk before the data, and a power cut leaves an empty file.
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return rename(f.Name(), path)
}

// Rename moves a file that is written and flushed to the name under which others look for it, in the same folder, and flushes the folder. The
// errors are those of [AtomicWrite].
func Rename(from, to string) error {
	if err := rename(from, to); err != nil {
		return ExplainWrite(to, err)
	}
	return nil
}

func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// createTemp is os.CreateTemp with the permissions that the user's umask asks for.
func createTemp(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	for n := 0; ; n++ {
		name := fmt.Sprintf("%s.%s%s%d-%d", dir, base, tempInfix, os.Getpid(), n)
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// syncFolder makes a rename in dir durable, where the system offers that.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" { // folders cannot be opened for it there
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) { // some network file systems
		return nil
	}
	return err
}

// RemoveTemporary removes what interrupted writes left in dir and returns the names. The caller must know that nobody is
// writing there, for instance because it holds the lock of the run directory.
func RemoveTemporary(dir string) (removed []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("looking for temporary files: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasPrefix(e.Name(), ".") || !strings.Contains(e.Name(), tempInfix) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return removed, ExplainWrite(filepath.Join(dir, e.Name()), err)
		}
		removed = append(removed, e.Name())
	}
	return removed, nil
}

// ExplainWrite adds what the user can do about an error of writing path, and makes it wrap ErrDiskFull or ErrReadOnly where it is one of these.
func ExplainWrite(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("writing %s: free some space or write to another disk; the previous file is unchanged: %w: %w", path, ErrDiskFull, err)
	case errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("writing %s: change the permissions of %s or write elsewhere; the previous file is unchanged: %w: %w", path, filepath.Dir(path), ErrReadOnly, err)
	case errors.Is(err, fs.ErrNotExist) && !exists(filepath.Dir(path)): // the special file systems say it of new files
		return fmt.Errorf("writing %s: create the folder %s first: %w", path, filepath.Dir(path), err)
	}
	return fmt.Errorf("writing %s: %w", path, err)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
