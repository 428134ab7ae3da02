// Package synth draws labelled pictures from a seed, so that every network of the zoo can be trained, and every test
// can learn something real, without a single file.
//
//	digits  28x28 grey, ten digits in two dozen typefaces, distorted: MNIST's shape and roughly its difficulty
//	shapes  32x32 RGB, ten kinds of shape in any colour, angle and size on busy backgrounds: CIFAR-10's shape
//
// Both are made of signed distance fields (field.go) that are posed and warped (placement.go) and then shaded
// (digits.go, shapes.go). A picture depends only on (seed, part, index) and is computed in integers, so the bytes are
// the same for any number of goroutines and on every machine.
package synth

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cnnctl/cnnctl/data"
)

// Names returns the names that Open knows.
func Names() []string { return []string{"digits", "shapes"} }

// Open draws the set of that name; ok tells whether there is one.
func Open(name string, seed uint64) (src *data.Source, ok bool) {
	switch name {
	case "digits":
		return Digits(seed), true
	case "shapes":
		return Shapes(seed), true
	}
	return nil, false
}

// The parts' numbers in the random streams: part of what a seed means, so never renumber them.
const (
	digitsTrain = iota
	digitsVal
	shapesTrain
	shapesVal
)

// A painter draws one picture of a set into pix, (size, size, channels). It belongs to one goroutine.
type painter func(pix []uint8, index int)

// pictures is a drawn part of a set. Sample i has label i modulo the number of classes: the classes are balanced and
// the loader shuffles. All pictures are drawn at the start: it takes a fraction of the first epoch and makes every
// later Read a copy.
type pictures struct {
	name           string // "digits/train"
	classes        []string
	size, channels int
	n              int
	pix            []uint8 // (n, size, size, channels)
}

// draw makes the n pictures of a part. newPainter is called once per goroutine, for its scratch memory.
func draw(p pictures, newPainter func() painter) *pictures {
	step := p.size * p.size * p.channels
	p.pix = make([]uint8, p.n*step)
	parallel(p.n, func() func(int) {
		paint := newPainter()
		return func(i int) { paint(p.pix[i*step:(i+1)*step], i) }
	})
	return &p
}

// parallel calls a function for 0 to n-1 on all processors. newWorker makes one such function per goroutine.
func parallel(n int, newWorker func() func(int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			work := newWorker()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				work(i)
			}
		})
	}
	wg.Wait()
}

func (p *pictures) Len() int          { return p.n }
func (p *pictures) Classes() []string { return p.classes }
func (p *pictures) Label(i int) int   { return i % len(p.classes) }
func (p *pictures) Name(i int) string { return fmt.Sprintf("%s[%d]", p.name, i) }
func (p *pictures) Channels() int     { return p.channels }

// Read copies picture i into m.
func (p *pictures) Read(i int, m *data.Image) error {
	if i < 0 || i >= p.n {
		return fmt.Errorf("%s: no such picture; the part has %d", p.Name(i), p.n)
	}
	m.Reset(p.size, p.size, p.channels)
	copy(m.Pix, p.pix[i*len(m.Pix):])
	return nil
}

// source joins two parts. The digest is that of the bytes themselves: a later version of this package that draws
// differently is noticed when a run resumes.
func source(format string, seed uint64, train, val *pictures) *data.Source {
	h := sha256.New()
	for _, p := range []*pictures{train, val} {
		fmt.Fprintln(h, p.name, p.classes, p.n, p.size, p.channels)
		h.Write(p.pix)
	}
	return &data.Source{
		Format: format,
		Train:  train,
		Val:    val,
		Digest: hex.EncodeToString(h.Sum(nil)),
		Notes:  []string{fmt.Sprintf("%s: drawn from seed %d, no files", format, seed)},
	}
}
