package synth

import (
	"sync"

	"codeberg.org/go-fonts/liberation/liberationmonobold"
	"codeberg.org/go-fonts/liberation/liberationmonobolditalic"
	"codeberg.org/go-fonts/liberation/liberationmonoitalic"
	"codeberg.org/go-fonts/liberation/liberationmonoregular"
	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansbolditalic"
	"codeberg.org/go-fonts/liberation/liberationsansitalic"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"codeberg.org/go-fonts/liberation/liberationserifbold"
	"codeberg.org/go-fonts/liberation/liberationserifbolditalic"
	"codeberg.org/go-fonts/liberation/liberationserifitalic"
	"codeberg.org/go-fonts/liberation/liberationserifregular"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/gomediumitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonobolditalic"
	"golang.org/x/image/font/gofont/gomonoitalic"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/gofont/gosmallcaps"
	"golang.org/x/image/font/gofont/gosmallcapsitalic"
)

// A face is one typeface's ten digits.
type face struct {
	name    string
	ttf     []byte
	slanted bool // blends only with its like: the strokes of the others lie elsewhere and would cancel
	unseen  bool // drawn only for validation, so that its accuracy speaks of digits in a hand never met
	digits  []*field
}

// faces parses the fonts and computes the fields of their digits, once: they depend on no seed.
var faces = sync.OnceValue(func() []*face {
	list := []*face{
		{name: "Go Regular", ttf: goregular.TTF},
		{name: "Go Medium", ttf: gomedium.TTF},
		{name: "Go Bold", ttf: gobold.TTF},
		{name: "Go Italic", ttf: goitalic.TTF, slanted: true},
		{name: "Go Medium Italic", ttf: gomediumitalic.TTF, slanted: true},
		{name: "Go Bold Italic", ttf: gobolditalic.TTF, slanted: true},
		{name: "Go Mono", ttf: gomono.TTF},
		{name: "Go Mono Bold", ttf: gomonobold.TTF, unseen: true},
		{name: "Go Mono Italic", ttf: gomonoitalic.TTF, slanted: true, unseen: true},
		{name: "Go Mono Bold Italic", ttf: gomonobolditalic.TTF, slanted: true},
		{name: "Go Smallcaps", ttf: gosmallcaps.TTF},
		{name: "Go Smallcaps Italic", ttf: gosmallcapsitalic.TTF, slanted: true},
		{name: "Liberation Sans", ttf: liberationsansregular.TTF},
		{name: "Liberation Sans Bold", ttf: liberationsansbold.TTF, unseen: true},
		{name: "Liberation Sans Italic", ttf: liberationsansitalic.TTF, slanted: true},
		{name: "Liberation Sans Bold Italic", ttf: liberationsansbolditalic.TTF, slanted: true},
		{name: "Liberation Serif", ttf: liberationserifregular.TTF},
		{name: "Liberation Serif Bold", ttf: liberationserifbold.TTF},
		{name: "Liberation Serif Italic", ttf: liberationserifitalic.TTF, slanted: true, unseen: true},
		{name: "Liberation Serif Bold Italic", ttf: liberationserifbolditalic.TTF, slanted: true},
		{name: "Liberation Mono", ttf: liberationmonoregular.TTF},
		{name: "Liberation Mono Bold", ttf: liberationmonobold.TTF},
		{name: "Liberation Mono Italic", ttf: liberationmonoitalic.TTF, slanted: true},
		{name: "Liberation Mono Bold Italic", ttf: liberationmonobolditalic.TTF, slanted: true},
	}
	parallel(len(list), func() func(int) {
		return func(i int) {
			f := list[i]
			var err error
			if f.digits, err = glyphs(f.ttf, "0123456789"); err != nil {
				panic("synth: embedded font " + f.name + ": " + err.Error()) // the fonts are part of the program
			}
		}
	})
	return list
})
