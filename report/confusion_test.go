package report

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"testing"

	"github.com/cnnctl/cnnctl/philox"
)

// sampleMatrix has about share of each class right and the rest near the diagonal.
func sampleMatrix(n, perClass int) [][]int {
	r := philox.New(3, philox.Test, n, 0)
	m := make([][]int, n)
	for i := range m {
		m[i] = make([]int, n)
		for range perClass {
			j := i
			if r.Uint32()%8 == 0 {
				j = (i + 1 + int(r.Uint32()%4)) % n
			}
			m[i][j]++
		}
	}
	return m
}

func names(n int, format string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(format, i)
	}
	return list
}

func TestConfusionPNG(t *testing.T) {
	cases := []struct {
		name       string
		n          int
		classes    []string
		normalized bool
	}{
		{"1", 1, []string{"only"}, true},
		{"2", 2, []string{"ants", "bees"}, false},
		{"5 normalized", 5, []string{"daisy", "dandelion", "rose", "sunflower", "tulip"}, true},
		{"10", 10, names(10, "%d"), false},
		{"10 long names", 10, names(10, "%d: a class with a very long name indeed"), true},
		{"30", 30, names(30, "class %d"), true},
		{"100", 100, names(100, "class %d"), false},
		{"1000", 1000, names(1000, "class %d"), true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			matrix := sampleMatrix(c.n, 900)
			var b bytes.Buffer
			if err := ConfusionPNG(&b, matrix, c.classes, c.normalized); err != nil {
				t.Fatal(err)
			}
			keep(t, fmt.Sprintf("confusion-%s.png", c.name), &b)
			img, err := png.Decode(&b)
			if err != nil {
				t.Fatal(err)
			}
			// The colour in the corner of each cell, where no number is, is that of the cell's value.
			m := newHeatMap(matrix, c.classes, c.normalized)
			for i := range matrix {
				for j := range matrix {
					got := color.RGBAModel.Convert(img.At(m.left+j*m.cell, m.up+i*m.cell))
					if want := heat(m.value[i][j] / m.top); got != want {
						t.Fatalf("cell %d, %d with %d: got colour %v, want %v", i, j, matrix[i][j], got, want)
					}
				}
			}
		})
	}
}

// A class without samples has no shares; its row stays empty and nothing becomes NaN.
func TestConfusionOfEmptyClass(t *testing.T) {
	var b bytes.Buffer
	for _, normalized := range []bool{false, true} {
		if err := ConfusionPNG(&b, [][]int{{0, 0}, {0, 0}}, []string{"a", "b"}, normalized); err != nil {
			t.Error(err)
		}
	}
	m := newHeatMap([][]int{{0, 0}, {1, 3}}, []string{"a", "b"}, true)
	if fmt.Sprint(m.value) != "[[0 0] [0.25 0.75]]" {
		t.Errorf("got %v", m.value)
	}
}

func TestConfusionRefuses(t *testing.T) {
	cases := []struct {
		name    string
		matrix  [][]int
		classes []string
	}{
		{"nothing", nil, nil},
		{"too few names", [][]int{{1, 2}, {3, 4}}, []string{"a"}},
		{"ragged", [][]int{{1, 2}, {3}}, []string{"a", "b"}},
		{"negative", [][]int{{-1}}, []string{"a"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := ConfusionPNG(&bytes.Buffer{}, c.matrix, c.classes, true); !errors.Is(err, ErrInput) {
				t.Errorf("PNG: got %v, want ErrInput", err)
			}
			if err := ConfusionCSV(&bytes.Buffer{}, c.matrix, c.classes); !errors.Is(err, ErrInput) {
				t.Errorf("CSV: got %v, want ErrInput", err)
			}
		})
	}
}

func TestConfusionCSV(t *testing.T) {
	var b bytes.Buffer
	if err := ConfusionCSV(&b, [][]int{{5, 1}, {0, 7}}, []string{"cat", `dog, "big"`}); err != nil {
		t.Fatal(err)
	}
	want := "true\\predicted,cat,\"dog, \"\"big\"\"\"\ncat,5,1\n\"dog, \"\"big\"\"\",0,7\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
