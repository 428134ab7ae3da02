package data

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/data/turbojpeg"
)

// The fuzz targets hold every reader of outside bytes to three promises: no panic, no error but of the documented
// kinds, and results that are as large as they say. Their seeds run in the normal tests. Run them for longer with
// -fuzzminimizetime 1x: minimising archives and images otherwise takes nearly all of the time.

// documented fails unless err is nil or one that readers may give for bad bytes.
func documented(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
		t.Fatalf("undocumented error %v", err)
	}
}

// cuts adds raw and pieces of it as seeds.
func cuts(f *testing.F, raw []byte, args ...any) {
	for _, n := range []int{len(raw), len(raw) / 2, len(raw) - 1, min(len(raw), 20), 3} {
		f.Add(append([]any{raw[:min(max(n, 0), len(raw))]}, args...)...)
	}
	if len(raw) > 40 {
		damaged := bytes.Clone(raw)
		damaged[len(raw)/3] ^= 0x55
		f.Add(append([]any{damaged}, args...)...)
	}
}

// All decoders take the files that Go's takes, and of the same size: for what libjpeg-turbo does not like, it is Go's that decodes.
func FuzzDecode(f *testing.F) {
	for _, name := range fixtures(f) {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		cuts(f, raw)
	}
	f.Add(bombPNG(1<<31-1, 1<<31-1))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m Image
		err := Decoder{MaxPixels: 1 << 16}.Decode(raw, &m, nil)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("undocumented error %v", err)
		}
		if err == nil && (m.W < 1 || m.H < 1 || m.C != 3 || m.W*m.H > 1<<16 || len(m.Pix) != 3*m.W*m.H) {
			t.Fatalf("%d x %d x %d with %d bytes", m.W, m.H, m.C, len(m.Pix))
		}
		for n := range 3 { // 1 is the whole picture
			var d Image
			other := Decoder{MaxPixels: 1 << 16, JPEG: JPEGDraft}.Decode(raw, &d, func(int, int) int { return 1 << n })
			if err == nil && other != nil || other != nil && !errors.Is(other, ErrCorrupt) {
				t.Fatalf("error %v at 1/%d, %v by Go's decoder", other, 1<<n, err)
			}
			whole := d.W == m.W && d.H == m.H
			if other == nil && (d.C != 3 || len(d.Pix) != 3*d.W*d.H || err == nil && !whole && d.W != turbojpeg.Reduced(m.W, 1<<n)) {
				t.Fatalf("%d x %d x %d with %d bytes at 1/%d, %d x %d by Go's decoder", d.W, d.H, d.C, len(d.Pix), 1<<n, m.W, m.H)
			}
		}
	})
}

func FuzzEXIF(f *testing.F) {
	for _, name := range fixtures(f) {
		if strings.Contains(name, "exif") {
			raw, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			kind := imageType(raw)
			cuts(f, raw, kind)
			cuts(f, jpegEXIF(raw), "tiff")
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, kind string) {
		o := orientation(kind, raw)
		if kind == "tiff" {
			o = exifOrientation(raw)
		}
		if o < 1 || o > 8 {
			t.Fatalf("orientation %d", o)
		}
	})
}

func FuzzGIFHeader(f *testing.F) {
	for _, name := range []string{"gif", "giftrns", "gifanim"} {
		raw, err := os.ReadFile("testdata/images/" + name + ".gif")
		if err != nil {
			f.Fatal(err)
		}
		cuts(f, raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, h, _, palette, err := gifHeader(raw)
		if err == nil && (w < 0 || h < 0 || len(palette) > 256) {
			t.Fatalf("%d x %d with %d colours", w, h, len(palette))
		}
	})
}

func FuzzIDX(f *testing.F) {
	raw := idxFile([]int{4, 3, 2}, ramp(24, 0))
	cuts(f, raw)
	cuts(f, gzipped(f, raw))
	f.Add(idxFile([]int{1<<31 - 1, 1<<31 - 1, 1<<31 - 1}, nil))
	f.Add(gzipped(f, idxFile([]int{1 << 20, 32, 32}, ramp(100, 0))))
	f.Add(idxFile([]int{4}, ramp(4, 0)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		const limit = 1 << 20
		for _, nd := range []int{1, 3} {
			a, err := parseIDX("fuzz", raw, nd, limit)
			documented(t, err)
			if err != nil {
				continue
			}
			n := 1
			for _, d := range a.dims {
				n *= d
			}
			if len(a.dims) != nd || len(a.data) != n || n > max(limit, len(raw)) {
				t.Fatalf("%v with %d bytes out of %d", a.dims, len(a.data), len(raw))
			}
		}
	})
}

func FuzzCIFAR(f *testing.F) {
	cuts(f, cifarRecords(1, 3, 9), false)
	cuts(f, cifarRecords(2, 42), true)
	f.Add(cifarRecords(1, 200), false)
	f.Fuzz(func(t *testing.T, raw []byte, hundred bool) {
		k := cifarKinds[0]
		if hundred {
			k = cifarKinds[1]
		}
		s := &recordSet{w: cifarSide, h: cifarSide, c: 3, planar: true, offset: k.labelBytes, stride: k.record(), classes: numbers(k.classes)}
		err := s.addCIFAR("fuzz", raw)
		documented(t, err)
		if err != nil {
			return
		}
		var m Image
		for i := range s.Len() {
			if err := s.Read(i, &m); err != nil || s.Label(i) >= k.classes {
				t.Fatalf("record %d: label %d, %v", i, s.Label(i), err)
			}
		}
	})
}

// exercise opens what is in a tree as a data set and reads all of it.
func exercise(t *testing.T, tr *tree, err error) {
	t.Helper()
	documented(t, err)
	if err != nil {
		return
	}
	opt := Options{ValSplit: 0.15, MaxPixels: 1 << 16, MaxMemory: 1 << 20}
	s, err := tr.source(opt)
	documented(t, err)
	if err != nil {
		return
	}
	var m Image
	for _, ds := range []Dataset{s.Train, s.Val} {
		if ds == nil {
			continue
		}
		for i := range min(ds.Len(), 100) {
			if ds.Label(i) < 0 || ds.Label(i) >= len(ds.Classes()) {
				t.Fatalf("%s: label %d of %d classes", ds.Name(i), ds.Label(i), len(ds.Classes()))
			}
			documented(t, ds.Read(i, &m))
		}
	}
}

func noClose() error { return nil }

func archiveSeeds(f *testing.F, pack func(content) []byte) {
	c := pets(f)
	small := content{"a/1.png": c["photos/train/cat/a.png"], "a/2.png": nil, "b/1.png": []byte("text"), "b/2.png": c["photos/val/dog/a.png"]}
	for _, c := range []content{c, small, idxContent(f), {}, {"test_batch.bin": cifarRecords(1, 3)}} {
		cuts(f, pack(c))
	}
}

func FuzzTar(f *testing.F) {
	archiveSeeds(f, func(c content) []byte { return c.tar(f) })
	f.Fuzz(func(t *testing.T, raw []byte) {
		tr, err := openTar("fuzz.tar", bytes.NewReader(raw), noClose)
		exercise(t, tr, err)
	})
}

func FuzzTarGz(f *testing.F) {
	archiveSeeds(f, func(c content) []byte { return gzipped(f, c.tar(f)) })
	f.Fuzz(func(t *testing.T, raw []byte) {
		tr, err := openTarGz("fuzz.tar.gz", bytes.NewReader(raw), 1<<20)
		exercise(t, tr, err)
		if err == nil {
			kept := 0
			for _, b := range tr.store.(*memStore).blobs {
				kept += len(b)
			}
			if kept > 1<<20 {
				t.Fatalf("%d bytes were kept", kept)
			}
		}
	})
}

func FuzzZip(f *testing.F) {
	archiveSeeds(f, func(c content) []byte { return c.zip(f) })
	f.Fuzz(func(t *testing.T, raw []byte) {
		tr, err := openZip("fuzz.zip", bytes.NewReader(raw), int64(len(raw)), noClose)
		exercise(t, tr, err)
	})
}
