package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/checkpoint"
)

func TestConvertCommand(t *testing.T) {
	source := filepath.Join("..", "..", "checkpoint", "testdata", "nested.pth")
	out := filepath.Join(t.TempDir(), "out.safetensors")
	convert := func(args ...string) (string, error) {
		root := rootCommand()
		var printed bytes.Buffer
		root.SetOut(&printed)
		root.SetArgs(append([]string{"convert", source}, args...))
		err := root.Execute()
		return printed.String(), err
	}
	cases := []struct {
		name   string
		args   []string
		code   int
		about  string // in what is printed, or in the error
		tensor string // in the file afterwards
	}{
		{"another ending", []string{filepath.Join(t.TempDir(), "out.pth")}, exitUsage, ".safetensors", ""},
		{"key that is not there", []string{out, "--key", "absent"}, exitRun, `"state_dict_ema"`, ""},
		{"averaged weights first", []string{out}, exitDone, "from the dictionary: state_dict_ema\nleft out: epoch=7", "w"},
		{"existing file", []string{out, "--key", "optimizer"}, exitUsage, "--force", "w"},
		{"replaced", []string{out, "--key", "optimizer", "--force"}, exitDone, "1 tensors", "state.0.exp_avg"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text, err := convert(c.args...)
			if err != nil {
				text = err.Error()
			}
			code := exitDone
			if err != nil {
				code = exitCode(t.Context(), err)
			}
			if code != c.code || !strings.Contains(text, c.about) {
				t.Errorf("got code %d and %q, want %d and %q", code, text, c.code, c.about)
			}
			if c.tensor == "" {
				if _, err := os.Stat(c.args[0]); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("a file was left: %v", err)
				}
				return
			}
			f, err := checkpoint.Open(out)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if got := f.Tensors()[0].Name; got != c.tensor {
				t.Errorf("the file holds %q, want %q", got, c.tensor)
			}
		})
	}
}
