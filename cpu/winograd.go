package cpu

import (
	"fmt"

	"github.com/cnnctl/cnnctl/cpu/kernel"
	"github.com/cnnctl/cnnctl/device"
)

// Winograd says which 3x3 convolutions are computed by minimal filtering. At stride 1 it is F(m x m, 3x3), with a quarter (m = 4) or four ninths (m = 2)
// of the multiplications (Lavin and Gray, arXiv:1509.09308). Rounding errors grow: relative to the result they are 4e-7 to 8e-7 for m = 4 where the
// sums of products have 2e-7 to 4e-7 (docs/benchmarks/winograd-accuracy.txt). At stride 2 it is F(4, 2) for the even pixels, with nine sixteenths of the
// multiplications and errors of 2e-7 to 7e-7. Larger filters and strides become 3x3 or 4x4 filters at stride 1 by space to depth (see deepen): F(4x4, 4x4)
// has a quarter of the multiplications of 7x7 filters, errors of 1.5e-6 forward and 2.3e-6 in the gradient of the filters. The kernels that do it need
// cgo; without it, none is.
type Winograd uint8

const (
	WinogradAuto Winograd = iota // F(4x4, 3x3) where it is the faster way, and at larger strides
	WinogradOff                  // none
	WinogradF2                   // all, at stride 1 by F(2x2, 3x3)
	WinogradF4                   // all, at stride 1 by F(4x4, 3x3)
)

var winogradNames = [...]string{"auto", "off", "f2", "f4"}

func (w Winograd) String() string { return winogradNames[w] }

// ParseWinograd returns the Winograd of a name: auto, off, f2 or f4.
func ParseWinograd(name string) (Winograd, error) {
	for i, n := range winogradNames {
		if n == name {
			return Winograd(i), nil
		}
	}
	return 0, fmt.Errorf("winograd %q, wanted auto, off, f2 or f4", name)
}

// SetWinograd chooses the algorithm of 3x3 convolutions; a new device has WinogradAuto. It must come before calls are bound or asked for their
// workspace.
func (d *Device) SetWinograd(w Winograd) { d.winograd = w }

// enoughChannels is the number of input and of output channels from which on the transforms, whose work grows with either number, are cheap
// beside the products, whose work grows with both.
const enoughChannels = 32

// enoughTiles is the number of tiles from which on the products outweigh the transforms of the filters. It also keeps sums of few terms exact: their
// error is that of the transforms.
const enoughTiles = 32

// minimal returns the m of kernel.Gather.Winograd by which a convolution is to be computed, or 0 if it is to be by other means.
func (d *Device) minimal(l *lowering) int {
	strided := l.StrideH == 2 && l.StrideW == 2
	if !kernel.Available || l.R != 3 || l.S != 3 || l.DilH != 1 || l.DilW != 1 || l.depthwise() || !strided && (l.StrideH != 1 || l.StrideW != 1) {
		return 0
	}
	m := d.side(l.cg >= enoughChannels && l.kg >= enoughChannels && tiles(4, l.N, l.P, l.Q) >= enoughTiles)
	if m > 0 && strided {
		return kernel.Strided
	}
	return m
}

// side returns the m of F(m x m, 3x3) that is to be used, or 0 if none is; worth is whether minimal filtering is the faster way.
func (d *Device) side(worth bool) int {
	switch {
	case d.winograd == WinogradOff || d.winograd == WinogradAuto && !worth:
		return 0
	case d.winograd == WinogradF2:
		return 2
	}
	return 4
}

// transformed returns the side of the tiles of outputs of a minimal filtering, how many transformed filters it has, and how many values of a tile.
func transformed(m int) (side, filters, values int) {
	switch m {
	case kernel.Strided:
		return 4, 36, 81
	case kernel.Four:
		return 4, 49, 49
	}
	return m, (m + 2) * (m + 2), (m + 2) * (m + 2)
}

// tiles returns the number of tiles of m x m outputs of p x q windows for n images.
func tiles(m, n, p, q int) int { return n * ((p + m - 1) / m) * ((q + m - 1) / m) }

// tileBlock returns how a task's block of tiles is chosen from all of them: the transformed block and its products should stay in the second-level
// cache, but each block passes over all transformed filters, which do not, so each of these multiplies some rows at least. A tile has several for each where
// it has more values than there are filters.
func tileBlock(tiles, m, channels, filters int) chunks {
	const cache, least, most = 192 << 10, 36, 192 // floats, rows, tiles
	_, products, values := transformed(m)
	fit := cache / (values * (channels + min(filters, 64))) // filters are multiplied 64 at a time
	size := max(min(fit, most), least*products/values)
	blocks := (tiles + size - 1) / size
	return split(tiles, blocks+blocks%2, 1) // for two threads, the most common number on which one block more or less shows
}

// winograd returns the phases of products over windows by minimal filtering: the filters are transformed once for all tasks.
func winograd(b *binder, m int, list ...*kernel.Gather) []phase {
	type packTask struct {
		g      *kernel.Gather
		p0, p1 int
		u      []float32
	}
	type tileTask struct {
		g      *kernel.Gather
		t0, t1 int
	}
	if sharesTiles(m, list[0]) {
		return winogradColumns(b, m, list...)
	}
	side, products, _ := transformed(m)
	_, nr := kernel.Tile()
	var packs []packTask
	var tasks []tileTask
	scratch := 0
	for _, g := range list {
		n, channels := int(g.B.N), int(g.A.Chan)
		panels := (n + nr - 1) / nr
		u := b.scratch(products * panels * nr * channels)
		g.Packed = ptr(u)
		share := split(panels, wanted, 1)
		for i := range share.count {
			p0, p1 := share.at(i)
			packs = append(packs, packTask{g, p0, p1, u})
		}
		blocks := tileBlock(tiles(side, int(g.A.N), int(g.A.P), int(g.A.Q)), m, channels, n)
		for i := range blocks.count {
			t := tileTask{g: g}
			t.t0, t.t1 = blocks.at(i)
			tasks = append(tasks, t)
		}
		scratch = max(scratch, g.WinogradScratch(m, blocks.size))
	}
	buf := b.perWorker(scratch)
	return []phase{{len(packs), func(task, _ int) {
		t := &packs[task]
		kernel.WinogradFilters(m, &t.g.B, t.p0, t.p1, t.u)
	}}, {len(tasks), func(task, worker int) {
		t := &tasks[task]
		t.g.Winograd(m, t.t0, t.t1, buf[worker])
	}}}
}

// blockOfFilter is the number of filters and of channels of the part of a gradient that a task computes: its transform is 2.4 MB.
const blockOfFilter = 128

// tilesPerPart is the least number of tiles that is worth a partial gradient.
const tilesPerPart = 96

// winogradFilter returns the phases of the gradient of filters by minimal filtering.
func winogradFilter(b *binder, m int, v device.Conv, x, dy, dw []float32, add bool) []phase {
	type filterTask struct {
		o    *kernel.Outer
		part kernel.Block
		c    []float32
		add  bool
	}
	if sharesGradient(m, v) {
		return winogradFilterShared(b, m, v, x, dy, dw, add)
	}
	side, _, _ := transformed(m)
	_, nr := kernel.Tile()
	kg, cg, size := v.K/v.Groups, v.C/v.Groups, v.FilterLen()
	rows := split(kg, (kg+blockOfFilter-1)/blockOfFilter, 1)
	cols := every(cg, min(cg, roundUp((cg+(cg+blockOfFilter-1)/blockOfFilter-1)/((cg+blockOfFilter-1)/blockOfFilter), nr)))
	all := tiles(side, v.N, v.P, v.Q)
	parts := every(all, all)
	if blocks := rows.count * cols.count * v.Groups; blocks < wanted/2 {
		parts = split(all, min((wanted+blocks-1)/blocks, max(1, partialLimit/size)), tilesPerPart)
	}
	var partial []float32
	if parts.count > 1 {
		partial = b.scratch(parts.count * size)
	}
	buf := b.perWorker(kernel.WinogradOuterScratch(m, rows.size, cols.size))
	var tasks []filterTask
	for part := range parts.count {
		for g := range v.Groups {
			o := &kernel.Outer{A: at(dy, g*kg), Lda: int64(v.K), M: int64(kg), B: image(v, x, g), N: int64(cg)}
			to, add := dw, add
			if parts.count > 1 && partial != nil {
				to, add = partial[part*size:][:size], false
			}
			if to != nil {
				to = to[g*kg*v.R*v.S*cg:]
			}
			for i := range rows.count {
				for j := range cols.count {
					t := filterTask{o: o, c: to, add: add}
					t.part.M0, t.part.M1 = rows.at(i)
					t.part.J0, t.part.J1 = cols.at(j)
					t.part.K0, t.part.K1 = parts.at(part)
					tasks = append(tasks, t)
				}
			}
		}
	}
	phases := []phase{{len(tasks), func(task, worker int) {
		t := &tasks[task]
		t.o.Winograd(m, t.part, t.c, v.R*v.S*cg, t.add, buf[worker])
	}}}
	if parts.count > 1 {
		phases = append(phases, elementwise(size, func(lo, hi int) { sumPartials(dw, partial, size, lo, hi, parts.count, add) })...)
	}
	return phases
}
