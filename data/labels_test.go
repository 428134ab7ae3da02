package data

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A table gives the images of a flat folder their classes, by name or by index.
func TestOpenLabelled(t *testing.T) {
	dir := t.TempDir()
	png, err := os.ReadFile("testdata/images/pngrgb.png")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.png", "b.png", "sub/c.png", "unlisted.png"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), png, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	table := filepath.Join(t.TempDir(), "labels.csv")
	classes := []string{"ant", "bee", "0"} // a name that looks like an index is a name
	open := func(text string) (*Source, error) {
		if err := os.WriteFile(table, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return OpenLabelled(dir, table, classes, Options{})
	}
	src, err := open("file,class\n# a remark\nsub/c.png, bee\nb.png,0\na.png,1\n")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var labels []int
	for i := range src.Val.Len() {
		labels = append(labels, src.Val.Label(i))
		var m Image
		if err := src.Val.Read(i, &m); err != nil {
			t.Error(err)
		}
	}
	if want := []int{1, 2, 1}; !slices.Equal(labels, want) || src.Train != nil || !slices.Equal(src.Val.Classes(), classes) {
		t.Errorf("labels %v of %v, want %v and no training part", labels, src.Val.Classes(), want)
	}
	if len(src.Notes) != 1 || !strings.Contains(src.Notes[0], "1 files have no line") {
		t.Errorf("notes %q", src.Notes)
	}
	other, err := open("sub/c.png,bee\nb.png,0\na.png,ant\n")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if src.Digest == other.Digest {
		t.Error("another label, and the same digest")
	}
	for _, c := range []struct{ text, want string }{
		{"", "it lists no images"},
		{"a.png\n", "wrong number of fields"},
		{"a.png,ant\nd.png,bee\n", `line 2: not a data set: there is no file "d.png"`},
		{"a.png,ant\na.png,bee\n", `line 2: not a data set: "a.png" has a label already, in line 1`},
		{"a.png,3\n", "neither the name of a class nor an index from 0 to 2"},
		{"a.png,-1\n", "neither the name"},
		{"../a.png,0\n", "there is no file"},
	} {
		if _, err := open(c.text); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q", c.text, err, c.want)
		}
	}
	if _, err := OpenLabelled(dir, filepath.Join(dir, "absent"), classes, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no table: error %v", err)
	}
}
