package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// trained makes a run that tells strokes apart, and returns its working directory.
func trained(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cnnctl(t, dir, "train", "lenet5", "--data", writeIDX(t, 640, 80, 16), "--epochs", "3", "-b", "8", "--quiet").want(t, exitDone)
	return dir
}

// A run directory has the layout that users know.
func TestRunDirectory(t *testing.T) {
	t.Parallel()
	run := filepath.Join(trained(t), "runs", "train", "lenet5")
	for _, name := range []string{"args.yaml", "results.csv", "results.png", "confusion_matrix.png", "confusion_matrix.csv", "train_batch0.jpg", "val_pred.jpg",
		"weights/best.safetensors", "weights/last.safetensors", "events.jsonl"} {
		if st, err := os.Stat(filepath.Join(run, name)); err != nil || st.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(run, "events.out.tfevents.*")); len(found) != 1 {
		t.Errorf("TensorBoard files %v, want one", found)
	}
	rows := results(t, run)
	if want := "epoch,time,train/loss,metrics/accuracy_top1,metrics/accuracy_top5,val/loss,lr"; strings.Join(rows[0], ",") != want {
		t.Errorf("results.csv begins with %v, want %s", rows[0], want)
	}
	if len(rows) != 4 {
		t.Errorf("%d rows, want 3 and headings", len(rows))
	}
}

func TestEval(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	cnnctl(t, dir, "eval", "--run", "runs/train/lenet5").want(t, exitDone, "best.safetensors) on 80 samples", "top-1", "top-5", "runs/eval/lenet5")
	var got struct {
		Samples   int
		Top1      float64
		Confusion [][]int
		Dir       string
	}
	r := cnnctl(t, dir, "eval", "--run", "runs/train/lenet5", "--weights", "runs/train/lenet5/weights/last.safetensors", "-b", "7", "-j", "0", "--json").want(t, exitDone)
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	rows := results(t, filepath.Join(dir, "runs", "train", "lenet5"))
	last := number(t, rows[3][3])
	if got.Samples != 80 || got.Top1 != last || len(got.Confusion) != strokeClasses || got.Dir != "runs/eval/lenet5-2" {
		t.Errorf("%s, but the last epoch had %v", r.out, last)
	}
	entries, err := os.ReadDir(filepath.Join(dir, got.Dir))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	if want := []string{"confusion_matrix.csv", "confusion_matrix.png", "val_pred.jpg"}; !slices.Equal(names, want) {
		t.Errorf("the result directory holds %v, want %v", names, want)
	}
	cnnctl(t, dir, "eval", "--run", "runs/train/lenet5", "--data", "digits").want(t, exitRun, "digits has the classes")
	for _, flags := range [][]string{{"-b", "0"}, {"-b", "-1"}, {"-j", "-1"}} {
		cnnctl(t, dir, append([]string{"eval", "--run", "runs/train/lenet5"}, flags...)...).want(t, exitUsage)
	}
}

// An image goes through the preprocessing that is stored with the weights, whatever its size and colours are.
func TestPredict(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	writePNG(t, filepath.Join(dir, "five.png"), 5, 9999, 16, false)
	writePNG(t, filepath.Join(dir, "two.png"), 2, 9998, 16, false)
	r := cnnctl(t, dir, "predict", "--run", "runs/train/lenet5", "five.png", "two.png", "--topk", "3").want(t, exitDone)
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if len(lines) != 8 || lines[0] != "five.png" || !strings.HasSuffix(lines[1], "%  5") || lines[4] != "two.png" || !strings.HasSuffix(lines[5], "%  2") {
		t.Errorf("output\n%s", r.out)
	}
	r = cnnctl(t, dir, "predict", "--weights", "runs/train/lenet5/weights/last.safetensors", "five.png", "--json", "--topk", "99").want(t, exitDone)
	var got struct {
		Image   string
		Classes []struct {
			Class       string
			Probability float64
		}
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, c := range got.Classes {
		sum += c.Probability
	}
	if len(got.Classes) != strokeClasses || got.Classes[0].Class != "5" || sum < 0.999 || sum > 1.001 {
		t.Errorf("output %s", r.out)
	}

	write(t, filepath.Join(dir, "bomb.png"), bomb())
	write(t, filepath.Join(dir, "no.png"), []byte("no picture"))
	for name, text := range map[string]string{"bomb.png": "60000 x 60000", "no.png": "no.png", "absent.png": "absent.png"} {
		cnnctl(t, dir, "predict", "--run", "runs/train/lenet5", name).want(t, exitData, text)
	}
	cnnctl(t, dir, "predict", "--run", "runs/train/lenet5", ".").want(t, exitIO, "directory")
	writePNG(t, filepath.Join(dir, "colour.png"), 5, 1, 40, true)
	cnnctl(t, dir, "predict", "--run", "runs/train/lenet5", "colour.png").want(t, exitDone)
}

// Damaged weights are not used.
func TestDamagedWeights(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	writePNG(t, filepath.Join(dir, "five.png"), 5, 9999, 16, false)
	best := filepath.Join(dir, "runs", "train", "lenet5", "weights", "best.safetensors")
	sound := read(t, best)
	for _, at := range []int{3, 200, len(sound) - 1} {
		bad := slices.Clone(sound)
		bad[at] ^= 4
		write(t, best, bad)
		cnnctl(t, dir, "predict", "--run", "runs/train/lenet5", "five.png").want(t, exitRun, "best.safetensors")
		cnnctl(t, dir, "eval", "--run", "runs/train/lenet5").want(t, exitRun, "best.safetensors")
		cnnctl(t, dir, "train", "--resume", "runs/train/lenet5").want(t, exitRun, "best.safetensors")
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	file := "runs/train/lenet5/weights/best.safetensors"
	cnnctl(t, dir, "inspect", file, "--verify").want(t, exitDone, "conv1.weight  F32   [6 1 5 5]", "conv2.weight  F32   [16 6 5 5]", "10 tensors, 21,216 elements",
		"cnnctl.spec: ", "format: pt", "every digest holds")
	cnnctl(t, dir, "inspect", file, "--stats").want(t, exitDone, "MIN", "ZEROS", "NAN", "INF")
	b := read(t, filepath.Join(dir, file))
	b[len(b)-3] ^= 1
	write(t, filepath.Join(dir, file), b)
	cnnctl(t, dir, "inspect", file, "--verify").want(t, exitRun, "best.safetensors")
}

func TestInspectJSON(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "types.pth"), read(t, filepath.Join("..", "..", "checkpoint", "testdata", "types.pth")))
	write(t, filepath.Join(dir, "config.json"), []byte(`{"architecture":"resnet18.a1_in1k","num_classes":3,"pretrained_cfg":{"input_size":[3,64,64],"mean":[0,0,0],"std":[1,1,1]}}`))
	r := cnnctl(t, dir, "inspect", "types.pth", "--stats", "--json").want(t, exitDone)
	var got struct {
		Bytes    int64
		SHA256   string
		Elements int
		Tensors  []struct {
			Name, DType string
			Shape       []int
			Stats       *struct{ Count, NaNs, Infs int }
		}
		Metadata    map[string]string
		Description struct {
			Architecture, Model string
			Classes             int
		}
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	elements := 0
	for _, info := range got.Tensors {
		if info.Name == "" || info.DType == "" || info.Shape == nil || info.Stats == nil {
			t.Errorf("got %+v", info)
			continue
		}
		elements += info.Stats.Count
	}
	if elements == 0 || elements != got.Elements || got.Metadata["pytorch.container"] != "zip" || len(got.SHA256) != 64 || got.Bytes == 0 {
		t.Errorf("got %+v", got)
	}
	if d := got.Description; d.Architecture != "resnet18.a1_in1k" || d.Model != "resnet18" || d.Classes != 3 {
		t.Errorf("config.json: got %+v", d)
	}
	cnnctl(t, dir, "inspect", "types.pth").want(t, exitDone, "config.json says: resnet18.a1_in1k, 3 classes, images of 64x64")
	cnnctl(t, dir, "inspect", "types.pth", "--key", "absent").want(t, exitRun, "absent")
	write(t, filepath.Join(dir, "config.json"), []byte("{"))
	cnnctl(t, dir, "inspect", "types.pth").want(t, exitRun, "config.json")
}

// What export writes is an ONNX model with the spec, or a checkpoint that answers as before.
func TestExport(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	run, best := "runs/train/lenet5", filepath.Join("runs", "train", "lenet5", "weights", "best")
	cnnctl(t, dir, "export", run).want(t, exitDone, best+".onnx: lenet5 for images of 16x16x1, 8 classes")
	model := read(t, filepath.Join(dir, best+".onnx"))
	for _, part := range []string{"cnnctl.spec", `"preprocess"`, "conv1.weight", "Gemm", "logits"} {
		if !bytes.Contains(model, []byte(part)) {
			t.Errorf("the model lacks %s", part)
		}
	}
	cnnctl(t, dir, "export", run).want(t, exitUsage, "--force")
	cnnctl(t, dir, "export", run, "--force", "--fold-bn").want(t, exitDone)
	cnnctl(t, dir, "export", run, "--format", "safetensors", "-o", "out.safetensors").want(t, exitDone, "out.safetensors: tensors")
	cnnctl(t, dir, "export", run, "--format", "caffe").want(t, exitUsage, "onnx or safetensors")
	cnnctl(t, dir, "export", run, "--format", "safetensors", "--fold-bn", "-o", "x.safetensors").want(t, exitUsage, "--fold-bn")
	cnnctl(t, dir, "export", "absent").want(t, exitRun, "absent")
	cnnctl(t, dir, "export", run, "-o", "/dev/full/x").want(t, exitIO)

	writePNG(t, filepath.Join(dir, "five.png"), 5, 9999, 16, false)
	a := cnnctl(t, dir, "predict", "--run", run, "--logits", "five.png").want(t, exitDone)
	b := cnnctl(t, dir, "predict", "--weights", "out.safetensors", "--logits", "five.png").want(t, exitDone)
	var line struct {
		Image  string
		Logits []float64
	}
	if err := json.Unmarshal([]byte(a.out), &line); err != nil || len(line.Logits) != strokeClasses || line.Image != "five.png" {
		t.Errorf("got %s, %v", a.out, err)
	}
	if a.out != b.out {
		t.Errorf("exported weights answer %s, those of the run %s", b.out, a.out)
	}
}

func TestSummaryAndLists(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cnnctl(t, dir, "summary", "lenet5").want(t, exitDone, "conv1", "conv 6@5x5 pad 2", "28x28x6", "10x10x16", "48,120", "61,706, of which 61,706 are trained",
		"weights 242.5 KiB", "activations", "workspace", "at batch size 64 with nesterov")
	cnnctl(t, dir, "summary", "vgg16").want(t, exitDone, "138,357,544")
	cnnctl(t, dir, "summary", "alexnet", "--classes", "10", "-b", "1", "--opt", "adamw").want(t, exitDone, "57,044,810", "at batch size 1 with adamw")
	cnnctl(t, dir, "models").want(t, exitDone, "lenet5", "61,706", "alexnet", "61,100,840", "vgg19_bn", "MODEL", "PAPER")
	cnnctl(t, dir, "devices").want(t, exitDone, "cpu", "threads", "cuda")
	help := cnnctl(t, dir, "help", "exit-codes").want(t, exitDone)
	for _, line := range []string{"0  done", "1  internal", "2  usage", "3  bad input", "4  checkpoint", "5  input/output", "6  device", "7  training diverged", "130  ", "143  "} {
		if !strings.Contains(help.out, line) {
			t.Errorf("help exit-codes does not say %q", line)
		}
	}
	for _, args := range [][]string{{}, {"--help"}, {"help"}, {"help", "train"}, {"train", "--help"}, {"data"}, {"help", "data", "check"}} {
		if r := cnnctl(t, dir, args...).want(t, exitDone); !strings.Contains(r.out, "Usage:") {
			t.Errorf("%v shows no usage", args)
		}
	}
}

func TestDataCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cnnctl(t, dir, "data", "check", writeIDX(t, 64, 16, 16)).want(t, exitDone, ": idx", "training part: 64 samples of 8 classes, 1 channels, 16x16 to 16x16",
		"validation part: 16 samples", "mean [0.24")
	cnnctl(t, dir, "data", "check", writeFolder(t, 20, 16), "--val-split", "0.25").want(t, exitDone, ": folder", "training part: 30 samples of 2 classes, 3 channels",
		"validation part: 10 samples", "left", "right")
	cnnctl(t, dir, "data", "check", "digits").want(t, exitDone, "training part: 16000 samples", "28x28")
}
