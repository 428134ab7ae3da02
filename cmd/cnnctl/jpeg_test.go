package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/data/turbojpeg"
)

// writeJPEGs makes a data set of photographs, n in each of two classes, large enough that lenet5 makes them eight times smaller, and returns its folder.
func writeJPEGs(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	const side = 256
	for class, name := range []string{"left", "right"} {
		for i := range n {
			m := image.NewRGBA(image.Rect(0, 0, side+i, side))
			for k, v := range stroke(5*class, i, side) {
				m.Set(k%side, k/side, color.RGBA{v, 255 - v, uint8(k / side), 255})
			}
			var b bytes.Buffer
			if err := jpeg.Encode(&b, m, nil); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, name, string(rune('a'+i))+".jpg"), b.Bytes())
		}
	}
	return dir
}

// What decodes JPEG files is a setting of a run, which its continuation keeps, and says if it cannot.
func TestJPEG(t *testing.T) {
	installed := turbojpeg.Load() == nil
	data, work := writeJPEGs(t, 12), t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		cnnctl(t, work, append([]string{"train", "lenet5", "--data", data, "--epochs", "2", "-b", "4", "--scale", "0.6,1", "--project", "p", "--name", name}, args...)...).
			want(t, exitDone, "Done")
		return filepath.Join(work, "p", name)
	}
	setting := func(dir, want string) {
		t.Helper()
		if !strings.Contains(string(read(t, filepath.Join(dir, "args.yaml"))), "\njpeg: "+want+"\n") {
			t.Errorf("the args.yaml of %s does not say jpeg: %s", dir, want)
		}
	}
	weights := func(dir string) []byte { return read(t, filepath.Join(dir, "weights", "last.safetensors")) }
	byGo := run("go", "--jpeg", "go")
	setting(byGo, "go")
	cnnctl(t, work, "train", "lenet5", "--data", data, "--jpeg", "other").want(t, exitUsage, "--jpeg", "draft")

	t.Run("no library", func(t *testing.T) {
		t.Setenv(turbojpeg.Variable, filepath.Join(work, "absent.so"))
		devices := cnnctl(t, work, "devices").want(t, exitDone, "jpeg  Go's decoder")
		if installed {
			devices.want(t, exitDone, "absent.so", "unset "+turbojpeg.Variable)
		}
		cnnctl(t, work, "bench", "data", data, "--time", "1ms").want(t, exitDone, "decoded by go")
		auto := run("auto")
		setting(auto, "go")
		if !bytes.Equal(weights(auto), weights(byGo)) {
			t.Error("without the library the weights are not those of Go's decoder")
		}
	})
	if !installed {
		t.Skip("the rest needs libjpeg-turbo")
	}
	cnnctl(t, work, "devices").want(t, exitDone, "jpeg  libjpeg-turbo")
	cnnctl(t, work, "bench", "data", data, "--time", "1ms").want(t, exitDone, "decoded by turbo")
	turbo := run("turbo")
	setting(turbo, "turbo")
	draft := run("draft", "--jpeg", "draft", "-j", "1")
	setting(draft, "draft")
	if !bytes.Equal(weights(run("draft-3", "--jpeg", "draft", "-j", "3")), weights(draft)) {
		t.Error("the weights depend on the number of workers")
	}
	if bytes.Equal(weights(draft), weights(turbo)) {
		t.Error("drafts make no difference: none was made")
	}
	cnnctl(t, work, "train", "--resume", byGo, "--epochs", "3").want(t, exitDone, "epoch 3/3")
	setting(byGo, "go")
	cnnctl(t, work, "train", "--resume", byGo, "--epochs", "3", "--jpeg", "turbo").want(t, exitUsage, "--jpeg would make")
	t.Setenv(turbojpeg.Variable, filepath.Join(work, "absent.so"))
	cnnctl(t, work, "train", "--resume", draft, "--epochs", "3").want(t, exitDone, "epoch 3/3", "--jpeg draft: Go's decoder", "absent.so")
	setting(draft, "draft")
}
