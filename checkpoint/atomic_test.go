package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cnnctl/cnnctl/philox"
)

func TestAtomicWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "results.csv")
	for _, text := range []string{"first", "second, longer", ""} {
		err := AtomicWrite(path, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		wantContents(t, path, text)
	}
	wantEntries(t, dir, "results.csv")
}

func TestAtomicWriteKeepsThePreviousFile(t *testing.T) {
	cause := errors.New("loss is NaN")
	cases := []struct {
		name  string
		err   error
		want  error
		about string
	}{
		{"the writer's own error", cause, cause, "loss is NaN"},
		{"no space", &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, ErrDiskFull, "free some space"},
		{"quota", syscall.EDQUOT, ErrDiskFull, "free some space"},
		{"read-only file system", syscall.EROFS, ErrReadOnly, "permissions"},
		{"permission", syscall.EACCES, ErrReadOnly, "permissions"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "last")
			if err := os.WriteFile(path, []byte("previous"), 0o644); err != nil {
				t.Fatal(err)
			}
			err := AtomicWrite(path, func(w io.Writer) error {
				if _, err := w.Write(make([]byte, 2*chunkBytes)); err != nil {
					return err
				}
				return c.err
			})
			if !errors.Is(err, c.want) || !errors.Is(err, c.err) {
				t.Errorf("got %v, want an error that wraps %q and its cause", err, c.want)
			}
			for _, part := range []string{path, c.about} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("message %q lacks %q", err, part)
				}
			}
			wantContents(t, path, "previous")
			wantEntries(t, dir, "last")
		})
	}
}

func TestAtomicWritePlaces(t *testing.T) {
	dir := t.TempDir()
	hello := func(w io.Writer) error { _, err := io.WriteString(w, "hello"); return err }

	t.Run("absent folder", func(t *testing.T) {
		err := AtomicWrite(filepath.Join(dir, "absent", "x"), hello)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "create the folder") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("folder in place of the file", func(t *testing.T) {
		if err := AtomicWrite(dir, hello); err == nil || !strings.Contains(err.Error(), "directory") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("symbolic link", func(t *testing.T) {
		target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
		if err := os.WriteFile(target, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, link); err != nil {
			t.Skip("no symbolic links here:", err)
		}
		if err := AtomicWrite(link, hello); err != nil {
			t.Fatal(err)
		}
		wantContents(t, target, "hello")
		if st, err := os.Lstat(link); err != nil || st.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("the link was replaced: %v, %v", st, err)
		}
		if st, err := os.Stat(target); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("the permissions changed to %v, %v", st.Mode(), err)
		}
	})
	t.Run("without write permission", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may write everywhere")
		}
		locked := filepath.Join(dir, "locked")
		if err := os.Mkdir(locked, 0o555); err != nil {
			t.Fatal(err)
		}
		if err := AtomicWrite(filepath.Join(locked, "x"), hello); !errors.Is(err, ErrReadOnly) {
			t.Errorf("got %v, want ErrReadOnly", err)
		}
		if err := CheckWritable(locked, 0); !errors.Is(err, ErrReadOnly) {
			t.Errorf("CheckWritable: got %v, want ErrReadOnly", err)
		}
	})
}

func TestRemoveTemporary(t *testing.T) {
	dir := t.TempDir()
	keep := []string{".hidden", "last.safetensors", "notes" + tempInfix + "1"} // the last is visible, so not ours
	for _, name := range append(slices.Clone(keep), ".last.safetensors"+tempInfix+"123-0") {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	removed, err := RemoveTemporary(dir)
	if err != nil || len(removed) != 1 || !strings.HasPrefix(removed[0], ".last.safetensors") {
		t.Errorf("removed %q, %v", removed, err)
	}
	wantEntries(t, dir, keep...)
}

func TestCheckWritable(t *testing.T) {
	dir := t.TempDir()
	if err := CheckWritable(dir, 1); err != nil {
		t.Error(err)
	}
	wantEntries(t, dir)
	if _, ok := freeBytes(dir); ok {
		if err := CheckWritable(dir, 1<<62); !errors.Is(err, ErrDiskFull) {
			t.Errorf("four exbibytes: got %v, want ErrDiskFull", err)
		}
	}
	if err := CheckWritable(filepath.Join(dir, "absent"), 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent folder: got %v", err)
	}
}

// A process that is killed at random moments while it saves leaves a whole checkpoint each time. The test runs itself as
// that process, which the environment variable tells it.
func TestKilledWhileWriting(t *testing.T) {
	const variable = "CNNCTL_TEST_WRITE_CHECKPOINTS_TO"
	if path := os.Getenv(variable); path != "" {
		// Bounded, so that nothing runs on when the parent itself is killed.
		for i, start := 0, time.Now(); time.Since(start) < 30*time.Second; i++ {
			x := bytes.Repeat([]byte{byte(i)}, 1<<20)
			err := Write(path, []Tensor{{Name: "x", DType: U8, Shape: []int{len(x)}, Raw: x}}, map[string]string{"i": fmt.Sprint(i)})
			if err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "last.safetensors")
	if err := Write(path, nil, nil); err != nil {
		t.Fatal(err)
	}
	random := philox.New(2, philox.Test, 0, 0)
	leftovers := 0
	for round := range 10 {
		child := exec.Command(exe, "-test.run=^TestKilledWhileWriting$")
		child.Env = append(os.Environ(), variable+"="+path)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20*time.Millisecond + time.Duration(random.Uint32()%80_000)*time.Microsecond)
		if err := child.Process.Kill(); err != nil {
			t.Fatal("the child ended by itself:", err)
		}
		child.Wait()
		f, err := Open(path)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := f.Verify(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		f.Close()
		removed, err := RemoveTemporary(dir)
		if err != nil {
			t.Fatal(err)
		}
		leftovers += len(removed)
		wantEntries(t, dir, "last.safetensors")
	}
	t.Logf("%d of 10 kills came while a temporary file was there", leftovers)
}

func wantContents(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s: got %.20q, %v, want %q", path, got, err, want)
	}
}

func wantEntries(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}
