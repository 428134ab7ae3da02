package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestDiagnose(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // for the features
	dir := t.TempDir()
	data := writeIDX(t, 320, 80, 16)
	cnnctl(t, dir, "train", "lenet5_relu", "--data", data, "--epochs", "2", "-b", "16", "--quiet").want(t, exitDone)
	weights := "runs/train/lenet5_relu"
	args := []string{"diagnose", "--weights", weights, "--data", data, "--head-init", "model", "--epochs", "2", "-b", "16"}
	cnnctl(t, dir, append(args, "--source-data", data)...).want(t, exitDone, "linear probe (features)", "all layers (full)", "scratch (scratch)", "LogME", "from the source data",
		"source accuracy", "Verdict: ", "runs/diagnose/lenet5_relu")
	out := filepath.Join(dir, "runs", "diagnose", "lenet5_relu")
	for _, name := range []string{"report.txt", "report.json", "layers.csv", "args.yaml", "probe/results.csv", "full/weights/best.safetensors", "scratch/events.jsonl"} {
		if st, err := os.Stat(filepath.Join(out, name)); err != nil || st.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := cnnctl(t, dir, append(args, "--json", "--quiet", "--vflip", "0.5")...).want(t, exitDone)
	var got struct {
		Probe, Full struct{ Strategy string }
		Layers      []struct{ Name string }
		Findings    []struct{ Kind, Why string }
		Dir         string
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Probe.Strategy != "head" || got.Full.Strategy != "full" || len(got.Layers) != 5 || len(got.Findings) == 0 || got.Dir != "runs/diagnose/lenet5_relu-2" {
		t.Errorf("%+v", got)
	}
	cnnctl(t, dir, "diagnose", "lenet5", "--data", data).want(t, exitUsage, "--weights or --pretrained")
	cnnctl(t, dir, append(args, "--strategy", "head")...).want(t, exitUsage, "--strategy with diagnose")
	cnnctl(t, dir, append(args, "--epochs", "0")...).want(t, exitUsage, "--epochs 0")
	cnnctl(t, dir, append(args, "-b", "auto")...).want(t, exitUsage, "--batch-size auto")
	cnnctl(t, dir, append(args, "--source-data", "nowhere")...).want(t, exitData, "nowhere")
}
