package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/checkpoint"
	"github.com/cnnctl/cnnctl/device"
	"github.com/cnnctl/cnnctl/graph"
	"go.yaml.in/yaml/v3"
)

// A wrong command line ends with exit code 2 before anything is written, and the message names what was wrong and what is wanted.
func TestUsage(t *testing.T) {
	t.Parallel()
	dir := writeIDX(t, 64, 16, 16)
	train := func(args string, texts ...string) []string {
		return append([]string{"train lenet5 --data . " + args}, texts...)
	}
	for _, c := range [][]string{ // the command line, then what the message holds
		{"frobnicate", "unknown command", "frobnicate"},
		{"tran", "unknown command", "did you mean train?"},
		{"help nonsense", "unknown help topic"},
		{"data nonsense", "unknown command"},
		{"models extra", "extra"},
		{"train", "no model was given", "cnnctl train lenet5"},
		{"train lenet6", "lenet6", "lenet5"},
		{"train vgg", "vgg16"},
		train("extra", "at most 1"),
		train("--nonsense", "--nonsense", "--help"),
		train("--opt adam", "--opt", "sgd nesterov adamw rmsprop"),
		train("--sched linear", "--sched", "constant step cosine onecycle"),
		train("--device tpu", "--device", "auto, cpu, cuda"),
		train("--winograd f6", "--winograd \"f6\"", "auto, off, f2 or f4"),
		train("--precision fp16", "--precision", "fp32, tf32 or bf16"),
		{"summary lenet5 --precision half", "--precision", "fp32, tf32 or bf16"},
		train("--epochs -1", "--epochs -1"),
		train("--epochs 1.5", "--epochs"),
		train("--batch-size 0", "--batch-size", "at least 1", `got "0"`),
		train("--batch-size 99999999999999999999", "--batch-size"),
		train("--lr NaN", "--lr NaN"),
		train("--lr -0.1", "--lr -0.1"),
		train("--lr Inf", "--lr +Inf"),
		train("--lr fast", "--lr"),
		train("--min-lr NaN", "--min-lr NaN"),
		train("--min-lr Inf", "--min-lr +Inf"),
		train("--momentum 1", "--momentum 1"),
		train("--momentum NaN", "--momentum NaN"),
		train("--weight-decay -1", "--weight-decay -1"),
		train("--wd NaN", "--weight-decay NaN"),
		train("--warmup-epochs NaN", "--warmup-epochs NaN"),
		train("--warmup-epochs Inf", "--warmup-epochs +Inf"),
		train("--sched step --decay-epochs 0", "--decay-epochs 0"),
		train("--sched step --decay-rate Inf", "--decay-rate +Inf"),
		train("--label-smoothing 1", "--label-smoothing 1"),
		train("--clip-grad NaN", "--clip-grad NaN"),
		train("--clip-grad -1", "--clip-grad -1"),
		train("--model-ema-decay 1", "--model-ema-decay 1"),
		train("--patience -1", "--patience -1"),
		train("--dropout 1", "--dropout 1"),
		train("--dropout -2", "--dropout -2"),
		train("--dropout NaN", "--dropout NaN"),
		train("--image-size -1", "--image-size -1"),
		train("--image-size 3", "the smallest square image that lenet5 takes is 12x12"),
		train("--image-size 100000", "100000x100000"),
		train("--val-split 1", "--val-split 1"),
		train("--val-split NaN", "--val-split NaN"),
		train("--hflip 2", "--hflip 2"),
		train("--hflip -2", "--hflip -2"),
		train("--vflip NaN", "--vflip NaN"),
		train("--rotation 500", "rotation is 500"),
		train("--rotation NaN", "rotation is NaN"),
		train("--scale 1,2", "scale"),
		train("--scale 0.5", "two numbers such as 0.5,1"),
		train("--scale 0.5,NaN", "scale"),
		train("--scale 0.5,1 --ratio 2,1", "ratio"),
		train("--crop-padding -2", "--crop-padding -2"),
		train("--crop-pct NaN", "--crop-pct NaN"),
		train("--color-jitter NaN", "--color-jitter NaN"),
		train("--color-jitter 0.1,0.2", "one, three or four numbers"),
		train("--color-jitter 0.1,0.1,0.1,0.6", "--color-jitter 0.6", "hue"),
		train("--aa rand-m9-q3", "--aa", `"q3" is unknown`),
		train("--aa autoaugment", "--aa", "rand-m9-n3-mstd0.5"),
		train("--reprob 2", "--reprob 2"),
		train("--remode noise", "--remode", "[const rand pixel]"),
		train("--recount 0", "--recount 0"),
		train("--mixup-mode half", "--mixup-mode", "[batch pair elem]"),
		train("--mixup -1", "--mixup -1"),
		train("--cutmix Inf", "--cutmix +Inf"),
		train("--mixup-prob 2", "--mixup-prob 2"),
		train("--mixup-switch-prob NaN", "--mixup-switch-prob NaN"),
		train("--skip-corrupt -1", "--skip-corrupt -1"),
		train("--max-pixels 0", "--max-pixels 0"),
		train("--seed -1", "--seed"),
		train("--workers -1", "--workers -1"),
		train("--workers 100000", "--workers 100000", "0 to 1024"),
		train("--save-every -1", "--save-every -1"),
		train("--name a/b", "--name", "plain folder name"),
		train("--project=", "--project"),
		train("--resume .", "--resume takes model and settings from the run"),
		train("--lr NaN --epochs -3 --opt x", "--lr NaN", "--epochs -3", "--opt"), // all at once
		{"train alexnet --data . --image-size 20", "the smallest square image that alexnet takes is 63x63"},
		{"eval", "--run DIR or --weights FILE"},
		{"eval --weights x.safetensors", "--data"},
		{"predict", "at least 1"},
		{"predict x.png", "--run DIR or --weights FILE"},
		{"predict --run x --topk 0 x.png", "--topk 0"},
		{"summary", "accepts 1"},
		{"summary lenet6", "lenet6"},
		{"summary vgg16 --image-size 8", "32x32"},
		{"summary vgg16 --image-size -8", "--image-size"},
		{"summary vgg16 --channels -1", "--channels"},
		{"summary vgg16 --batch-size 9223372036854775807", "wanted at most"},
		{"summary vgg16 --opt adam", "--opt"},
		{"inspect", "accepts 1"},
		{"data check", "accepts 1"},
	} {
		cnnctl(t, dir, strings.Fields(c[0])...).want(t, exitUsage, c[1:]...)
	}
	cnnctl(t, dir, "").want(t, exitUsage, "unknown command")
	if left, _ := os.ReadDir(filepath.Join(dir, "runs", "train")); len(left) > 0 {
		t.Errorf("wrong command lines left %v", left)
	}
}

// What is not there, and what is there but something else.
func TestWrongFiles(t *testing.T) {
	t.Parallel()
	dir := writeFolder(t, 20, 16)
	text := filepath.Join(dir, "text")
	write(t, text, []byte(strings.Repeat("no checkpoint, no picture, no data\n", 100)))
	for _, c := range []struct {
		line string
		code int
		text string
	}{
		{"train lenet5 --device cuda", exitDevice, "--device cpu"},
		{"train lenet5 --device cuda:3", exitDevice, "--device cpu"},
		{"eval --weights text --data digits --device cuda", exitDevice, "--device cpu"},
		{"predict --weights text text --device cuda:1", exitDevice, "--device cpu"},
		{"train lenet5 --data digits --device cpu --precision bf16", exitDevice, "--precision bf16 needs a CUDA device"},
		{"train lenet5 --data digits --device cpu --precision tf32", exitDevice, "--precision tf32 needs a CUDA device"},
		{"summary lenet5 --device cpu --precision bf16", exitDevice, "--precision bf16 needs a CUDA device"},
		{"bench train lenet5 --device cpu --precision bf16", exitDevice, "--precision bf16 needs a CUDA device"},
		{"train squeezenet1_1 --data . --image-size 8000 --batch-size 32", exitDevice, "out of memory"},
		{"train lenet5 --config absent.yaml", exitIO, "absent.yaml"},
		{"train lenet5 --data text", exitData, "not a data set"},
		{"data check text", exitData, "not a data set"},
		{"eval --run absent", exitRun, "absent"},
		{"eval --run left", exitRun, "args.yaml"},
		{"eval --weights text --data digits", exitRun, "text"},
		{"predict --weights text text", exitRun, "text"},
		{"predict --run absent text", exitRun, "absent"},
		{"predict --run left text", exitRun, "not a run"},
		{"inspect absent", exitIO, "absent"},
		{"inspect text", exitRun, "text"},
		{"inspect .", exitRun, "directory"},
		{"inspect /dev/zero", exitRun, "/dev/zero"},
	} {
		cnnctl(t, dir, strings.Fields(c.line)...).want(t, c.code, c.text)
	}
}

// Defaults give way to the file, and the file to flags.
func TestConfigFile(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), writeIDX(t, 64, 16, 12)
	config := filepath.Join(dir, "settings.yaml")
	write(t, config, []byte("lr: 0.25\nepochs: 7\nopt: sgd\nscale: [0.5, 1]\n"))
	cnnctl(t, dir, "train", "lenet5", "--config", config, "--epochs", "0", "--data", data, "--name", "x").want(t, exitDone)
	var got map[string]any
	if err := yaml.Unmarshal(read(t, filepath.Join(dir, "runs", "train", "x", "args.yaml")), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"model": "lenet5", "lr": 0.25, "opt": "sgd", "epochs": 0, "momentum": 0.9, "scale": []any{0.5, 1}, "batch-size": 64, "image-size": 12, "precision": "fp32"}
	for key, v := range want {
		if fmt.Sprint(got[key]) != fmt.Sprint(v) {
			t.Errorf("args.yaml: %s is %v, want %v", key, got[key], v)
		}
	}
	// What a run leaves is what another can start with.
	cnnctl(t, dir, "train", "lenet5", "--config", "runs/train/x/args.yaml", "--name", "y").want(t, exitDone)

	write(t, config, []byte("learning-rate: 0.25\n"))
	cnnctl(t, dir, "train", "lenet5", "--config", config).want(t, exitUsage, "learning-rate", "settings.yaml")
	write(t, config, []byte("precision: half\n"))
	cnnctl(t, dir, "train", "lenet5", "--config", config).want(t, exitUsage, "settings.yaml", "fp32, tf32 or bf16")
	write(t, config, []byte("lr: -1\n"))
	cnnctl(t, dir, "train", "lenet5", "--config", config).want(t, exitUsage, "--lr -1")
	write(t, config, []byte("{{{"))
	cnnctl(t, dir, "train", "lenet5", "--config", config).want(t, exitUsage, "settings.yaml")
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{errors.New("a bug"), exitInternal},
		{device.ErrOperand, exitInternal}, // only a mistake in the engine gives it
		{fmt.Errorf("batch: %w", device.ErrGeometry), exitUsage},
		{fmt.Errorf("size: %w", graph.ErrShape), exitUsage},
		{fmt.Errorf("file: %w", checkpoint.ErrNoTensor), exitRun},
		{fmt.Errorf("file: %w", checkpoint.ErrNoDigests), exitRun},
		{fmt.Errorf("call: %w", device.ErrUnsupported), exitDevice},
		{&os.PathError{Op: "read", Path: "x", Err: os.ErrPermission}, exitIO},
	} {
		if got := exitCode(t.Context(), c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}
