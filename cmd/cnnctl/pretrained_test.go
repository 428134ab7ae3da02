package main

import (
	"path/filepath"
	"testing"
)

// Published weights that are nowhere, on a machine without network: what to fetch, and where to put it.
func TestPretrainedOffline(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	t.Setenv("TORCH_HOME", filepath.Join(dir, "torch"))
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1") // where nobody listens
	t.Setenv("NO_PROXY", "")
	writePNG(t, filepath.Join(dir, "five.png"), 5, 1, 40, true)
	cnnctl(t, dir, "predict", "--pretrained", "resnet18", "five.png").want(t, exitIO, "resnet18-f37072fd.pth", "begins with f37072fd",
		filepath.Join(dir, "cache", "cnnctl", "resnet18-f37072fd.pth"), filepath.Join(dir, "torch", "hub", "checkpoints"), "elsewhere")
	cnnctl(t, dir, "predict", "--pretrained", "lenet5", "five.png").want(t, exitUsage, "no published weights")
	// A file that only bears the name is not used.
	write(t, filepath.Join(dir, "cache", "cnnctl", "resnet18-f37072fd.pth"), []byte("an error page"))
	cnnctl(t, dir, "predict", "--pretrained", "resnet18", "five.png").want(t, exitIO, "no whole resnet18-f37072fd.pth")
}
