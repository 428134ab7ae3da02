package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/checkpoint"
)

// anonymous copies a checkpoint of a run without what it says of itself, as another program would have written it.
func anonymous(t *testing.T, path string) string {
	t.Helper()
	f, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var tensors []checkpoint.Tensor
	for _, info := range f.Tensors() {
		v := make([]float32, info.Elems())
		if err := f.Float32s(info.Name, v); err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, checkpoint.Tensor{Name: info.Name, Shape: info.Shape, Data: v})
	}
	out := filepath.Join(t.TempDir(), "foreign.safetensors")
	if err := checkpoint.Write(out, tensors, map[string]string{"preprocess": "secret"}); err != nil {
		t.Fatal(err)
	}
	return out
}

// A network that tells eight kinds of strokes apart becomes one for two of them, from the run itself and from a file that does not say what it is.
func TestFinetune(t *testing.T) {
	t.Parallel()
	work := trained(t)
	other := t.TempDir() // two of the kinds, as a folder
	for class, name := range []string{"left", "right"} {
		for i := range 40 {
			writePNG(t, filepath.Join(other, name, fmt.Sprintf("%02d.png", i)), 5*class, 900+i, 16, false)
		}
	}
	tune := func(args ...string) result {
		t.Helper()
		return cnnctl(t, work, append([]string{"finetune", "--data", other, "--epochs", "4", "-b", "8"}, args...)...)
	}
	r := tune("--weights", "runs/train/lenet5", "--strategy", "head", "--name", "head").want(t, exitDone, "Training lenet5", "strategy  head",
		"trained   fc3 (170 parameters)", "the head fc3 is new: 2 classes in place of 8", "Done")
	if best := bestTop1(t, filepath.Join(work, "runs", "finetune", "head")); best < 0.9 {
		t.Errorf("top-1 %v, want the kinds told apart: %s", best, r.err)
	}
	// The preprocessing has travelled.
	cnnctl(t, work, "eval", "--run", "runs/finetune/head").want(t, exitDone, "on 12 samples")
	cnnctl(t, work, "finetune", "--resume", "runs/finetune/head", "--epochs", "5").want(t, exitDone, "continues after 4 epochs", "epoch 5/5")
	cnnctl(t, work, "train", "--resume", "runs/finetune/head").want(t, exitDone, "The run is complete")

	file := anonymous(t, filepath.Join(work, "runs", "train", "lenet5", "weights", "best.safetensors"))
	flags := []string{"--weights", file, "--preprocess", "imagenet", "--image-size", "16", "--crop-pct", "1"}
	tune(flags...).want(t, exitUsage, "any of lenet5, lenet5_relu")
	tune(append([]string{"lenet5", "--strategy", "gradual", "--epochs", "3"}, flags...)...).want(t, exitDone, "from epoch 3 on: conv2 to fc3", "3 of 4 stages", "thawed    fc1 to fc3")
	tune(append([]string{"lenet5_relu", "--strategy", "features", "--head-init", "xavier"}, flags...)...).want(t, exitDone, "outputs of act4", "as --head-init asks")
	tune(append([]string{"resnet20", "--strategy", "head"}, flags...)...).want(t, exitRun, "96 missing: bn1.weight [16]", "conv1.weight is [6 1 5 5], wanted [16 1 3 3]", "nothing was loaded")

	for _, c := range [][]string{ // exit code 2, and what the message holds
		{"finetune", "no model was given"},
		{"finetune lenet5 --data digits", "without pretrained weights"},
		{"finetune lenet5 --data digits --strategy full", "--weights FILE or --pretrained NAME"},
		{"finetune lenet5 --strategy sideways --weights runs/train/lenet5", "gradual"},
		{"finetune lenet5 --weights runs/train/lenet5 --pretrained resnet18", "one of them"},
		{"finetune lenet6 --weights runs/train/lenet5", "holds a lenet5"},
		{"finetune --pretrained lenet5", "no published weights"},
		{"finetune --weights runs/train/lenet5 --preprocess caffe", "says itself how its images are prepared"},
		{"finetune lenet5 --weights " + file + " --preprocess x", "caffe, cifar, imagenet"},
		{"finetune lenet5 --weights " + file + " --mean 1,x", "numbers such as"},
		{"finetune --resume runs/finetune/head --weights x --mean 1", "--resume takes"},
		{"finetune --resume runs/train/lenet5", "cnnctl train --resume"},
		{"finetune --resume runs/finetune/head --strategy full", "--strategy would make"},
	} {
		cnnctl(t, work, strings.Fields(c[0])...).want(t, exitUsage, c[1:]...)
	}
	cnnctl(t, work, "finetune", "lenet5", "--weights", "absent", "--data", other).want(t, exitRun, "absent")
}

// bestTop1 returns the largest accuracy of results.csv.
func bestTop1(t *testing.T, run string) (best float64) {
	t.Helper()
	for _, row := range results(t, run)[1:] {
		best = max(best, number(t, row[3]))
	}
	return best
}

// evaluated runs eval --json and returns top-1.
func evaluated(t *testing.T, args ...string) float64 {
	t.Helper()
	var got struct{ Top1 float64 }
	r := cnnctl(t, t.TempDir(), append([]string{"eval", "--json"}, args...)...).want(t, exitDone)
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	return got.Top1
}

// Published checkpoints reach on real images what is said of them.
func TestEvalOfRealCheckpoints(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of images")
	}
	images := shared(t, "imagenet-sample200")
	entries, err := os.ReadDir(images)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for i, e := range entries {
		fmt.Fprintf(&table, "%s,%d\n", e.Name(), 5*i)
	}
	labels := filepath.Join(t.TempDir(), "labels.csv")
	write(t, labels, []byte(table.String()))
	// 62.1 % of 1,000 images are within three standard errors of 51.8 % to 72.4 % of 200.
	for _, file := range []string{"squeezenet1_1_f16.safetensors", "squeezenet1_0_dc.safetensors"} {
		weights := shared(t, filepath.Join("weights", file))
		if got := evaluated(t, "--weights", weights, "--preprocess", "caffe", "--data", images, "--labels", labels); got < 0.55 || got > 0.724 {
			t.Errorf("%s: top-1 %v, want about 0.62", file, got)
		}
	}
	r := cnnctl(t, t.TempDir(), "predict", "--weights", shared(t, "weights/squeezenet1_1_f16.safetensors"), "--preprocess", "caffe", "--topk", "2", filepath.Join(images, entries[0].Name()))
	r.want(t, exitDone, "tench", "%  0\n") // the tench is class 0
	if got := evaluated(t, "--weights", shared(t, "weights/resnet20-12fca82f.th"), "--data", shared(t, "cifar10-jpg.tar.gz")); got < 0.8052 || got > 0.8112 {
		t.Errorf("ResNet-20: top-1 %v, want 0.8082 within 0.003", got)
	}
}

// The real thing: SqueezeNet with ImageNet weights learns to tell ants from bees.
func TestFinetuneOnPhotographs(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of photographs")
	}
	weights, data, work := shared(t, "weights/squeezenet1_1_f16.safetensors"), shared(t, "hymenoptera"), t.TempDir()
	cnnctl(t, work, "finetune", "squeezenet1_1", "--weights", weights, "--preprocess", "caffe", "--data", data, "--strategy", "features").want(t, exitDone, "Done")
	if best := bestTop1(t, filepath.Join(work, "runs", "finetune", "squeezenet1_1")); best < 0.88 {
		t.Errorf("top-1 %v, want about 0.9", best)
	}
}
