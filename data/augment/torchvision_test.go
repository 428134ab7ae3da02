package augment

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/philox"
)

// fixtures is testdata/torchvision.json, written by scripts/augment-fixtures.py.
type fixtures struct {
	Sources map[string]fixtureImage
	Cases   []struct {
		Op, Source string
		Filter     Interpolation
		Args       map[string]float64
		Want       fixtureImage
		Digest     string // of the wanted pixels, in place of Want
	}
	Normalize struct {
		Mean, Std []float64
		Want      []byte
	}
}

type fixtureImage struct {
	H, W, C int
	Pix     []byte
}

func loadFixtures(t *testing.T) *fixtures {
	t.Helper()
	b, err := os.ReadFile("testdata/torchvision.json")
	if err != nil {
		t.Fatal(err)
	}
	var f fixtures
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return &f
}

// load makes a copy of m the current image of w.
func load(w *Work, m fixtureImage) {
	dst := w.Spare(m.W, m.H, m.C)
	copy(dst.Pix, m.Pix)
	w.Swap()
}

func TestTransformsEqualTorchvision(t *testing.T) {
	f := loadFixtures(t)
	var w Work // shared by all cases, so that leftovers of one would show in the next
	for i, c := range f.Cases {
		t.Run(fmt.Sprintf("%d/%s/%s/%s", i, c.Op, c.Source, c.Filter), func(t *testing.T) {
			load(&w, f.Sources[c.Source])
			m := w.Image()
			n := func(name string) int { return int(c.Args[name]) }
			run := func(ts ...Transform) {
				for _, x := range fuse(ts) {
					if err := x.Apply(philox.New(1, philox.Test, 0, 0), &w); err != nil {
						t.Fatal(err)
					}
				}
			}
			switch c.Op {
			case "resize":
				run(Resize{H: n("h"), W: n("w"), Interpolation: c.Filter})
			case "short":
				run(Resize{H: n("n"), W: n("n"), Cover: true, Interpolation: c.Filter})
			case "short+center":
				run(Resize{H: n("n"), W: n("n"), Cover: true, Interpolation: c.Filter}, CenterCrop{n("h"), n("w")})
			case "resized_crop":
				full := image.Pt(n("w"), n("h"))
				box := image.Rect(0, 0, n("width"), n("height")).Add(image.Pt(n("left"), n("top")))
				w.resize(box, full, image.Rectangle{Max: full}, c.Filter)
			case "center":
				run(CenterCrop{n("h"), n("w")})
			case "hflip":
				run(RandomHorizontalFlip{1})
			case "vflip":
				run(RandomVerticalFlip{1})
			case "rotate":
				w.warp(rotation(image.Pt(m.W, m.H), c.Args["angle"]), c.Filter, grey(uint8(n("fill"))))
			case "affine":
				w.warp(inverseAffine(image.Pt(m.W, m.H), c.Args["angle"], c.Args["dx"], c.Args["dy"], c.Args["scale"],
					c.Args["shear_x"], c.Args["shear_y"]), c.Filter, [3]uint8{})
			case "brightness":
				adjustBrightness(m, c.Args["factor"])
			case "contrast":
				adjustContrast(m, c.Args["factor"])
			case "saturation":
				adjustSaturation(m, c.Args["factor"])
			case "hue":
				adjustHue(m, c.Args["factor"])
			case "grayscale":
				run(Grayscale{})
			case "rgb":
				run(ToRGB{})
			default:
				if name, ok := strings.CutPrefix(c.Op, "op:"); ok {
					opNamed(t, name).apply(&w, c.Args["arg"], c.Filter, [3]uint8{124, 116, 104})
				} else if name, ok := strings.CutPrefix(c.Op, "trivial:"); ok {
					o := trivialOps[slices.IndexFunc(trivialOps, func(o trivialOp) bool { return o.op == opNamed(t, name) })]
					arg := 0.0
					if o.arg != nil {
						arg = o.arg(n("step"))
					}
					if o.op == opTranslateX || o.op == opTranslateY {
						arg = -arg // torchvision moves the other way; Apply draws the sign
					}
					if o.signed {
						arg = o.base + c.Args["sign"]*arg
					}
					o.op.apply(&w, arg, c.Filter, [3]uint8{})
				} else {
					t.Fatalf("no such operation")
				}
			}
			if c.Digest != "" {
				if sum := sha256.Sum256(w.Image().Pix); hex.EncodeToString(sum[:8]) != c.Digest {
					t.Errorf("the pixels differ from torchvision's")
				}
				return
			}
			compare(t, w.Image(), c.Want)
		})
	}
}

func opNamed(t *testing.T, name string) op {
	t.Helper()
	i := slices.Index(opNames[:], name)
	if i < 0 {
		t.Fatalf("no operation is named %s", name)
	}
	return op(i)
}

func compare(t *testing.T, got *data.Image, want fixtureImage) {
	t.Helper()
	if got.H != want.H || got.W != want.W || got.C != want.C {
		t.Fatalf("got %dx%dx%d, want %dx%dx%d", got.H, got.W, got.C, want.H, want.W, want.C)
	}
	wrong, worst, at := 0, 0, 0
	for i, v := range want.Pix {
		if d := int(got.Pix[i]) - int(v); d != 0 {
			wrong++
			if max(d, -d) > worst {
				worst, at = max(d, -d), i
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d bytes differ, at most by %d: byte %d is %d, want %d", wrong, len(want.Pix), worst, at, got.Pix[at], want.Pix[at])
	}
}

func TestNormalizeEqualsTorchvision(t *testing.T) {
	f := loadFixtures(t).Normalize
	n := newNormTable(Normalize{Mean: f.Mean, Std: f.Std, Scale: 1})
	m := data.Image{W: 256, H: 1, C: 3, Pix: make([]uint8, 768)}
	for i := range m.Pix {
		m.Pix[i] = uint8(i / 3)
	}
	got := make([]float32, 768)
	n.apply(got, &m)
	for i := range got {
		want := math.Float32frombits(binary.LittleEndian.Uint32(f.Want[4*i:]))
		if got[i] != want {
			t.Fatalf("byte %d, channel %d: got %v, want %v", i/3, i%3, got[i], want)
		}
	}
}
