package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/train"
	"github.com/spf13/pflag"
)

// Each key of args.yaml is a flag and the other way round, but for the model, which is the argument, and the preprocessing, which has several. The two
// write to the same field.
func TestKeysAreFlags(t *testing.T) {
	var c train.Config
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	trainFlags(f, &c)
	tuneFlags(f, &c)
	keys := map[string]bool{"model": true}
	typ := reflect.TypeFor[train.Config]()
	for i := range typ.NumField() {
		key, _, _ := strings.Cut(typ.Field(i).Tag.Get("yaml"), ",")
		keys[key] = true
		if key == "model" || key == "preprocess" {
			continue
		}
		flag := f.Lookup(key)
		if flag == nil {
			t.Errorf("the key %s of args.yaml is no flag", key)
			continue
		}
		value := map[string]string{"bool": "true", "min,max": "0.25,0.5"}[flag.Value.Type()]
		if key == "precision" {
			value = "bf16"
		}
		if value == "" {
			value = "3"
		}
		if err := flag.Value.Set(value); err != nil {
			t.Errorf("--%s: %v", key, err)
		}
		if reflect.ValueOf(c).Field(i).IsZero() {
			t.Errorf("--%s does not set Config.%s", key, typ.Field(i).Name)
		}
	}
	f.VisitAll(func(flag *pflag.Flag) {
		if !keys[flag.Name] {
			t.Errorf("--%s is no key of args.yaml", flag.Name)
		}
	})
}

// Only flags that were given count, and a flag may give the value that is the default of another model.
func TestApply(t *testing.T) {
	c := train.Config{LR: 0.5, Epochs: 7, Scale: [2]float64{0.1, 1}}
	var shown train.Config
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	trainFlags(f, &shown)
	if err := f.Parse([]string{"--epochs", "0", "--wd", "0.25", "--ratio", "0.5,2"}); err != nil {
		t.Fatal(err)
	}
	if err := apply(f, &c); err != nil {
		t.Fatal(err)
	}
	want := train.Config{LR: 0.5, Epochs: 0, WeightDecay: 0.25, Scale: [2]float64{0.1, 1}, Ratio: [2]float64{0.5, 2}}
	if c != want {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}
