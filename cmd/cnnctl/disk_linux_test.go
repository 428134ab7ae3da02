package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// mount makes a file system in memory of so many KiB, and skips the test where that is not allowed.
func mount(t *testing.T, kib string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+kib+"k"); err != nil {
		t.Skipf("no file system of a given size: mounting takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func readOnly(t *testing.T, dir string, on bool) {
	t.Helper()
	flags := uintptr(unix.MS_REMOUNT)
	if on {
		flags |= unix.MS_RDONLY
	}
	if err := unix.Mount("", dir, "", flags, ""); err != nil {
		t.Fatal(err)
	}
}

// A disk without room for the checkpoints is found before the first step, and nothing is left on it.
func TestDiskTooSmall(t *testing.T) {
	t.Parallel()
	disk := mount(t, "1024")
	r := cnnctl(t, t.TempDir(), "train", "lenet5", "--data", writeIDX(t, 64, 16, 16), "--project", disk).want(t, exitIO, "disk full", "bytes of free space")
	if r.err == "" || len(r.out) > 0 {
		t.Errorf("output %q", r.out)
	}
	if left, _ := filepath.Glob(filepath.Join(disk, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A disk that fills up while the run goes on stops it, with the last checkpoint intact: once there is room, the run continues to the same end.
func TestDiskFillsUp(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("several trainings")
	}
	disk, work := mount(t, "8192"), t.TempDir()
	args := []string{"train", "lenet5", "--data", writeIDX(t, 640, 80, 16), "--epochs", "20", "-b", "8", "--save-every", "20", "--project"}
	cnnctl(t, work, append(args, "p")...).want(t, exitDone)

	p := start(t, work, append(args, disk)...)
	p.await(2, "epoch")
	fill(t, filepath.Join(disk, "filler"))
	p.end().want(t, exitIO, "disk full", "free some space")
	run := filepath.Join(disk, "lenet5")
	openState(t, newestState(t, run))
	cnnctl(t, work, "eval", "--run", run).want(t, exitDone, "top-1")
	cnnctl(t, work, "train", "--resume", run).want(t, exitIO, "disk full") // before its first step

	if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
		t.Fatal(err)
	}
	// The settings name another project, as those of a run that was moved would; it is the same run in all else.
	cnnctl(t, work, "train", "--resume", run).want(t, exitDone)
	if got, want := results(t, run), results(t, filepath.Join(work, "p", "lenet5")); len(got) != len(want) || got[20][2] != want[20][2] {
		t.Errorf("results.csv ends with %v, want %v", got[len(got)-1], want[len(want)-1])
	}
}

// fill takes all the room that a disk has left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{64 << 10, 4 << 10} {
		for err = nil; err == nil; _, err = f.Write(make([]byte, size)) {
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
	}
}

func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	disk, work := mount(t, "8192"), t.TempDir()
	data := writeIDX(t, 64, 16, 16)
	cnnctl(t, work, "train", "lenet5", "--data", data, "--epochs", "1", "--project", disk).want(t, exitDone)
	run := filepath.Join(disk, "lenet5")
	readOnly(t, disk, true)
	defer readOnly(t, disk, false)
	cnnctl(t, work, "train", "lenet5", "--data", data, "--project", disk).want(t, exitIO, "read-only")
	cnnctl(t, work, "train", "--resume", run, "--epochs", "2").want(t, exitIO, "read-only")
	cnnctl(t, work, "eval", "--run", run).want(t, exitDone, "top-1") // its results lie elsewhere
	cnnctl(t, work, "eval", "--run", run, "--project", disk).want(t, exitIO, "read-only")
}

// Where a file may not grow to the size of a checkpoint, the limit is reported like a full disk, and the signal that comes with it is not fatal.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	inner := command(ctx, "train", "lenet5", "--data", writeIDX(t, 64, 16, 16), "--epochs", "1")
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.CommandContext(ctx, sh, append([]string{"-c", `ulimit -f 16 && exec "$0" "$@"`}, inner.Args...)...)
	cmd.Env, cmd.Dir = inner.Env, t.TempDir()
	finish(t, cmd).want(t, exitIO, "file too large")
}

// A full device behind standard output is an I/O error.
func TestFullOutput(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"models"}, {"devices"}, {"summary", "lenet5"}, {"train", "lenet5", "--data", writeIDX(t, 64, 16, 12), "--epochs", "1", "--json"}} {
		cmd := command(t.Context(), args...)
		cmd.Dir, cmd.Stdout = t.TempDir(), full
		err := cmd.Run()
		if code := cmd.ProcessState.ExitCode(); err == nil || code != exitIO {
			t.Errorf("%v > /dev/full: exit code %d, want %d", args, code, exitIO)
		}
	}
}
