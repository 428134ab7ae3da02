package synth

import (
	"crypto/sha256"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cnnctl/cnnctl/data"
)

// The sets of seed 1, drawn once for all tests.
var (
	digits1 = sync.OnceValue(func() *data.Source { return Digits(1) })
	shapes1 = sync.OnceValue(func() *data.Source { return Shapes(1) })
)

func sources() []*data.Source { return []*data.Source{digits1(), shapes1()} }

// golden holds the digests of seed 1. A seed means the same pictures for ever and everywhere: whoever changes the
// drawing changes these values knowingly, and a machine that computes others is a bug.
var golden = map[string]string{
	"digits": "3efed8faedae43c8a58679c9c6984076ba966bc9779e943a93768a0ed065bcd3",
	"shapes": "aa051f6fc9b6bf80437c5ea2abb3b79b327236261c574ccd41fbf55c98219d82",
}

func TestGoldenBytes(t *testing.T) {
	for _, src := range sources() {
		if want := golden[src.Format]; src.Digest != want {
			t.Errorf("%s, seed 1: digest %s, want %s", src.Format, src.Digest, want)
		}
	}
}

// parts draws the first n pictures of the training parts.
func parts(seed uint64, n int) map[string]*pictures {
	var seen []*face
	for _, f := range faces() {
		if !f.unseen {
			seen = append(seen, f)
		}
	}
	return map[string]*pictures{
		"digits": digitPart("digits/train", seed, digitsTrain, n, seen),
		"shapes": shapePart("shapes/train", seed, shapesTrain, n),
	}
}

func TestBytesDoNotDependOnGoroutines(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(procs)
		for _, src := range sources() {
			whole := src.Train.(*pictures).pix
			part := parts(1, 333)[src.Format].pix
			if string(part) != string(whole[:len(part)]) {
				t.Errorf("%s: %d goroutines and 333 pictures give other bytes than the whole set", src.Format, procs)
			}
		}
	}
}

func TestSeedsDiffer(t *testing.T) {
	a, b := parts(1, 40), parts(2, 40)
	for name := range a {
		for i := range 40 {
			step := len(a[name].pix) / 40
			if string(a[name].pix[i*step:(i+1)*step]) == string(b[name].pix[i*step:(i+1)*step]) {
				t.Errorf("%s: seeds 1 and 2 draw the same picture %d", name, i)
			}
		}
	}
}

func TestOpen(t *testing.T) {
	if _, ok := Open("letters", 1); ok {
		t.Error(`Open("letters") found a set`)
	}
	for _, name := range Names() {
		src, ok := Open(name, 1)
		if !ok || src.Format != name || src.Digest != golden[name] {
			t.Errorf("Open(%q, 1) gave another set than the function of that name", name)
		}
		if err := src.Close(); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
	}
}

func TestDataset(t *testing.T) {
	want := map[string]struct{ train, val, size, channels int }{
		"digits": {16000, 4000, 28, 1},
		"shapes": {10000, 2000, 32, 3},
	}
	for _, src := range sources() {
		w := want[src.Format]
		for part, d := range map[string]data.Dataset{"train": src.Train, "val": src.Val} {
			n := w.train
			if part == "val" {
				n = w.val
			}
			if d.Len() != n || d.Channels() != w.channels || len(d.Classes()) != 10 {
				t.Fatalf("%s/%s: %d pictures, %d channels, %d classes; want %d, %d, 10",
					src.Format, part, d.Len(), d.Channels(), len(d.Classes()), n, w.channels)
			}
			count := make([]int, len(d.Classes()))
			for i := range d.Len() {
				count[d.Label(i)]++
			}
			for c, k := range count {
				if k != n/10 {
					t.Errorf("%s/%s: %d pictures of class %s, want %d", src.Format, part, k, d.Classes()[c], n/10)
				}
			}
			var m data.Image
			if err := d.Read(7, &m); err != nil || m.W != w.size || m.H != w.size || m.C != w.channels || len(m.Pix) != w.size*w.size*w.channels {
				t.Errorf("%s/%s: Read gave %dx%dx%d, %d bytes, error %v", src.Format, part, m.H, m.W, m.C, len(m.Pix), err)
			}
			for _, i := range []int{-1, n} {
				if err := d.Read(i, &m); err == nil || !strings.Contains(err.Error(), d.Name(i)) {
					t.Errorf("%s/%s: Read(%d) gave error %v, want one that names the picture", src.Format, part, i, err)
				}
			}
		}
	}
}

// TestPicturesAreDistinct also shows that no validation picture was trained on.
func TestPicturesAreDistinct(t *testing.T) {
	for _, src := range sources() {
		where := make(map[[32]byte]string)
		for _, d := range []data.Dataset{src.Train, src.Val} {
			var m data.Image
			for i := range d.Len() {
				if err := d.Read(i, &m); err != nil {
					t.Fatal(err)
				}
				h := sha256.Sum256(m.Pix)
				if other, seen := where[h]; seen {
					t.Fatalf("%s and %s are the same picture", d.Name(i), other)
				}
				where[h] = d.Name(i)
			}
		}
	}
}

// TestContrast guards against blank, faint, flooded and cut-off pictures.
func TestContrast(t *testing.T) {
	for _, src := range sources() {
		for _, d := range []data.Dataset{src.Train, src.Val} {
			var m data.Image
			for i := range d.Len() {
				if err := d.Read(i, &m); err != nil {
					t.Fatal(err)
				}
				lo, hi, sum, clipped := 255, 0, 0, 0
				for _, v := range m.Pix {
					lo, hi, sum = min(lo, int(v)), max(hi, int(v)), sum+int(v)
					if v == 255 {
						clipped++
					}
				}
				if hi-lo < 70 {
					t.Errorf("%s (%s): levels from %d to %d only", d.Name(i), d.Classes()[d.Label(i)], lo, hi)
				}
				if mean := sum / len(m.Pix); src.Format == "digits" && (mean < 4 || mean > 90) {
					t.Errorf("%s (%s): mean level %d, want 4 to 90", d.Name(i), d.Classes()[d.Label(i)], mean)
				}
				if src.Format == "digits" && clipped > len(m.Pix)/3 {
					t.Errorf("%s: %d of %d bytes are white", d.Name(i), clipped, len(m.Pix))
				}
			}
		}
	}
}

// TestDigitsStayInside bounds the share of a digit's ink in the picture's outermost pixels.
func TestDigitsStayInside(t *testing.T) {
	d := digits1().Train
	var m data.Image
	cut := 0
	for i := range d.Len() {
		if err := d.Read(i, &m); err != nil {
			t.Fatal(err)
		}
		border, peak := 0, 0
		for j, v := range m.Pix {
			peak = max(peak, int(v))
			if x, y := j%m.W, j/m.W; x == 0 || y == 0 || x == m.W-1 || y == m.H-1 {
				border = max(border, int(v))
			}
		}
		if border > peak*8/10 {
			cut++
		}
	}
	if cut*100 > 3*d.Len() {
		t.Errorf("%d of %d digits touch the border, want less than 3 %%", cut, d.Len())
	}
	t.Logf("%d of %d digits touch the border", cut, d.Len())
}
