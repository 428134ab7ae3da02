package data

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pets is a small set with everything that must be left out.
func pets(t testing.TB) content {
	return content{
		"photos/train/cat/a.png":        pngOf(t, 1, 0, 0),
		"photos/train/cat/b":            pngOf(t, 2, 0, 0), // no ending
		"photos/train/cat/deep/c.jpg":   pngOf(t, 3, 0, 0), // another ending
		"photos/train/dog/a.png":        pngOf(t, 4, 0, 0),
		"photos/train/dog-breed/a.PNG":  pngOf(t, 5, 0, 0), // '-' sorts before '/'
		"photos/val/cat/a.png":          pngOf(t, 6, 0, 0),
		"photos/val/dog/a.png":          pngOf(t, 7, 0, 0),
		"photos/test/x.png":             pngOf(t, 8, 0, 0),
		"photos/train/cat/notes.txt":    []byte("no image"),
		"photos/train/cat/.DS_Store":    []byte("hidden"),
		"photos/train/cat/._a.png":      []byte("hidden"),
		"photos/train/.hidden/a.png":    pngOf(t, 9, 0, 0),
		"__MACOSX/train/cat/a.png":      pngOf(t, 9, 0, 0),
		"photos/train/cat/empty":        nil,
		"photos/train/beside.png":       pngOf(t, 9, 0, 0),
		"photos/train/dog/zwölf/ü.jpeg": pngOf(t, 10, 0, 0),
	}
}

// A folder and its archives are the same data set: samples, order, digest.
func TestFolderAndArchivesAgree(t *testing.T) {
	c := pets(t)
	want := [][3]uint8{{1}, {2}, {3}, {4}, {10}, {5}} // dog/zwölf follows dog/a.png, and then comes dog-breed
	wantClasses := []string{"cat", "dog", "dog-breed"}
	digest := ""
	for _, p := range []struct{ format, path string }{
		{"folder", c.folder(t)},
		{"folder.tar", write(t, c.tar(t))},
		{"folder.tar.gz", write(t, gzipped(t, c.tar(t)))},
		{"folder.zip", write(t, c.zip(t))},
	} {
		t.Run(p.format, func(t *testing.T) {
			s := open(t, p.path, Options{})
			if s.Format != p.format {
				t.Errorf("format %q, want %q", s.Format, p.format)
			}
			if got := s.Train.Classes(); !slices.Equal(got, wantClasses) {
				t.Fatalf("classes %q, want %q", got, wantClasses)
			}
			if got := firstPixels(t, s.Train); !slices.Equal(got, want) {
				t.Errorf("training samples %v, want %v", got, want)
			}
			if got := firstPixels(t, s.Val); !slices.Equal(got, [][3]uint8{{6}, {7}}) {
				t.Errorf("validation samples %v, want 6 and 7", got)
			}
			if got := Counts(s.Train); !slices.Equal(got, []int{3, 2, 1}) {
				t.Errorf("samples per class %v, want [3 2 1]", got)
			}
			if name := s.Train.Name(0); !strings.HasPrefix(name, p.path) || !strings.HasSuffix(filepath.ToSlash(name), "train/cat/a.png") {
				t.Errorf("the first sample is called %q", name)
			}
			if digest == "" {
				digest = s.Digest
			} else if s.Digest != digest {
				t.Error("the digest is not that of the folder")
			}
			notes := strings.Join(s.Notes, "\n")
			for _, n := range []string{"notes.txt", "1 images beside the class folders of train", "test are not used", "no images of class dog-breed"} {
				if !strings.Contains(notes, n) {
					t.Errorf("no note has %q:\n%s", n, notes)
				}
			}
		})
	}
}

func TestLayouts(t *testing.T) {
	files := func(names ...string) content {
		c := content{}
		for i, n := range names {
			c[n] = pngOf(t, uint8(i), 0, 0)
		}
		return c
	}
	for _, c := range []struct {
		name       string
		c          content
		classes    string // space-separated
		train, val int
	}{
		{"class folders", files("a/1.png", "a/2.png", "a/3.png", "b/1.png", "b/2.png"), "a b", 3, 2},
		{"class folders, deeper", files("x/y/a/1.png", "x/y/a/2.png", "x/y/b/1.png", "x/y/b/2.png"), "a b", 2, 2},
		{"train and test", files("train/a/1.png", "train/b/2.png", "test/a/1.png"), "a b", 2, 1},
		{"val before test", files("train/a/1.png", "train/b/2.png", "test/a/1.png", "valid/a/1.png", "valid/b/1.png"), "a b", 2, 2},
		{"capitals", files("Train/a/1.png", "Train/b/2.png", "Validation/a/1.png"), "a b", 2, 1},
		{"train only", files("train/a/1.png", "train/a/2.png", "train/b/1.png", "train/b/2.png"), "a b", 2, 2},
		{"test only", files("test/a/1.png", "test/b/2.png"), "a b", 0, 2},
		{"unlabelled test", files("train/a/1.png", "train/a/2.png", "train/b/1.png", "test/1.png"), "a b", 2, 1},
		{"a class called train", files("train/1.png", "train/2.png", "car/1.png", "plane/1.png"), "car plane train", 3, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, c.c.folder(t), Options{})
			if got := strings.Join(s.Val.Classes(), " "); got != c.classes {
				t.Errorf("classes %q, want %q", got, c.classes)
			}
			train := 0
			if s.Train != nil {
				train = s.Train.Len()
			}
			if train != c.train || s.Val.Len() != c.val {
				t.Errorf("%d and %d samples, want %d and %d", train, s.Val.Len(), c.train, c.val)
			}
		})
	}
	for _, c := range []struct {
		name string
		c    content
		want string
	}{
		{"empty", content{}, "it is empty"},
		{"hidden files only", content{".DS_Store": nil}, "it is empty"},
		{"no images", content{"a/README.md": []byte("text")}, "none of its 1 files is an image"},
		{"images without classes", files("1.png", "2.png"), "its 2 images lie in no class folders"},
		{"one class", files("a/1.png", "a/2.png"), "one class only, a"},
		{"one class for training", files("train/a/1.png", "val/a/2.png"), "one class only, a"},
		{"parts without classes", files("train/1.png", "val/2.png"), "holds images, but no class folders"},
		{"another class in val", files("train/a/1.png", "train/b/1.png", "val/c/1.png"), "class c is in val"},
		{"nothing to set aside", files("a/1.png", "b/1.png"), "no class has two samples"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(c.c.folder(t), Options{})
			if !errors.Is(err, ErrFormat) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got %v, want ErrFormat and %q", err, c.want)
			}
		})
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	truncated := gzipped(t, pets(t).tar(t))
	plain := pets(t).tar(t)
	for _, c := range []struct {
		name string
		path string
		opt  Options
		is   error
		want string
	}{
		{"absent", filepath.Join(dir, "absent"), Options{}, fs.ErrNotExist, "no such file or folder"},
		{"text file", write(t, []byte("hello")), Options{}, ErrFormat, "none of .tar"},
		{"empty file", write(t, nil), Options{}, ErrFormat, "none of .tar"},
		{"single image", write(t, pngOf(t, 1, 2, 3)), Options{}, ErrFormat, "single image"},
		{"single IDX file", write(t, idxFile([]int{1, 1, 1}, []uint8{1})), Options{}, ErrFormat, "one IDX file"},
		{"single packed IDX file", write(t, gzipped(t, idxFile([]int{1, 1, 1}, []uint8{1}))), Options{}, ErrFormat, "one IDX file"},
		{"packed text", write(t, gzipped(t, []byte("hello"))), Options{}, ErrFormat, "no tar archive"},
		{"truncated tar.gz", write(t, truncated[:len(truncated)/2]), Options{}, ErrCorrupt, "ends too early"},
		{"tar.gz without its checksum", write(t, truncated[:len(truncated)-8]), Options{}, ErrCorrupt, "ends too early"},
		{"truncated tar", write(t, plain[:len(plain)/2+100]), Options{}, ErrCorrupt, "ends too early"},
		{"truncated zip", write(t, pets(t).zip(t)[:300]), Options{}, ErrCorrupt, "zip"},
		{"too large a tar.gz", write(t, truncated), Options{MaxMemory: 100}, ErrFormat, "unpack it"},
		{"split", dir, Options{ValSplit: 1}, ErrOption, "validation share"},
		{"negative bound", dir, Options{MaxPixels: -1}, ErrOption, "pixels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Open(c.path, c.opt)
			if s != nil || !errors.Is(err, c.is) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got %v, want %v and %q", err, c.is, c.want)
			}
		})
	}
}

// The split depends on seed and share alone, keeps the shares per class, and never has a sample in both parts.
func TestSplit(t *testing.T) {
	c := content{}
	for i := range 40 {
		c[fmt.Sprintf("a/%02d.png", i)] = pngOf(t, uint8(i), 1, 0)
		c[fmt.Sprintf("b/%02d.png", i/2)] = pngOf(t, uint8(i/2), 2, 0)
	}
	dir := c.folder(t)
	type result struct {
		val    [][3]uint8
		digest string
	}
	get := func(opt Options) result {
		s := open(t, dir, opt)
		train, val := firstPixels(t, s.Train), firstPixels(t, s.Val)
		both := slices.Concat(train, val)
		slices.SortFunc(both, func(a, b [3]uint8) int { return bytes.Compare(a[:], b[:]) })
		if len(both) != 60 || len(slices.Compact(both)) != 60 {
			t.Fatalf("the parts have %d samples, some of them twice, want 60 different ones", len(both))
		}
		return result{val, s.Digest}
	}
	first := get(Options{})
	if len(first.val) != 9 { // 6 of 40 and 3 of 20
		t.Errorf("%d samples for validation, want 9", len(first.val))
	}
	if again := get(Options{ValSplit: 0.15}); !slices.Equal(again.val, first.val) || again.digest != first.digest {
		t.Error("the same seed and share gave another split")
	}
	if other := get(Options{Seed: 1}); slices.Equal(other.val, first.val) || other.digest == first.digest {
		t.Error("another seed gave the same split or the same digest")
	}
	if other := get(Options{ValSplit: 0.5}); len(other.val) != 30 || other.digest == first.digest {
		t.Errorf("half of 60 samples are %d, or the digest is the same", len(other.val))
	}
}

func TestSymbolicLinks(t *testing.T) {
	real := content{"a/1.png": pngOf(t, 1, 0, 0), "b/1.png": pngOf(t, 2, 0, 0), "b/2.png": pngOf(t, 3, 0, 0)}.folder(t)
	dir := t.TempDir()
	for link, to := range map[string]string{"a": filepath.Join(real, "a"), "b": filepath.Join(real, "b"), "loop": dir, "broken": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skip("this system has no symbolic links:", err)
		}
	}
	s := open(t, dir, Options{})
	if got := strings.Join(s.Train.Classes(), " "); got != "a b" {
		t.Errorf("classes %q, want a b", got)
	}
	if notes := strings.Join(s.Notes, "\n"); !strings.Contains(notes, "nested too deeply") || !strings.Contains(notes, "a link to nothing") {
		t.Errorf("the notes name neither the loop nor the broken link:\n%s", notes)
	}
}

// Of two entries with one name the later counts, as when an archive is unpacked; names out of the root are left out.
func TestOddArchiveNames(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i, name := range []string{"../evil/x.png", "/a/1.png", "a/1.png", `b\1.png`, "b/2.png"} {
		raw := pngOf(t, uint8(i), 0, 0)
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(raw))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, raw := range [][]byte{b.Bytes(), gzipped(t, b.Bytes())} {
		tr, err := openTree(write(t, raw), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range tr.files {
			raw, err := tr.readAll(&tr.files[i], 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			var m Image
			if err := (Decoder{MaxPixels: 100}).Decode(raw, &m, nil); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(tr.files[i].name, m.Pix[0]))
		}
		if want := []string{"a/1.png2", "b/1.png3", "b/2.png4"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if err := tr.store.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestZipBomb(t *testing.T) {
	c := content{"a/1.png": append(pngOf(t, 1, 0, 0), make([]byte, 20<<20)...), "b/1.png": pngOf(t, 2, 0, 0)}
	_, err := Open(write(t, c.zip(t)), Options{})
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(fmt.Sprint(err), "a/1.png") {
		t.Errorf("got %v, want ErrCorrupt and the name of the bomb", err)
	}
}
